#include "proxy/pace.h"

#include <algorithm>
#include <limits>

namespace payg::proxy {
namespace {

// So much may move ahead of its time: well above the 10 ms at which held connections are looked at, or those
// would be what bounds the rate.
constexpr std::chrono::milliseconds ahead{50};
constexpr std::uint64_t smallest_piece = 4096;

}  // namespace

bool Pace::has_room(MonotonicTime now) const noexcept {
  return !is_bounded() || earned_until_.load(std::memory_order_relaxed) <= now + ahead;
}

std::size_t Pace::piece() const noexcept {
  const std::uint64_t bytes_per_second = rate();
  if (bytes_per_second == 0) return std::numeric_limits<std::size_t>::max();
  return static_cast<std::size_t>(
      std::max(smallest_piece, bytes_per_second / (std::chrono::seconds(1) / ahead)));
}

void Pace::moved(std::uint64_t bytes, MonotonicTime now) noexcept {
  const std::uint64_t bytes_per_second = rate();
  if (bytes_per_second == 0) return;
  constexpr std::uint64_t second_ns = std::chrono::nanoseconds(std::chrono::seconds(1)).count();
  const std::chrono::nanoseconds takes(bytes * second_ns / bytes_per_second);
  MonotonicTime until = earned_until_.load(std::memory_order_relaxed);
  while (
      !earned_until_.compare_exchange_weak(until, std::max(until, now) + takes, std::memory_order_relaxed)) {
  }
}

}  // namespace payg::proxy
