#include "proxy/timer_wheel.h"

#include <algorithm>

namespace payg::proxy {

void TimerWheel::arm(Timer& timer, MonotonicTime deadline) noexcept {
  timer.unlink();
  timer.deadline_ = deadline;
  insert(timer);
}

void TimerWheel::insert(Timer& timer) noexcept {
  // The slot behind the deadline's own tick, so that it never fires early; at least the next one to be
  // handled.
  const std::int64_t due = std::max(tick_of(timer.deadline_) + 1, reached_ + 1);
  Timer& head = wheel_[static_cast<std::size_t>(due) % slots];
  timer.previous_ = head.previous_;
  timer.next_ = &head;
  head.previous_->next_ = &timer;
  head.previous_ = &timer;
}

void TimerWheel::advance(MonotonicTime now) noexcept {
  const std::int64_t target = tick_of(now);
  // After a long pause each slot needs to be visited only once.
  reached_ = std::max(reached_, target - static_cast<std::int64_t>(slots));
  while (reached_ < target) {
    ++reached_;
    Timer& head = wheel_[static_cast<std::size_t>(reached_) % slots];
    // Taken out first: a callback may arm, disarm or destroy any timer, also the next one of this slot.
    Slot due;
    if (head.armed()) {
      due.next_ = head.next_;
      due.previous_ = head.previous_;
      due.next_->previous_ = &due;
      due.previous_->next_ = &due;
      head.previous_ = head.next_ = &head;
    }
    while (due.armed()) {
      Timer& timer = *due.next_;
      timer.unlink();
      if (timer.deadline_ <= now) {
        timer.on_timeout();
      } else {
        insert(timer);
      }
    }
  }
}

}  // namespace payg::proxy
