#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <span>
#include <utility>
#include <vector>

#include "billing/core/meter.h"
#include "billing/ledger/ledger.h"
#include "billing/metering.h"
#include "billing/session_table.h"

namespace payg::billing {

/// One moment by both clocks, read together.
struct Moment {
  MonotonicTime now;
  WallTime wall;

  /// What the wall clock showed at another moment, for people to read.
  WallTime wall_at(MonotonicTime at) const {
    return wall + std::chrono::duration_cast<std::chrono::milliseconds>(at - now);
  }
};

/// A session whose connections are to be closed now.
struct Cut {
  plugin::SessionHandle session;
  EndReason why = EndReason::idle;
};

struct BillerSettings {
  /// Rule 7. At least least_outage_grace, which an ordinary answer may take as well.
  std::chrono::milliseconds outage_grace{std::chrono::minutes(5)};
  /// The pause after a batch that found no ledger, and before an end that was to be asked later.
  std::chrono::milliseconds retry_after{200};
  /// The pause before a charge that was to be asked later: twice as long each time, up to the second one. Who
  /// has a user locked is nearly always done within milliseconds.
  std::chrono::milliseconds first_pause{10};
  std::chrono::milliseconds longest_pause{1000};
  /// Charges, and likewise ends, in one batch: bounds the time that rows stay locked and answers take.
  std::size_t max_batch = 1000;

  static constexpr std::chrono::milliseconds least_outage_grace{250};
};

/// Holds the meters of all sessions of this node and their deadlines, and says what is to be done.
/// Deterministic: it has no thread, reads no clock and does no I/O, so that a simulator can drive it as well
/// as BillingThread does:
///
///   tell it what happened (start, end…), then advance(); then do what take_cuts(), take_charges() and
///   take_ends() say; come back with each answer as soon as there is one, at next_deadline(), or when
///   something else happens.
///
/// Connections are counted in the SessionTable by the workers and are looked up there at each deadline, as
/// they were at the deadline. While a batch of charges is under way the next one gathers; ends likewise,
/// beside them, so that no charge's answer waits for them. Not thread-safe.
class Biller {
 public:
  /// 64 random bits for each new session's id.
  using RandomSource = std::function<std::uint64_t()>;

  /// `table` outlives the biller.
  Biller(SessionTable& table, const Terms& terms, const BillerSettings& settings, RandomSource random);
  ~Biller();
  Biller(const Biller&) = delete;
  Biller& operator=(const Biller&) = delete;

  // -- what happened

  /// SessionTable::opened() said `first` at `at`: the session is metered from there and owes increment 1.
  void start(plugin::SessionHandle session, MonotonicTime at);
  /// Cuts a session, all sessions of a user, or all sessions. Unknown ones are no error.
  void end(SessionId session, EndReason why, const Moment& moment);
  void end_user(UserId user, EndReason why, const Moment& moment);
  void end_all(EndReason why, const Moment& moment);
  /// From each session's next charge on.
  void set_terms(const Terms& terms);
  void set_outage_grace(std::chrono::milliseconds outage_grace);
  /// Deals with every deadline up to `moment`.
  void advance(const Moment& moment);

  // -- the ledger

  /// What to charge now, at most one increment of each session; empty: nothing, or a batch is under way.
  std::vector<ChargeRequest> take_charges(const Moment& moment);
  /// The answer to the charges under way. With `unavailable`, or anything else that answers no single
  /// request, the same is asked again later.
  void on_charges(const LedgerResult<std::vector<ChargeResult>>& answer, const Moment& moment);
  /// The same for the sessions whose end is to be written. Not asked while charges find no ledger.
  std::vector<EndRequest> take_ends(const Moment& moment);
  void on_ends(const LedgerResult<std::vector<EndOutcome>>& answer, const Moment& moment);

  // -- what to do

  std::vector<Cut> take_cuts() { return std::exchange(cuts_, {}); }
  /// When to call advance(), take_charges() or take_ends() at the latest; MonotonicTime::max(): not by
  /// itself.
  MonotonicTime next_deadline() const;
  /// Sessions that are metered, or of whose end the ledger does not know yet.
  std::uint64_t unsettled() const;
  const MeteringCounters& counters() const noexcept { return counters_; }

 private:
  struct Deadline {
    MonotonicTime at;
    plugin::SessionHandle session;
    bool operator>(const Deadline& other) const { return at > other.at; }
  };

  /// A session that owes and has no charge under way.
  struct Due {
    plugin::SessionHandle session;
    unsigned tries = 0;  ///< of its next charge that were answered with `later`
  };
  struct PostponedEnd {
    EndRequest end;
    MonotonicTime at;
  };

  template <class Transition>
  void change(Session& session, const Moment& moment, Transition transition);
  void catch_up(Session& session, const Moment& moment);
  void schedule(Session& session);
  void stop_relaying(Session& session);
  void conclude(Session& session, const Moment& moment);
  void begin_metering(Session& session, MonotonicTime at);
  ChargeRequest request_for(Session& session, const Due& due, const Moment& moment) const;
  void apply(Session& session, const ChargeResult& result, const Moment& moment);
  void postpone(const Due& due, const Moment& moment);
  void bring_back_postponed(const Moment& moment);
  MonotonicTime next_charges() const;
  MonotonicTime next_ends() const;
  void note_latency(std::chrono::nanoseconds latency);

  SessionTable& table_;
  BillerSettings settings_;
  const RandomSource random_;
  std::deque<Terms> terms_;  // all that were ever in force, because meters point to theirs; the last one is

  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;
  std::deque<Due> due_;
  std::multimap<MonotonicTime, Due> postponed_;  // by when they are due again
  std::vector<Due> charges_under_way_;
  MonotonicTime charges_not_before_ = MonotonicTime::min();
  bool charges_find_no_ledger_ = false;

  std::deque<EndRequest> ends_;              // not yet sent
  std::deque<PostponedEnd> postponed_ends_;  // in the order in which they are due again
  std::vector<EndRequest> ends_under_way_;
  MonotonicTime ends_not_before_ = MonotonicTime::min();

  std::vector<Cut> cuts_;
  MeteringCounters counters_;
};

}  // namespace payg::billing
