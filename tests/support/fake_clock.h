#pragma once

#include <chrono>
#include <mutex>

#include "plugin/base/clock.h"

namespace payg::test {

/// Both clocks, moved by the test alone. Thread-safe.
class FakeClock final : public Clock {
 public:
  /// A moment like any other: neither clock begins at zero.
  static constexpr MonotonicTime start = MonotonicTime(std::chrono::hours(1'000));
  static constexpr WallTime wall_start = WallTime(std::chrono::days(20'000));

  MonotonicTime now() const noexcept override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  WallTime wall_now() const noexcept override {
    const std::lock_guard lock(mutex_);
    return wall_;
  }

  /// Time goes by.
  void advance(std::chrono::nanoseconds time) { set(now() + time); }
  /// REQUIRES: not before now().
  void set(MonotonicTime moment) {
    const std::lock_guard lock(mutex_);
    wall_ = wall_start + jumped_ + std::chrono::floor<std::chrono::milliseconds>(moment - start);
    now_ = moment;
  }
  /// Somebody sets the wall clock; monotonic time goes on as ever.
  void jump_wall(std::chrono::milliseconds jump) {
    const std::lock_guard lock(mutex_);
    jumped_ += jump;
    wall_ += jump;
  }

 private:
  mutable std::mutex mutex_;
  MonotonicTime now_ = start;
  WallTime wall_ = wall_start;
  std::chrono::milliseconds jumped_{0};
};

}  // namespace payg::test
