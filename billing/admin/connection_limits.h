#pragma once

#include <event2/http.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/event.h"

struct bufferevent;
struct evbuffer;
struct evbuffer_cb_entry;
struct evbuffer_cb_info;

namespace payg::billing {

/// Bounds what the clients of an evhttp can make it hold, which evhttp 2.1 does not do by itself: how many
/// connections there are, how long one takes for a request, and what they send together. It knows nothing of
/// tokens: the same holds for everybody. Loop thread only.
class ConnectionLimits {
 public:
  /// A client that comes while so many are open is let in, and the one is closed whose last answer, or whose
  /// coming, is longest ago: nobody is kept out by others who stay. One that is being answered is not closed;
  /// of these there are at most half as many, which is up to the caller.
  static constexpr std::size_t max_connections = 256;
  /// Nor is one that a reply is being written to, while there are no more of these than this: it arrives
  /// whole however slowly it is read. When there are more, the one is closed whose reply was begun longest
  /// ago, so that who does not read keeps nobody out either.
  static constexpr std::size_t max_spared_writing = max_connections / 4;
  /// From the first byte of a request to its last.
  static constexpr std::chrono::seconds max_request_time{30};
  /// More than a request whose head and body are not refused for their size, unless the body is cut in chunks
  /// of a few bytes: their frames count, so such a one can be above it. One connection at a time may send
  /// more, so that whoever sent a body that is merely too large is told so; a second one is closed.
  static constexpr std::size_t most_request_bytes = 16'384 + 2 * 65'536;

  /// Looks after all connections of `http`. Everything referred to outlives the limits, but for `http`,
  /// before whose end stop() is called.
  ConnectionLimits(EventLoop& loop, const Clock& clock, evhttp* http);
  ConnectionLimits(const ConnectionLimits&) = delete;
  ConnectionLimits& operator=(const ConnectionLimits&) = delete;

  /// A request is complete; from here on it may take its time until on_answered(). Until its reply is written
  /// nothing is read from its connection, to which evhttp and send_reply() see.
  void on_request(evhttp_request* request);
  /// The reply is about to be sent. Takes the request's completion callback.
  void on_answered(evhttp_request* request);
  /// The loop runs no more: lets go of what was accepted in its last round. The limits outlive the
  /// connections.
  void stop() { adopt_fresh_ones(); }

 private:
  struct Connection {
    enum class State { idle, sending, answering, writing };
    ConnectionLimits* owner;
    evhttp_connection* handle;
    evbuffer_cb_entry* watch = nullptr;
    State state = State::idle;
    std::uint64_t turn = 0;    ///< in which it was accepted, or a reply to it was begun or written last
    MonotonicTime began_at{};  ///< of the request that is being sent
    std::size_t received = 0;  ///< of it, in bytes
  };

  static bufferevent* on_accepted(event_base* base, void* self) noexcept;
  static void on_soon(evutil_socket_t, short, void* self) noexcept;
  static void on_input(evbuffer*, const evbuffer_cb_info* info, void* connection) noexcept;
  static void on_written(evhttp_request* request, void* self) noexcept;
  static void on_closed(evhttp_connection* handle, void* self) noexcept;
  static void on_tick(evutil_socket_t, short, void* self) noexcept;

  bufferevent* accept(event_base* base);
  void adopt(bufferevent* accepted);
  void adopt_fresh_ones();
  void count(Connection& connection, std::size_t bytes);
  void forget(evhttp_connection* handle);
  void close_surplus();
  evhttp_connection* next_to_close() const;
  void written(evhttp_request* request);
  void close_refused_ones();
  void close_late_ones();
  Connection* find(evhttp_request* request);

  const Clock& clock_;
  Event soon_;  // in this round of the loop, when what called us has returned
  Event tick_;
  /// Of which evhttp has not said yet what connections they are. Held, in case that it gives one up.
  std::vector<bufferevent*> fresh_;
  std::unordered_map<evhttp_connection*, Connection> connections_;
  std::uint64_t last_turn_ = 0;         // counted, not a time: no two are alike
  evhttp_connection* large_ = nullptr;  // the one that may send more than most_request_bytes
  std::vector<evhttp_connection*> refused_;
};

}  // namespace payg::billing
