#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
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

/// What is to be asked of the ledger in one go: first the charges, then the ends.
struct LedgerBatch {
  std::vector<ChargeRequest> charges;  ///< at most one for each session
  std::vector<EndRequest> ends;
};

/// The ledger's answers. An empty part of the batch is answered with ok.
struct LedgerBatchAnswer {
  LedgerResult<std::vector<ChargeResult>> charges;
  LedgerResult<Done> ends;
};

/// A session whose connections are to be closed now.
struct Cut {
  plugin::SessionHandle session;
  EndReason why = EndReason::idle;
};

struct BillerSettings {
  /// Rule 7. At least least_outage_grace, which an ordinary answer may take as well.
  std::chrono::milliseconds outage_grace{std::chrono::minutes(5)};
  /// The pause after a batch that found no ledger.
  std::chrono::milliseconds retry_after{200};
  /// Charges, and likewise ends, in one batch: bounds the time that rows stay locked and answers take.
  std::size_t max_batch = 1000;

  static constexpr std::chrono::milliseconds least_outage_grace{250};
};

/// Holds the meters of all sessions of this node and their deadlines, and says what is to be done.
/// Deterministic: it has no thread, reads no clock and does no I/O, so that a simulator can drive it as well
/// as BillingThread does:
///
///   tell it what happened (start, end…), then advance(); then do what take_cuts() and take_batch() say; come
///   back with the batch's answer, at next_deadline(), or when something else happens.
///
/// Connections are counted in the SessionTable by the workers and are looked up there at each deadline, as
/// they were at the deadline. While a batch is under way the next one gathers. Not thread-safe.
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

  /// What to ask now; nullopt: nothing, or a batch is under way.
  std::optional<LedgerBatch> take_batch(const Moment& moment);
  /// The answer to the batch under way. With `unavailable`, or anything else that answers no single request,
  /// the same is asked again later.
  void on_answer(const LedgerBatchAnswer& answer, const Moment& moment);

  // -- what to do

  std::vector<Cut> take_cuts() { return std::exchange(cuts_, {}); }
  /// When to call advance() or take_batch() at the latest; MonotonicTime::max(): not by itself.
  MonotonicTime next_deadline() const;
  /// No session is metered, and nothing is left to tell the ledger.
  bool is_settled() const;
  const MeteringCounters& counters() const noexcept { return counters_; }

 private:
  struct Deadline {
    MonotonicTime at;
    plugin::SessionHandle session;
    bool operator>(const Deadline& other) const { return at > other.at; }
  };

  template <class Transition>
  void change(Session& session, const Moment& moment, Transition transition);
  void catch_up(Session& session, const Moment& moment);
  void schedule(Session& session);
  void stop_relaying(Session& session);
  void conclude(Session& session, const Moment& moment);
  void begin_metering(Session& session, MonotonicTime at);
  ChargeRequest request_for(Session& session, const Moment& moment) const;
  void apply(Session& session, const ChargeResult& result, const Moment& moment);
  void on_charges(const LedgerResult<std::vector<ChargeResult>>& answer, const Moment& moment);
  void on_ends(const LedgerResult<Done>& answer, const Moment& moment);
  void ask_again(const Moment& moment);
  void note_latency(std::chrono::nanoseconds latency);

  SessionTable& table_;
  BillerSettings settings_;
  const RandomSource random_;
  std::deque<Terms> terms_;  // all that were ever in force, because meters point to theirs; the last one is

  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;
  std::deque<plugin::SessionHandle> due_;  // sessions that owe and have no charge under way
  std::deque<EndRequest> ends_;            // not yet sent
  std::vector<plugin::SessionHandle> charges_under_way_;
  std::vector<EndRequest> ends_under_way_;
  bool batch_is_under_way_ = false;
  MonotonicTime not_before_ = MonotonicTime::min();  // of the next batch

  std::vector<Cut> cuts_;
  MeteringCounters counters_;
};

}  // namespace payg::billing
