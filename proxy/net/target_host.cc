#include "proxy/net/target_host.h"

#include <algorithm>

#include "plugin/base/text.h"

namespace payg::proxy {
namespace {

constexpr std::size_t max_name_bytes = 253;  // RFC 1035 §2.3.4, without the root
constexpr std::size_t max_label_bytes = 63;

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}

constexpr bool is_label_char(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

/// REQUIRES: lower case, not empty.
bool is_number(std::string_view label) {
  if (label.starts_with("0x")) return std::all_of(label.begin() + 2, label.end(), is_hex_digit);
  return std::all_of(label.begin(), label.end(), is_digit);
}

/// `name` is in lower case.
bool is_name(std::string_view name) {
  if (name.empty() || name.size() > max_name_bytes) return false;
  while (true) {
    const auto dot = name.find('.');
    const std::string_view label = name.substr(0, dot);
    if (label.empty() || label.size() > max_label_bytes) return false;
    if (!std::all_of(label.begin(), label.end(), is_label_char)) return false;
    if (dot == name.npos) return !is_number(label);
    name.remove_prefix(dot + 1);
  }
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
  return is_name(out.text) ? HostKind::name : HostKind::invalid;
}

std::string authority_of(std::string_view host, std::uint16_t port) {
  const bool is_v6 = host.find(':') != std::string_view::npos;
  return (is_v6 ? "[" : "") + std::string(host) + (is_v6 ? "]:" : ":") + std::to_string(port);
}

}  // namespace payg::proxy
