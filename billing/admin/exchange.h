#pragma once

#include <event2/http.h>

#include <memory>
#include <optional>

#include "billing/admin/http_message.h"

namespace payg::billing {

// Between evhttp's requests and ours. Loop thread only.

struct EvhttpFree {
  void operator()(evhttp* http) const noexcept { evhttp_free(http); }
};
using EvhttpHandle = std::unique_ptr<evhttp, EvhttpFree>;

/// An evhttp with every limit set; nullptr when there is no memory.
EvhttpHandle make_evhttp(event_base* base);

/// Copies what was asked; nullopt: evhttp could make nothing of its target.
std::optional<Request> read_request(evhttp_request* request);

/// Answers and gives the request back to evhttp. Also when the client has gone: evhttp then frees it. Until
/// the reply is written nothing more is read from the connection.
void send_reply(evhttp_request* request, const Reply& reply);

}  // namespace payg::billing
