#include "config/address_checks.h"

#include "plugin/base/address.h"
#include "config/toml_table.h"

namespace payg::config {

std::string check_ip(std::string_view text) {
  if (IpAddress::parse(text)) return "";
  return in_quotes(text) + R"( is no address, expected one such as "192.0.2.1" or "2001:db8::1")";
}

std::string check_cidr(std::string_view text) {
  if (Cidr::parse(text)) return "";
  return in_quotes(text) + R"( is no block of addresses, expected a CIDR such as "10.0.0.0/8" or "::1/128")";
}

}  // namespace payg::config
