#include "config/address_checks.h"

#include "config/toml_table.h"
#include "plugin/base/address.h"

namespace payg::config {

std::string check_ip(std::string_view text) {
  if (IpAddress::parse(text)) return "";
  return in_quotes(text) + R"( is no address, expected one such as "192.0.2.1" or "2001:db8::1")";
}

std::string check_reachable_ip(std::string_view text) {
  if (const auto ip = IpAddress::parse(text); ip && ip->unmapped().is_unspecified())
    return in_quotes(text) + " is nobody's address, expected the one that clients are to send to";
  return check_ip(text);
}

std::string check_cidr(std::string_view text) {
  if (Cidr::parse(text)) return "";
  return in_quotes(text) + R"( is no block of addresses, expected a CIDR such as "10.0.0.0/8" or "::1/128")";
}

}  // namespace payg::config
