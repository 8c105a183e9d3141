#include "proxy/hold_list.h"

namespace payg::proxy {

HoldList::HoldList(event_base* base, const Clock& clock, Counters& counters)
    : clock_(clock), counters_(counters) {
  again_.assign(base, -1, 0, on_interval, this);
}

void HoldList::hold(Holdable& connection) noexcept {
  if (connection.held()) return;
  if (first_ == nullptr) again_.add_for(interval);
  connection.list_ = this;
  connection.previous_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = &connection;
  last_ = &connection;
  counters_.holds_total.fetch_add(1, std::memory_order_relaxed);
  counters_.connections_held.fetch_add(1, std::memory_order_relaxed);
}

void HoldList::let_go(Holdable& connection) noexcept {
  if (!connection.held()) return;
  (connection.previous_ != nullptr ? connection.previous_->next_ : first_) = connection.next_;
  (connection.next_ != nullptr ? connection.next_->previous_ : last_) = connection.previous_;
  connection.list_ = nullptr;
  connection.previous_ = connection.next_ = nullptr;
  counters_.connections_held.fetch_sub(1, std::memory_order_relaxed);
}

void HoldList::on_interval(evutil_socket_t, short, void* self) noexcept {
  static_cast<HoldList*>(self)->look();
}

void HoldList::look() noexcept {
  const MonotonicTime now = clock_.now();
  served_.clear();
  for (Holdable *connection = first_, *next = nullptr; connection != nullptr; connection = next) {
    next = connection->next_;
    if (!connection->may_move(now)) continue;
    const Pace* const pace = connection->pace();
    if (pace != nullptr && pace->is_bounded() && !served_.insert(pace).second) continue;
    let_go(*connection);
    connection->on_released();
  }
  if (first_ != nullptr) again_.add_for(interval);
}

}  // namespace payg::proxy
