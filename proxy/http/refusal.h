#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "plugin/base/clock.h"
#include "proxy/http/head.h"
#include "proxy/http/rewrite.h"
#include "proxy/http/status.h"

namespace payg::http {

/// The error types of RFC 9209 §2.3 that can happen here.
enum class ProxyError {
  dns_timeout,
  dns_error,
  destination_unavailable,
  destination_ip_prohibited,
  destination_ip_unroutable,
  connection_refused,
  connection_terminated,
  connection_timeout,
  connection_read_timeout,
  connection_limit_reached,
  http_request_error,
  http_request_denied,
  http_response_incomplete,
  http_response_timeout,
  http_protocol_error,
  http_upgrade_failed,
  proxy_internal_response,
  proxy_internal_error,
  proxy_configuration_error,
  proxy_loop_detected,
};

/// As it stands in Proxy-Status, e.g. "dns_error".
std::string_view name_of(ProxyError error) noexcept;

/// Why a request is not served. The views need to live during the call only.
struct Refusal {
  Status status = Status::internal_server_error;
  ProxyError error = ProxyError::proxy_internal_error;
  /// Stable, for programs: "payment_required". Empty: the error's name.
  std::string_view code{};
  /// One sentence for a person.
  std::string_view detail{};
  /// Where to mend it; empty: nowhere.
  std::string_view url{};
  /// Retry-After; zero: not said.
  std::chrono::seconds retry_after{0};
};

/// Whom the refusal is written for.
struct RefusalAudience {
  /// HEAD gets no body.
  Method method = Method::get;
  /// The request's Accept; empty: anything. See prefers_html().
  std::string_view accept{};
  Persistence persistence = Persistence::close;
  /// Date; the epoch: left out.
  WallTime now{};
};

/// Appends a complete response: Proxy-Status (RFC 9209), Content-Length, Connection, Cache-Control: no-store,
/// Proxy-Authenticate with 407, and a body that says the same as an RFC 9457 problem document or as a small
/// HTML page. Whatever the texts hold comes out quoted; what is not ASCII, and so might be no UTF-8 either,
/// comes out as '?'.
void append_refusal(std::string& out, const Refusal& refusal, const RefusalAudience& audience);

/// The refusal of a head, target or framing that broke a rule.
Refusal refusal_of(const Violation& violation) noexcept;

/// Accept (RFC 9110 §12.5.1) rates text/html above application/json, as a browser's does and curl's does not.
bool prefers_html(std::string_view accept) noexcept;

/// Appends the answer to CONNECT: 200 without a body.
void append_tunnel_established(std::string& out, std::string_view pseudonym);

/// Appends the proxy's own answer to OPTIONS whose Max-Forwards is used up (see forwards_used_up()): 200, no
/// content. To such a TRACE answer Status::method_not_allowed.
void append_own_options(std::string& out, Persistence persistence);

}  // namespace payg::http
