#pragma once

#include <cstdint>
#include <string_view>

namespace payg::http {

/// The status codes that the proxy itself answers with. An origin's are plain numbers (ResponseHead::status).
enum class Status : std::uint16_t {
  ok = 200,
  bad_request = 400,
  payment_required = 402,
  forbidden = 403,
  method_not_allowed = 405,
  proxy_authentication_required = 407,
  request_timeout = 408,
  uri_too_long = 414,
  expectation_failed = 417,
  too_many_requests = 429,
  request_header_fields_too_large = 431,
  internal_server_error = 500,
  not_implemented = 501,
  bad_gateway = 502,
  service_unavailable = 503,
  gateway_timeout = 504,
  http_version_not_supported = 505,
};

/// The phrase of RFC 9110 §15, e.g. "Bad Gateway".
std::string_view reason_phrase(Status status) noexcept;

/// What is wrong with a message: the status to refuse a request with, and one sentence for its sender.
/// For a response the status is always bad_gateway. `detail` is a literal; it holds nothing that was
/// received.
struct Violation {
  Status status = Status::bad_request;
  std::string_view detail{};
};

}  // namespace payg::http
