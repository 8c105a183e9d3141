#include "proxy/refusal_kind.h"

#include <array>

namespace payg::proxy {
namespace {

using http::ProxyError;
using http::Status;
using socks::Reply;

// clang-format off
constexpr std::array<RefusalRow, refusal_kinds> rows{{
    {RefusalKind::bad_credentials, "bad_credentials", Status::proxy_authentication_required, ProxyError::http_request_denied, Reply::not_allowed,
     "this proxy needs a user name and a token"},
    {RefusalKind::payment_required, "payment_required", Status::payment_required, ProxyError::http_request_denied, Reply::not_allowed,
     "payment is required"},
    {RefusalKind::forbidden, "forbidden", Status::forbidden, ProxyError::http_request_denied, Reply::not_allowed,
     "this is not allowed"},
    {RefusalKind::bad_request, "bad_request", Status::bad_request, ProxyError::http_request_error, Reply::general_failure,
     "the request is malformed"},
    {RefusalKind::too_many, "too_many", Status::too_many_requests, ProxyError::connection_limit_reached, Reply::not_allowed,
     "too many connections of this user"},
    {RefusalKind::unavailable, "unavailable", Status::service_unavailable, ProxyError::proxy_internal_error, Reply::general_failure,
     "the service is unavailable, try again later"},
    {RefusalKind::no_such_location, "location_unavailable", Status::service_unavailable, ProxyError::destination_unavailable, Reply::host_unreachable,
     "no exit is available at this location"},
    {RefusalKind::forbidden_target, "forbidden_target", Status::forbidden, ProxyError::destination_ip_prohibited, Reply::not_allowed,
     "this address is not reachable through the proxy"},
    {RefusalKind::loop, "loop_detected", Status::forbidden, ProxyError::proxy_loop_detected, Reply::not_allowed,
     "the request has been through this proxy already"},
    {RefusalKind::unresolved, "dns_error", Status::bad_gateway, ProxyError::dns_error, Reply::host_unreachable,
     "the host name could not be resolved"},
    {RefusalKind::refused, "connection_refused", Status::bad_gateway, ProxyError::connection_refused, Reply::connection_refused,
     "the target refused the connection"},
    {RefusalKind::unreachable, "unreachable", Status::bad_gateway, ProxyError::destination_ip_unroutable, Reply::host_unreachable,
     "the target cannot be reached"},
    {RefusalKind::timed_out, "connection_timeout", Status::gateway_timeout, ProxyError::connection_timeout, Reply::host_unreachable,
     "the target did not answer in time"},
    {RefusalKind::exhausted, "exhausted", Status::service_unavailable, ProxyError::proxy_internal_error, Reply::general_failure,
     "the proxy has no resources left for a new connection, try again later"},
    {RefusalKind::exit_failed, "exit_unavailable", Status::service_unavailable, ProxyError::destination_unavailable, Reply::general_failure,
     "no exit works at the moment, try again later"},
    {RefusalKind::head_timeout, "request_timeout", Status::request_timeout, ProxyError::http_request_error, Reply::general_failure,
     "the request took too long to arrive"},
    {RefusalKind::response_timeout, "response_timeout", Status::gateway_timeout, ProxyError::http_response_timeout, Reply::general_failure,
     "the target did not answer in time"},
    {RefusalKind::bad_response, "bad_response", Status::bad_gateway, ProxyError::http_protocol_error, Reply::general_failure,
     "the target's answer is malformed"},
    {RefusalKind::incomplete, "incomplete_response", Status::bad_gateway, ProxyError::http_response_incomplete, Reply::general_failure,
     "the target closed the connection without an answer"},
}};
// clang-format on

consteval bool in_order() {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (static_cast<std::size_t>(rows[i].kind) != i) return false;
  }
  return true;
}
static_assert(in_order(), "rows stand in the order of the enumeration");

}  // namespace

const RefusalRow& row_of(RefusalKind kind) noexcept {
  return rows[static_cast<std::size_t>(kind)];
}

RefusalKind kind_of(plugin::Reason reason) noexcept {
  switch (reason) {
    case plugin::Reason::bad_credentials: return RefusalKind::bad_credentials;
    case plugin::Reason::payment_required: return RefusalKind::payment_required;
    case plugin::Reason::forbidden: return RefusalKind::forbidden;
    case plugin::Reason::bad_request: return RefusalKind::bad_request;
    case plugin::Reason::too_many: return RefusalKind::too_many;
    case plugin::Reason::unavailable: return RefusalKind::unavailable;
  }
  return RefusalKind::unavailable;
}

RefusalKind kind_of(DialFailure failure) noexcept {
  switch (failure) {
    case DialFailure::unresolved: return RefusalKind::unresolved;
    case DialFailure::forbidden: return RefusalKind::forbidden_target;
    case DialFailure::refused: return RefusalKind::refused;
    case DialFailure::unreachable: return RefusalKind::unreachable;
    case DialFailure::timed_out: return RefusalKind::timed_out;
    case DialFailure::exhausted: return RefusalKind::exhausted;
    case DialFailure::exit_failed: return RefusalKind::exit_failed;
    case DialFailure::no_exit: return RefusalKind::no_such_location;
  }
  return RefusalKind::unreachable;
}

http::Refusal refusal_of(RefusalKind kind, const plugin::Denial* denial) noexcept {
  const RefusalRow& row = row_of(kind);
  http::Refusal refusal{
      .status = row.status, .error = row.error, .code = row.code, .detail = row.detail, .url = {}};
  if (denial != nullptr) {
    if (!denial->detail.empty()) refusal.detail = denial->detail;
    refusal.url = denial->url;
    refusal.retry_after = denial->retry_after;
  }
  const bool passes = refusal.status == http::Status::service_unavailable ||
                      refusal.status == http::Status::too_many_requests;
  if (passes && refusal.retry_after.count() == 0) {
    refusal.retry_after = std::chrono::seconds(5);
  }
  return refusal;
}

}  // namespace payg::proxy
