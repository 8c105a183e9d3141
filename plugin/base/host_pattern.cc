#include "plugin/base/host_pattern.h"

#include <algorithm>
#include <charconv>

#include "plugin/base/address.h"
#include "plugin/base/host_name.h"
#include "plugin/base/text.h"

namespace payg {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view digits) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port == 0) return std::nullopt;
  return port;
}

/// An address as plugins are given it; nullopt: it is none. One of IPv6 has brackets.
std::optional<std::string> parse_literal(std::string_view host) {
  const bool is_bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  const auto ip = IpAddress::parse(is_bracketed ? host.substr(1, host.size() - 2) : host);
  if (!ip || is_bracketed != (ip->family() == IpAddress::Family::v6)) return std::nullopt;
  return ip->to_string();
}

/// Where the port's colon is; npos: there is no port.
std::size_t port_colon(std::string_view text) {
  const auto colon = text.rfind(':');
  const auto bracket = text.rfind(']');
  return colon != text.npos && bracket != text.npos && colon < bracket ? text.npos : colon;
}

}  // namespace

bool HostPattern::matches(std::string_view target_host, std::uint16_t target_port) const noexcept {
  if (port ? target_port != *port : target_port != 80 && target_port != 443) return false;
  if (names == Names::itself) return target_host == host;
  return target_host.size() > host.size() + 1 && target_host.ends_with(host) &&
         target_host[target_host.size() - host.size() - 1] == '.';
}

std::optional<HostPattern> HostPattern::parse(std::string_view text) {
  HostPattern pattern;
  if (const auto colon = port_colon(text); colon != text.npos) {
    pattern.port = parse_port(text.substr(colon + 1));
    if (!pattern.port) return std::nullopt;
    text = text.substr(0, colon);
  }
  if (auto literal = parse_literal(text)) {
    pattern.host = *std::move(literal);
    return pattern;
  }
  if (text.starts_with("*.")) {
    pattern.names = Names::below;
    text.remove_prefix(2);
  }
  if (!is_host_name(text)) return std::nullopt;
  pattern.host = ascii_lower(text);
  return pattern;
}

bool any_matches(std::span<const HostPattern> patterns, std::string_view host, std::uint16_t port) noexcept {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const HostPattern& pattern) { return pattern.matches(host, port); });
}

}  // namespace payg
