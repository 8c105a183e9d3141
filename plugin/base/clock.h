#pragma once

#include <chrono>

namespace payg {

/// Time to measure with: deadlines, grants, timeouts. Never jumps, means nothing outside this process, and
/// stands still while the machine is suspended (CLOCK_MONOTONIC, clock_gettime(2)), but not while the process
/// is stopped.
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

/// Time to show and to store: milliseconds since 1970-01-01T00:00Z. May jump; no decision about money hangs
/// on it.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// The only source of time. Logic gets one passed in, so that tests can move it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime now() const noexcept = 0;
  virtual WallTime wall_now() const noexcept = 0;
};

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  MonotonicTime now() const noexcept override { return std::chrono::steady_clock::now(); }
  WallTime wall_now() const noexcept override {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
};

}  // namespace payg
