#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "plugin/base/clock.h"

namespace payg::proxy {

/// How fast the bytes of one user move, in both directions together and over all his connections. The generic
/// cell rate algorithm (ITU-T I.371, Annex A): one number says until when what has moved already would have
/// taken at the permitted rate. Thread-safe, without a lock.
class Pace {
 public:
  /// `bytes_per_second` may change at any time; 0: no bound. Outlives the pace.
  explicit Pace(const std::atomic<std::uint64_t>& bytes_per_second) noexcept
      : bytes_per_second_(bytes_per_second) {}

  bool is_bounded() const noexcept { return rate() != 0; }
  /// A piece may move now. It moves as a whole; what is too much of it is made up for by waiting behind it.
  bool has_room(MonotonicTime now) const noexcept;
  /// The largest piece that keeps several connections of the user moving side by side.
  std::size_t piece() const noexcept;
  void moved(std::uint64_t bytes, MonotonicTime now) noexcept;

 private:
  std::uint64_t rate() const noexcept { return bytes_per_second_.load(std::memory_order_relaxed); }

  const std::atomic<std::uint64_t>& bytes_per_second_;
  std::atomic<MonotonicTime> earned_until_{MonotonicTime::min()};
};

}  // namespace payg::proxy
