#include "proxy/exit_health.h"

#include <algorithm>

#include "plugin/base/spread_bits.h"

namespace payg::proxy {

ExitHealth::Change ExitHealth::succeeded(Evidence evidence) noexcept {
  if (is_up() && (failures() == 0 || evidence == Evidence::reached)) return Change::none;
  const std::lock_guard lock(mutex_);
  if (evidence == Evidence::whole) {
    failures_.store(0, std::memory_order_relaxed);
    waits_ = 0;
  }
  if (up_.exchange(true, std::memory_order_relaxed)) return Change::none;
  why_.clear();
  return Change::came_up;
}

ExitHealth::Change ExitHealth::failed(Source source, std::string_view why, const HealthPolicy& policy,
                                      MonotonicTime now) {
  const std::lock_guard lock(mutex_);
  const bool was_up = is_up();
  if (!was_up && source == Source::traffic) return Change::none;
  const unsigned failures = this->failures() + 1;
  failures_.store(failures, std::memory_order_relaxed);
  why_ = why;
  retry_at_ = now + wait(policy);
  if (!was_up) {
    ++waits_;
    return Change::none;
  }
  if (failures < policy.failures) return Change::none;
  ++waits_;
  up_.store(false, std::memory_order_relaxed);
  return Change::went_down;
}

void ExitHealth::put_off(const HealthPolicy& policy, MonotonicTime now) {
  const std::lock_guard lock(mutex_);
  if (is_up()) return;
  retry_at_ = now + wait(policy);
  ++waits_;
}

std::chrono::milliseconds ExitHealth::wait(const HealthPolicy& policy) const noexcept {
  constexpr unsigned most_doublings = 30;
  constexpr std::int64_t shares = 1024;
  const auto whole = std::min(policy.backoff * (std::int64_t{1} << std::min(waits_, most_doublings)),
                              policy.longest_backoff);
  const auto share = static_cast<std::int64_t>(spread_bits(seed_ + waits_) % shares);
  return whole - whole * share / (2 * shares);
}

MonotonicTime ExitHealth::retry_at() const {
  const std::lock_guard lock(mutex_);
  return retry_at_;
}

std::string ExitHealth::why_down() const {
  const std::lock_guard lock(mutex_);
  return is_up() ? std::string() : why_;
}

}  // namespace payg::proxy
