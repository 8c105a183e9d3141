#include "billing/admin/connection_limits.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include <utility>

namespace payg::billing {
namespace {

constexpr std::chrono::seconds tick_interval{1};

}  // namespace

ConnectionLimits::ConnectionLimits(EventLoop& loop, const Clock& clock, evhttp* http) : clock_(clock) {
  soon_.assign(loop.base(), -1, 0, on_soon, this);
  tick_.assign(loop.base(), -1, EV_PERSIST, on_tick, this);
  tick_.add_for(tick_interval);
  evhttp_set_bevcb(http, on_accepted, this);
}

// ---- what libevent calls

bufferevent* ConnectionLimits::on_accepted(event_base* base, void* self) noexcept {
  return static_cast<ConnectionLimits*>(self)->accept(base);
}

void ConnectionLimits::on_soon(evutil_socket_t, short, void* self) noexcept {
  auto* const limits = static_cast<ConnectionLimits*>(self);
  limits->adopt_fresh_ones();
  limits->close_refused_ones();
  limits->close_surplus();
}

void ConnectionLimits::on_input(evbuffer*, const evbuffer_cb_info* info, void* connection) noexcept {
  auto* const sender = static_cast<Connection*>(connection);
  if (info->n_added > 0) sender->owner->count(*sender, info->n_added);
}

void ConnectionLimits::on_written(evhttp_request* request, void* self) noexcept {
  static_cast<ConnectionLimits*>(self)->written(request);
}

void ConnectionLimits::on_closed(evhttp_connection* handle, void* self) noexcept {
  static_cast<ConnectionLimits*>(self)->forget(handle);
}

void ConnectionLimits::on_tick(evutil_socket_t, short, void* self) noexcept {
  static_cast<ConnectionLimits*>(self)->close_late_ones();
}

// ---- coming and going

bufferevent* ConnectionLimits::accept(event_base* base) {
  // Without CLOSE_ON_FREE evhttp closes the descriptor while its events are still registered, and takes them
  // out by a number that may be another thread's connection by then.
  bufferevent* const accepted = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
  if (!accepted) return nullptr;
  bufferevent_incref(accepted);
  fresh_.push_back(accepted);
  soon_.activate(EV_TIMEOUT);
  return accepted;
}

void ConnectionLimits::adopt_fresh_ones() {
  for (bufferevent* accepted : std::exchange(fresh_, {})) {
    adopt(accepted);
    bufferevent_decref(accepted);
  }
}

void ConnectionLimits::adopt(bufferevent* accepted) {
  // evhttp's callbacks get their connection; it takes them away from what it gives up.
  void* argument = nullptr;
  bufferevent_getcb(accepted, nullptr, nullptr, nullptr, &argument);
  if (!argument) {
    // The descriptor too: evhttp has closed it by itself.
    bufferevent_setfd(accepted, -1);
    return;
  }
  auto* const handle = static_cast<evhttp_connection*>(argument);
  Connection& connection = connections_[handle] = {.owner = this, .handle = handle, .turn = ++last_turn_};
  connection.watch = evbuffer_add_cb(bufferevent_get_input(accepted), on_input, &connection);
  evhttp_connection_set_closecb(handle, on_closed, this);
}

void ConnectionLimits::forget(evhttp_connection* handle) {
  const auto found = connections_.find(handle);
  if (found == connections_.end()) return;
  evbuffer* const input = bufferevent_get_input(evhttp_connection_get_bufferevent(handle));
  evbuffer_remove_cb_entry(input, found->second.watch);
  if (large_ == handle) large_ = nullptr;
  connections_.erase(found);
}

void ConnectionLimits::close_surplus() {
  while (connections_.size() > max_connections) {
    evhttp_connection* const handle = next_to_close();
    if (!handle) return;
    evhttp_connection_free(handle);
  }
}

evhttp_connection* ConnectionLimits::next_to_close() const {
  const Connection* waiting = nullptr;
  const Connection* writing = nullptr;
  std::size_t writing_count = 0;
  const auto take_older = [](const Connection*& oldest, const Connection& other) {
    if (!oldest || other.turn < oldest->turn) oldest = &other;
  };
  for (const auto& [handle, connection] : connections_) {
    if (connection.state == Connection::State::answering) continue;
    const bool is_writing = connection.state == Connection::State::writing;
    if (is_writing) ++writing_count;
    take_older(is_writing ? writing : waiting, connection);
  }
  const Connection* const chosen = writing_count > max_spared_writing || !waiting ? writing : waiting;
  return chosen ? chosen->handle : nullptr;
}

// ---- sending and answering

ConnectionLimits::Connection* ConnectionLimits::find(evhttp_request* request) {
  const auto found = connections_.find(evhttp_request_get_connection(request));
  return found == connections_.end() ? nullptr : &found->second;
}

void ConnectionLimits::on_request(evhttp_request* request) {
  Connection* const connection = find(request);
  if (!connection) return;
  connection->state = Connection::State::answering;
  if (large_ == connection->handle) large_ = nullptr;
}

void ConnectionLimits::on_answered(evhttp_request* request) {
  Connection* const connection = find(request);
  if (!connection) return;
  connection->state = Connection::State::writing;
  connection->turn = ++last_turn_;
  evhttp_request_set_on_complete_cb(request, on_written, this);
}

// evhttp calls it for every reply that was written to its end, and for no other: a connection that is closed
// before is forgotten.
void ConnectionLimits::written(evhttp_request* request) {
  Connection* const connection = find(request);
  if (!connection) return;
  connection->state = Connection::State::idle;
  connection->turn = ++last_turn_;
  connection->received = 0;
  // What came behind the request is the beginning of the next one.
  const std::size_t rest =
      evbuffer_get_length(bufferevent_get_input(evhttp_connection_get_bufferevent(connection->handle)));
  if (rest > 0) count(*connection, rest);
}

void ConnectionLimits::count(Connection& connection, std::size_t bytes) {
  if (connection.state == Connection::State::idle) {
    connection.state = Connection::State::sending;
    connection.began_at = clock_.now();
  }
  connection.received += bytes;
  if (connection.received <= most_request_bytes || large_ == connection.handle) return;
  if (!large_) {
    large_ = connection.handle;
    return;
  }
  // Not now: evhttp is about to read what came.
  refused_.push_back(connection.handle);
  soon_.activate(EV_TIMEOUT);
}

void ConnectionLimits::close_refused_ones() {
  for (evhttp_connection* handle : std::exchange(refused_, {})) {
    const auto found = connections_.find(handle);
    const bool is_there = found != connections_.end();
    if (is_there && found->second.state == Connection::State::sending) evhttp_connection_free(handle);
  }
}

void ConnectionLimits::close_late_ones() {
  const MonotonicTime now = clock_.now();
  std::vector<evhttp_connection*> late;
  for (const auto& [handle, connection] : connections_) {
    const bool is_sending = connection.state == Connection::State::sending;
    if (is_sending && now - connection.began_at > max_request_time) late.push_back(handle);
  }
  for (evhttp_connection* handle : late) evhttp_connection_free(handle);
}

}  // namespace payg::billing
