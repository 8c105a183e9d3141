#include "proxy/net/target_host.h"

#include "plugin/base/host_name.h"
#include "plugin/base/text.h"

namespace payg::proxy {
namespace {

constexpr std::size_t max_name_bytes = 253;  // RFC 1035 §2.3.4, without the root

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Saves most names an attempt to read them as an address.
bool may_be_address(std::string_view host) {
  return !host.empty() && (is_digit(host.front()) || host.find(':') != host.npos);
}

}  // namespace

HostKind classify_host(std::string_view host, TargetHost& out) {
  out.address.reset();
  if (may_be_address(host)) out.address = IpAddress::parse(host);
  if (out.address) {
    out.text = out.address->to_string();
    return HostKind::address;
  }
  if (host.size() > 1 && host.ends_with('.')) host.remove_suffix(1);
  if (host.size() > max_name_bytes) return HostKind::invalid;
  out.text.assign(host);
  for (char& c : out.text) c = ascii_lower(c);
  return is_host_name(out.text) ? HostKind::name : HostKind::invalid;
}

std::string authority_of(std::string_view host, std::uint16_t port) {
  const bool is_v6 = host.find(':') != std::string_view::npos;
  return (is_v6 ? "[" : "") + std::string(host) + (is_v6 ? "]:" : ":") + std::to_string(port);
}

}  // namespace payg::proxy
