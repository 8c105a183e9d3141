#include "billing/admin/exchange.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/keyvalq_struct.h>

#include <algorithm>
#include <string_view>

#include "billing/admin/url_text.h"

namespace payg::billing {
namespace {

constexpr ev_ssize_t max_head_bytes = 16'384;
// libevent 2.1 answers a body above its own limit with a page of HTML that cannot be replaced. So its limit
// stands well above ours: a body that is merely too large is read, dropped, and refused as a problem
// document. ConnectionLimits sees to it that this is done for one client at a time.
constexpr ev_ssize_t max_evhttp_body_bytes = 16'777'216;
// Between two reads or writes, and for an idle connection.
constexpr timeval idle_limit{.tv_sec = 30, .tv_usec = 0};
// Also those that evhttp has no name for, so that they get a 405 of ours instead of evhttp's HTML.
constexpr ev_uint16_t all_methods = 0xffff;

std::string_view name_of(evhttp_cmd_type method) {
  switch (method) {
    case EVHTTP_REQ_GET: return "GET";
    case EVHTTP_REQ_POST: return "POST";
    case EVHTTP_REQ_HEAD: return "HEAD";
    case EVHTTP_REQ_PUT: return "PUT";
    case EVHTTP_REQ_DELETE: return "DELETE";
    case EVHTTP_REQ_OPTIONS: return "OPTIONS";
    case EVHTTP_REQ_TRACE: return "TRACE";
    case EVHTTP_REQ_CONNECT: return "CONNECT";
    case EVHTTP_REQ_PATCH: return "PATCH";
  }
  return "?";
}

std::string field(const evkeyvalq* headers, const char* name) {
  const char* value = evhttp_find_header(headers, name);
  return value ? value : "";
}

std::string read_body(evhttp_request* request) {
  evbuffer* input = evhttp_request_get_input_buffer(request);
  // One byte above the limit tells that it was too long.
  std::string body(std::min(evbuffer_get_length(input), max_body_bytes + 1), '\0');
  const ev_ssize_t copied = evbuffer_copyout(input, body.data(), body.size());
  body.resize(copied < 0 ? 0 : static_cast<std::size_t>(copied));
  evbuffer_drain(input, evbuffer_get_length(input));
  return body;
}

// evhttp reads nothing while a request waits for its answer, but again as soon as it writes: it would hold
// whatever a client sends meanwhile, however much, and cut the reply of whoever sends nothing for idle_limit
// or has closed his direction. It turns reading on once more when the reply is written.
void stop_reading(evhttp_connection* connection) {
  if (connection) bufferevent_disable(evhttp_connection_get_bufferevent(connection), EV_READ);
}

}  // namespace

EvhttpHandle make_evhttp(event_base* base) {
  EvhttpHandle http(evhttp_new(base));
  if (!http) return http;
  evhttp_set_max_headers_size(http.get(), max_head_bytes);
  evhttp_set_max_body_size(http.get(), max_evhttp_body_bytes);
  evhttp_set_timeout_tv(http.get(), &idle_limit);
  evhttp_set_allowed_methods(http.get(), all_methods);
  evhttp_set_default_content_type(http.get(), nullptr);
  return http;
}

std::optional<Request> read_request(evhttp_request* request) {
  const evhttp_uri* uri = evhttp_request_get_evhttp_uri(request);
  const char* path = uri ? evhttp_uri_get_path(uri) : nullptr;
  if (!path) return std::nullopt;
  const char* query = evhttp_uri_get_query(uri);
  const evkeyvalq* headers = evhttp_request_get_input_headers(request);
  return Request{.method = std::string(name_of(evhttp_request_get_command(request))),
                 .path = path,
                 .query = decode_query(query ? query : ""),
                 .body = read_body(request),
                 .host = field(headers, "Host"),
                 .origin = field(headers, "Origin"),
                 .fetch_site = field(headers, "Sec-Fetch-Site"),
                 .authorization = field(headers, "Authorization"),
                 .accept = field(headers, "Accept"),
                 .idempotency_key = field(headers, "Idempotency-Key")};
}

void send_reply(evhttp_request* request, const Reply& reply) {
  evkeyvalq* headers = evhttp_request_get_output_headers(request);
  if (!reply.content_type.empty()) evhttp_add_header(headers, "Content-Type", reply.content_type.c_str());
  evhttp_add_header(headers, "Cache-Control", "no-store");
  evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : reply.headers) evhttp_add_header(headers, name.c_str(), value.c_str());
  evbuffer* output = evhttp_request_get_output_buffer(request);
  evbuffer_add(output, reply.body.data(), reply.body.size());
  evhttp_connection* const connection = evhttp_request_get_connection(request);
  evhttp_send_reply(request, reply.status, nullptr, nullptr);
  // It has only begun to write, and so freed no connection.
  stop_reading(connection);
}

}  // namespace payg::billing
