#include "proxy/http/status.h"

namespace payg::http {

std::string_view reason_phrase(Status status) noexcept {
  switch (status) {
    case Status::ok: return "OK";
    case Status::bad_request: return "Bad Request";
    case Status::payment_required: return "Payment Required";
    case Status::forbidden: return "Forbidden";
    case Status::method_not_allowed: return "Method Not Allowed";
    case Status::proxy_authentication_required: return "Proxy Authentication Required";
    case Status::request_timeout: return "Request Timeout";
    case Status::uri_too_long: return "URI Too Long";
    case Status::expectation_failed: return "Expectation Failed";
    case Status::too_many_requests: return "Too Many Requests";
    case Status::request_header_fields_too_large: return "Request Header Fields Too Large";
    case Status::internal_server_error: return "Internal Server Error";
    case Status::not_implemented: return "Not Implemented";
    case Status::bad_gateway: return "Bad Gateway";
    case Status::service_unavailable: return "Service Unavailable";
    case Status::gateway_timeout: return "Gateway Timeout";
    case Status::http_version_not_supported: return "HTTP Version Not Supported";
  }
  return "Unknown";
}

}  // namespace payg::http
