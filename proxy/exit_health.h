#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "plugin/base/clock.h"

namespace payg::proxy {

/// When an exit is down, and when it is tried again: the table [exit_health].
struct HealthPolicy {
  unsigned failures = 3;  ///< one after the other, that make it down
  std::chrono::milliseconds backoff{1000};
  std::chrono::milliseconds longest_backoff{300'000};
};

/// Whether one exit works, as its connections and its probes have found it. Shared by all workers;
/// thread-safe. A success of an exit that is up, the case of every connection, takes no lock.
class ExitHealth {
 public:
  enum class Change { none, went_down, came_up };
  enum class Source { traffic, probe };

  /// `seed`: spreads the times at which exits that went down together are tried again.
  explicit ExitHealth(std::uint64_t seed) noexcept : seed_(seed) {}

  bool is_up() const noexcept { return up_.load(std::memory_order_relaxed); }

  /// How much of what an exit does was seen to work.
  enum class Evidence {
    whole,    ///< a way to a target; what the target made of it is another matter
    reached,  ///< it is there and answers, and was asked for nothing, or could not get there either
  };
  /// Being reached brings an exit up that is down, but on trial: its next failure takes it down again, with a
  /// longer wait than before. Only the whole makes up for failures.
  Change succeeded(Evidence evidence) noexcept;
  /// It failed by itself. `why`: one line without secrets. What traffic says of an exit that is down is old
  /// news; a probe's failure doubles the wait for the next one.
  Change failed(Source source, std::string_view why, const HealthPolicy& policy, MonotonicTime now);

  /// A probe of it, while it is down, has said nothing of it: the next one waits as behind a failure.
  void put_off(const HealthPolicy& policy, MonotonicTime now);

  /// When it is to be tried again, while it is down or has failed since it last succeeded.
  MonotonicTime retry_at() const;
  /// Failures since the last success; 0: none.
  unsigned failures() const noexcept { return failures_.load(std::memory_order_relaxed); }
  /// Empty when it is up.
  std::string why_down() const;

  /// How often it has said anything. Whoever waits in vain can tell from it whether others were heard.
  std::uint64_t answers() const noexcept { return answers_.load(std::memory_order_relaxed); }
  void count_answer() noexcept { answers_.fetch_add(1, std::memory_order_relaxed); }

 private:
  /// Half of the doubled wait to all of it.
  std::chrono::milliseconds wait(const HealthPolicy& policy) const noexcept;

  const std::uint64_t seed_;
  std::atomic<bool> up_{true};
  std::atomic<unsigned> failures_{0};
  std::atomic<std::uint64_t> answers_{0};

  mutable std::mutex mutex_;
  unsigned waits_ = 0;        // guarded by mutex_; since it went down
  MonotonicTime retry_at_{};  // guarded by mutex_
  std::string why_;           // guarded by mutex_
};

}  // namespace payg::proxy
