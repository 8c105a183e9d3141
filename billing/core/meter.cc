#include "billing/core/meter.h"

namespace payg::billing {

MonotonicTime Meter::outage_limit(std::chrono::milliseconds outage_grace) const noexcept {
  if (owed_ == 0) return MonotonicTime::max();
  return begin_ + outage_grace;
}

void Meter::reach_deadline(AtDeadline who, const Terms& in_force) noexcept {
  if (who == AtDeadline::alone) return cut(EndReason::idle);
  if (owed_ == 0) {
    terms_ = &in_force;
    begin_ = deadline_;
  }
  ++owed_;
  deadline_ += terms_->increment;
  move_to(State::buying);
}

void Meter::granted(std::chrono::milliseconds grant) noexcept {
  ++answered_;
  --owed_;
  begin_ += grant;
  if (grant < terms_->increment) {
    // The balance was empty at this point: what was owed behind it was never bought.
    owed_ = 0;
    deadline_ = begin_;
  }
  if (owed_ > 0) return;
  move_to(state_ == State::settling ? State::ended : State::running);
}

void Meter::exhausted() noexcept {
  finish(EndReason::exhausted);
}

void Meter::fenced(EndReason why) noexcept {
  finish(why);
}

void Meter::cut(EndReason why) noexcept {
  if (!is_live()) return;
  why_ = why;
  move_to(owed_ > 0 ? State::settling : State::ended);
}

void Meter::finish(EndReason why) noexcept {
  if (is_live()) why_ = why;
  owed_ = 0;
  move_to(State::ended);
}

}  // namespace payg::billing
