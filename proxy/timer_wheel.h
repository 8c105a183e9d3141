#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "plugin/base/clock.h"

namespace payg::proxy {

/// One deadline of one owner; sits in its owner and takes itself out of the wheel when destroyed.
class Timer {
 public:
  Timer() noexcept = default;
  virtual ~Timer() { unlink(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  bool armed() const noexcept { return next_ != this; }
  void disarm() noexcept { unlink(); }

 protected:
  /// The deadline has passed; the timer is disarmed. May destroy the timer.
  virtual void on_timeout() noexcept = 0;

 private:
  friend class TimerWheel;
  void unlink() noexcept {
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = this;
  }

  MonotonicTime deadline_{};
  Timer* previous_ = this;
  Timer* next_ = this;
};

/// Timeouts of a worker's connections: setting one costs a few pointers and no system call, because nearly
/// all of them are set again before they fire. Fires up to one tick late, never early. One thread.
class TimerWheel {
 public:
  static constexpr std::chrono::milliseconds tick{50};

  explicit TimerWheel(MonotonicTime now) : reached_(tick_of(now)) {}

  void arm(Timer& timer, MonotonicTime deadline) noexcept;
  /// Calls on_timeout of all whose deadline is at or before `now`. Called once a tick.
  void advance(MonotonicTime now) noexcept;

 private:
  static constexpr std::size_t slots = 1024;  // 51.2 s around; what is further away goes round again

  class Slot final : public Timer {
    void on_timeout() noexcept override {}
  };

  static std::int64_t tick_of(MonotonicTime time) noexcept { return time.time_since_epoch() / tick; }
  void insert(Timer& timer) noexcept;

  std::int64_t reached_;  ///< the last tick that was handled
  std::array<Slot, slots> wheel_;
};

}  // namespace payg::proxy
