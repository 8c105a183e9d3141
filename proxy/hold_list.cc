#include "proxy/hold_list.h"

namespace payg::proxy {

HoldList::HoldList(event_base* base, const Clock& clock, Counters& counters)
    : clock_(clock), counters_(counters) {
  again_.assign(base, -1, 0, on_interval, this);
}

void HoldList::hold(Holdable& connection) noexcept {
  if (connection.held()) return;
  if (is_empty()) again_.add_for(interval);
  const bool had_its_turn = connection.turn_ == Holdable::Turn::had;
  if (had_its_turn) {
    const bool was_usual = connection.order_ == Holdable::Order::usual;
    connection.order_ = was_usual ? Holdable::Order::reversed : Holdable::Order::usual;
  }
  Queue& queue = had_its_turn ? waiting_ : passed_over_;
  connection.queue_ = &queue;
  connection.previous_ = queue.last;
  (queue.last != nullptr ? queue.last->next_ : queue.first) = &connection;
  queue.last = &connection;
  counters_.holds_total.fetch_add(1, std::memory_order_relaxed);
  counters_.connections_held.fetch_add(1, std::memory_order_relaxed);
}

void HoldList::let_go(Holdable& connection) noexcept {
  if (!connection.held()) return;
  Queue& queue = *connection.queue_;
  (connection.previous_ != nullptr ? connection.previous_->next_ : queue.first) = connection.next_;
  (connection.next_ != nullptr ? connection.next_->previous_ : queue.last) = connection.previous_;
  connection.queue_ = nullptr;
  connection.previous_ = connection.next_ = nullptr;
  counters_.connections_held.fetch_sub(1, std::memory_order_relaxed);
}

void HoldList::on_interval(evutil_socket_t, short, void* self) noexcept {
  static_cast<HoldList*>(self)->look();
}

void HoldList::look() noexcept {
  const MonotonicTime now = clock_.now();
  look_at(passed_over_, now);
  look_at(waiting_, now);
  if (!is_empty()) again_.add_for(interval);
}

void HoldList::look_at(Queue& queue, MonotonicTime now) noexcept {
  // Up to here, and not to those who may be held again behind it meanwhile.
  const Holdable* const last = queue.last;
  for (Holdable *connection = queue.first, *next = nullptr; connection != nullptr; connection = next) {
    next = connection == last ? nullptr : connection->next_;
    if (!connection->may_move(now)) continue;
    let_go(*connection);
    connection->turn_ = Holdable::Turn::to_get;
    connection->on_released();
  }
}

}  // namespace payg::proxy
