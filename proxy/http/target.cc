#include "proxy/http/target.h"

#include <charconv>

#include "plugin/base/text.h"

namespace payg::http {
namespace {

constexpr std::string_view http_prefix = "http://";
constexpr std::uint16_t http_port = 80;

Violation bad(std::string_view detail) {
  return {Status::bad_request, detail};
}

enum class PortKind { absent, empty, valid, invalid };

struct Authority {
  std::string_view host;  // with its brackets
  std::uint16_t port = 0;
  PortKind port_kind = PortKind::absent;
};

PortKind read_port(std::string_view digits, std::uint16_t& out) {
  if (digits.empty()) return PortKind::empty;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, out);
  return digits.size() <= 5 && error == std::errc{} && stop == end && out != 0 ? PortKind::valid
                                                                               : PortKind::invalid;
}

Authority split_authority(std::string_view text) {
  Authority authority;
  // The port's colon is behind the bracket; without brackets the last one, so that a bare IPv6 literal is
  // left with colons in its host and is refused.
  const auto bracket = text.rfind(']');
  const auto colon = text.rfind(':');
  if (colon == text.npos || (bracket != text.npos && colon < bracket)) {
    authority.host = text;
    return authority;
  }
  authority.host = text.substr(0, colon);
  authority.port_kind = read_port(text.substr(colon + 1), authority.port);
  return authority;
}

/// Brackets belong around IPv6 literals and around nothing else.
bool read_host(std::string_view host, proxy::TargetHost& out) {
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto kind = proxy::classify_host(host, out);
  const bool is_v6 = kind == proxy::HostKind::address && !out.address->is_v4();
  return kind != proxy::HostKind::invalid && bracketed == is_v6;
}

std::optional<Violation> read_authority(std::string_view text, std::optional<std::uint16_t> default_port,
                                        Target& out) {
  if (text.find('@') != text.npos) return bad("the request target holds user information");
  const Authority authority = split_authority(text);
  if (authority.port_kind == PortKind::invalid) return bad("the request target's port is not 1 to 65535");
  if (authority.port_kind == PortKind::valid) {
    out.port = authority.port;
  } else if (default_port) {
    out.port = *default_port;
  } else {
    return bad("CONNECT needs a port");
  }
  if (!read_host(authority.host, out.host))
    return bad("the request target's host is not a valid name or address");
  return std::nullopt;
}

/// REQUIRES: `target` is longer than the scheme.
std::optional<Violation> read_absolute_form(std::string_view target, Target& out) {
  if (target.find('#') != target.npos) return bad("the request target holds a fragment");
  target.remove_prefix(http_prefix.size());
  const auto path = target.find_first_of("/?");
  out.path_and_query = path == target.npos ? std::string_view() : target.substr(path);
  return read_authority(target.substr(0, path), http_port, out);
}

bool has_scheme(std::string_view target) {
  const auto colon = target.find(':');
  if (colon == 0 || colon == target.npos || !target.substr(colon).starts_with("://")) return false;
  const std::string_view scheme = target.substr(0, colon);
  return scheme.find_first_of("/?#@[]") == scheme.npos;
}

/// What makes a Host field valid: uri-host [ ":" port ] (RFC 9110 §7.2).
bool is_valid_host_field(std::string_view value) {
  const Authority authority = split_authority(value);
  proxy::TargetHost host;
  return authority.port_kind != PortKind::invalid && read_host(authority.host, host);
}

std::optional<Violation> check_host_fields(const RequestHead& head, std::string_view authority) {
  const std::size_t count = head.fields.count(FieldName::host);
  if (count > 1) return bad("there is more than one Host");
  if (count == 0) {
    if (head.version == Version::http_1_0) return std::nullopt;
    return bad("there is no Host");
  }
  const std::string_view value = head.fields.first(FieldName::host);
  // What well-behaved clients send was found valid as the target already.
  if (value == authority || is_valid_host_field(value)) return std::nullopt;
  return bad("Host is not a valid name or address");
}

}  // namespace

std::optional<Violation> parse_target(const RequestHead& head, Target& out) {
  out.path_and_query = {};
  const std::string_view target = head.target;
  if (head.method == Method::connect) {
    if (auto violation = read_authority(target, std::nullopt, out)) return violation;
    return check_host_fields(head, target);
  }
  if (target.size() < http_prefix.size() ||
      !equal_ignoring_case(target.substr(0, http_prefix.size()), http_prefix)) {
    if (has_scheme(target))
      return Violation{Status::not_implemented, "only http:// is forwarded; use CONNECT"};
    return bad("a proxy takes the absolute form: http://host/path");
  }
  if (auto violation = read_absolute_form(target, out)) return violation;
  const std::size_t authority_bytes = target.size() - http_prefix.size() - out.path_and_query.size();
  return check_host_fields(head, target.substr(http_prefix.size(), authority_bytes));
}

void append_origin_form(std::string& out, const Target& target, Method method) {
  if (target.path_and_query.empty()) {
    out += method == Method::options ? '*' : '/';
    return;
  }
  if (target.path_and_query.front() == '?') out += '/';
  out += target.path_and_query;
}

void append_host(std::string& out, const Target& target) {
  const bool bracketed = target.host.address && !target.host.address->is_v4();
  if (bracketed) out += '[';
  out += target.host.text;
  if (bracketed) out += ']';
  if (target.port == http_port) return;
  char digits[5];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, target.port);
  out += ':';
  out.append(digits, end);
}

}  // namespace payg::http
