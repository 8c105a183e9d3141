#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string_view>

#include "billing/ledger/ledger.h"
#include "billing/metering.h"
#include "plugin/api/plugin.h"
#include "plugin/base/clock.h"

namespace payg::billing {

/// Whether sessions can be paid for, as far as this node knows: says in the log when that changes.
///
/// Reading and charging are looked at apart, because a ledger can do one without the other: a full disk, a
/// lock that another process holds and a right that was taken away all leave balances readable. Each is away
/// from its first failure until it succeeds again, and while an answer takes longer than `patience`, so that
/// a database which hangs is not up until the connection's own limits notice. Thread-safe.
class LedgerHealth {
 public:
  /// Longer than any charge takes on a database that works, shorter than anybody who waits to get in does.
  static constexpr std::chrono::seconds patience{2};

  explicit LedgerHealth(plugin::Host& host) : host_(host) {}

  /// away: nobody can be let in, since what he uses could not be charged.
  LedgerState state() const noexcept;
  /// How long the charges that are under way have been waiting; 0: none are.
  std::chrono::milliseconds charge_wait() const noexcept;

  /// Runs a read that somebody waits for. Away when it fails as `unavailable`; anything else that is wrong
  /// with its answer is logged. One thread at a time.
  template <class Call>
  auto read(std::string_view what, Call call) {
    return watch(reads_, what, call, Verdict::when_unavailable);
  }
  /// Runs a charge or an end of sessions: these are sent until they succeed, so any failure means away until
  /// one of them does. One thread at a time.
  template <class Call>
  auto charge(std::string_view what, Call call) {
    return watch(charges_, what, call, Verdict::always);
  }
  /// What came of a read that nobody waits for.
  template <class T>
  void note_read(std::string_view what, const LedgerResult<T>& result) {
    result.ok() ? note_success(reads_) : note_error(reads_, what, result.error(), Verdict::when_unavailable);
  }
  /// What came of a write that is not sent again and again: a failure is logged and changes nothing here.
  template <class T>
  void note_write(std::string_view what, const LedgerResult<T>& result) {
    if (!result.ok()) log(plugin::LogLevel::error, what, result.error());
  }

 private:
  enum class Verdict { when_unavailable, always };

  enum class Known { nothing, up, away };

  struct Side {
    std::string_view back_again;
    std::string_view gone;
    /// What the log has said of it.
    std::atomic<Known> known;
    /// Since when the call under way has been waiting for its answer; none: no call is under way.
    std::atomic<MonotonicTime> asked_at{none};
  };
  static constexpr MonotonicTime none = MonotonicTime::max();

  template <class Call>
  auto watch(Side& side, std::string_view what, Call call, Verdict verdict) {
    side.asked_at = host_.clock().now();
    auto result = call();
    side.asked_at = none;
    result.ok() ? note_success(side) : note_error(side, what, result.error(), verdict);
    return result;
  }

  std::chrono::nanoseconds wait_of(const Side& side) const noexcept;
  bool is_away(const Side& side) const noexcept;
  void note_success(Side& side);
  void note_error(Side& side, std::string_view what, const LedgerError& error, Verdict verdict);
  void log(plugin::LogLevel level, std::string_view what, const LedgerError& error);

  plugin::Host& host_;
  // Nothing is known against charging before the first charge.
  Side reads_{"the ledger answers", "the ledger is away", Known::nothing};
  Side charges_{"the ledger takes charges again", "the ledger takes no charges", Known::up};
};

}  // namespace payg::billing
