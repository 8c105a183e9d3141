#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "plugin/base/address.h"
#include "plugin/base/clock.h"

namespace payg::billing {

/// How often each client address may fail at something, such as giving a token: so many times at once, and as
/// many again in each minute. Only failures count, so that whoever shares an address with a guesser (NAT) and
/// has the right token is not concerned. An IPv6 client is its /64, which is what one subscriber has at
/// least.
///
/// Takes one mebibyte, whoever comes from wherever: 65,536 addresses of 16 bytes. Four of them share a set;
/// a fifth that fails pushes out the one that has failed least. With `seed` nobody can tell who shares a set
/// with whom. Pushing out costs an attacker a set's worth of fresh addresses each time, and whoever has those
/// has a fresh allowance for each anyway.
///
/// Thread-safe; a lock is held for one look at one set.
class FailureLimit {
 public:
  static constexpr unsigned no_limit = 0;

  FailureLimit(unsigned per_minute, std::uint64_t seed);

  /// What a try that has not failed yet counts for. Nothing for a client who has not failed lately: many who
  /// share a clean address may come at once. As a failure for any other, lest very many tries at once pass
  /// before the first of them is known to have failed.
  enum class Stake { nothing, a_failure };

  /// A try that is allowed once `wait` is zero; it is whole seconds, rounded up.
  struct Try {
    std::chrono::seconds wait{0};
    Stake stake = Stake::nothing;
  };

  /// Every try that need not wait is followed by one of the next two.
  Try begin(const IpAddress& client, MonotonicTime now);
  /// However often he fails at once, a minute after the last failure it is forgotten.
  void failed(const IpAddress& client, Stake stake, MonotonicTime now);
  /// Also of a try that came to nothing.
  void did_not_fail(const IpAddress& client, Stake stake);
  /// `no_limit`: anybody as often as he likes.
  void set_per_minute(unsigned per_minute);

 private:
  static constexpr std::size_t ways = 4;
  static constexpr std::size_t sets = 16'384;

  /// The generic cell rate algorithm: one moment says it all. It is the one at which the client has made up
  /// for all his failures, each of which moves it by a minute's share; it may be a minute away at most.
  struct Record {
    std::uint64_t client = 0;
    MonotonicTime made_up_at = MonotonicTime::min();
  };
  using Set = std::array<Record, ways>;

  static std::uint64_t key_of(const IpAddress& client) noexcept;
  Set& set_of(std::uint64_t key);
  static Record* find(Set& set, std::uint64_t key);
  std::chrono::nanoseconds share() const;

  const std::uint64_t seed_;
  mutable std::mutex mutex_;
  unsigned per_minute_;     // guarded by mutex_
  std::vector<Set> table_;  // guarded by mutex_
};

}  // namespace payg::billing
