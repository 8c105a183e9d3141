#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/head.h"
#include "proxy/net/target_host.h"

namespace payg::http {

/// Where a request goes. Reuse one to save its allocation.
struct Target {
  proxy::TargetHost host;
  std::uint16_t port = 0;
  /// As received; may be empty or begin with '?'. Empty for CONNECT. Lies in the parsed buffer.
  std::string_view path_and_query;
};

/// Reads the request target (RFC 9112 §3.2) and holds the Host fields to their rules (§3.2, RFC 9110 §7.2).
/// nullopt: `out` is filled.
///
/// CONNECT takes the authority-form with a port, everything else the absolute-form: origin-form and
/// asterisk-form are 400 on a proxy's port, a scheme other than http is 501. Userinfo, a fragment, port 0, a
/// port above 65535, a zone id, an empty or guessable host (see proxy::classify_host) are 400. An empty port
/// of the absolute-form is 80.
///
/// Host in HTTP/1.1 must be there once, in HTTP/1.0 at most once, and be well-formed; what it says is not
/// used: the target decides.
std::optional<Violation> parse_target(const RequestHead& head, Target& out);

/// "/path?query" as it is sent to an origin: "/" when empty, "*" for OPTIONS without path and query.
void append_origin_form(std::string& out, const Target& target, Method method);

/// "host", "host:81" or "[::1]:81": the value of Host; the port is left out when it is 80.
void append_host(std::string& out, const Target& target);

}  // namespace payg::http
