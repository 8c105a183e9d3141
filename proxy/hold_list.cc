#include "proxy/hold_list.h"

namespace payg::proxy {

HoldList::HoldList(event_base* base, const Clock& clock, Counters& counters)
    : clock_(clock), counters_(counters) {
  again_.assign(base, -1, 0, on_interval, this);
}

void HoldList::hold(Holdable& connection) noexcept {
  if (connection.held()) return;
  connection.place_ = held_.size();
  held_.push_back(&connection);
  counters_.holds_total.fetch_add(1, std::memory_order_relaxed);
  counters_.connections_held.fetch_add(1, std::memory_order_relaxed);
  if (held_.size() == 1) again_.add_for(interval);
}

void HoldList::let_go(Holdable& connection) noexcept {
  if (!connection.held()) return;
  held_.back()->place_ = connection.place_;
  held_[connection.place_] = held_.back();
  held_.pop_back();
  connection.place_ = Holdable::nowhere;
  counters_.connections_held.fetch_sub(1, std::memory_order_relaxed);
}

void HoldList::on_interval(evutil_socket_t, short, void* self) noexcept {
  static_cast<HoldList*>(self)->look();
}

void HoldList::look() noexcept {
  const MonotonicTime now = clock_.now();
  // From the back, because the last one takes the place of one that goes.
  for (std::size_t index = held_.size(); index-- > 0;) {
    Holdable& connection = *held_[index];
    if (!connection.may_move(now)) continue;
    let_go(connection);
    connection.on_released();
  }
  if (!held_.empty()) again_.add_for(interval);
}

}  // namespace payg::proxy
