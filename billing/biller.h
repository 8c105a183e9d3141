#pragma once

#include <algorithm>
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
#include "billing/core/node_lease.h"
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
  /// How long this node may be away (stopped, or on a machine that was suspended) before what it meters is
  /// taken to have been ended by others.
  std::optional<std::chrono::milliseconds> lease{};  ///< nullopt: for ever
  /// How often a node that meters anything looks at the clock at least, so that it knows how long it was
  /// away.
  std::chrono::milliseconds awake_interval{1000};
  /// The pause after a batch that found no ledger: twice as long each time, up to the second one.
  std::chrono::milliseconds retry_after{200};
  std::chrono::milliseconds longest_retry{2000};
  /// The pause before what was to be asked later: twice as long each time, up to the second one. Who
  /// has a user locked is nearly always done within milliseconds.
  std::chrono::milliseconds first_pause{10};
  std::chrono::milliseconds longest_pause{1000};
  /// An increment that has had no answer for so long is written to the spool. Longer than an answer takes on
  /// a ledger that works, so that nothing is written while all is well.
  std::chrono::milliseconds record_after{250};
  /// So long it is relayed on while it is neither paid nor in the spool.
  std::chrono::milliseconds unrecorded_limit{1000};
  /// When writing has taken so long, whoever is held for it is cut: a disk that hangs for a moment is no
  /// reason to, but nobody goes on paying while nothing of his is relayed.
  std::chrono::milliseconds longest_hold{10'000};
  /// The pause after the spool could not be written.
  std::chrono::milliseconds record_again_after{250};
  /// How late the biller may deal with a deadline, before the relay stops by itself: I5 allows 250 ms.
  std::chrono::milliseconds deadline_slack{200};
  /// Charges, and likewise ends, in one batch: bounds the time that rows stay locked and answers take.
  std::size_t max_batch = 1000;
  /// Sessions whose charges are written to the spool at once.
  std::size_t max_records = 10'000;

  /// Live sessions that a user may have on all nodes together; 0: any number.
  std::uint32_t session_limit = 0;

  static constexpr std::chrono::milliseconds least_outage_grace{250};
};

/// Holds the meters of all sessions of this node and their deadlines, and says what is to be done.
/// Deterministic: it has no thread, reads no clock and does no I/O, so that a simulator can drive it as well
/// as BillingThread does:
///
///   wake() it, tell it what happened (start, end…), then advance(); then do what take_cuts(),
///   take_charges(), take_ends(), take_unrecorded() and take_settled() say; come back with each answer as
///   soon as there is one, at next_deadline(), or when something else happens.
///
/// It says for each session until when its bytes may be relayed (SessionTraffic::relay_until), so that a node
/// on which this comes too late, or not at all, gives nothing away: until the end of what is paid or in the
/// spool, and for a moment beyond it in which the next increment is bought.
///
/// Connections are counted in the SessionTable by the workers and are looked up there at each deadline, as
/// they were at the deadline. While a batch of charges is under way the next one gathers; ends likewise,
/// beside them, so that no charge's answer waits for them. Not thread-safe.
class Biller {
 public:
  /// `table` outlives the biller.
  Biller(SessionTable& table, const Terms& terms, const BillerSettings& settings);
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
  /// No longer than the lease allows: see core/node_lease.h.
  void set_outage_grace(std::chrono::milliseconds outage_grace) { settings_.outage_grace = outage_grace; }
  /// As the ledger knows it.
  void set_lease(std::chrono::milliseconds lease) { settings_.lease = lease; }
  /// To be told before anything else, whenever there is something to do. When more than a lease has passed
  /// since the last time, this node slept, and what it metered is over: nothing of it is asked for, or
  /// relayed, any more.
  void wake(const Moment& moment);
  void set_session_limit(std::uint32_t limit) noexcept { settings_.session_limit = limit; }
  /// Deals with every deadline up to `moment`.
  void advance(const Moment& moment);

  // -- the ledger

  // Two of each may be under way at a time: a batch of all that is due, and one that stands in line, because
  // its user was never found free. It waits where it holds up nobody else.

  /// What to charge now, at most one increment of each session; empty: nothing, or some are under way.
  std::vector<ChargeRequest> take_charges(const Moment& moment, Turn turn = Turn::if_free);
  /// The answer to the charges under way. With `unavailable`, or anything else that answers no single
  /// request, the same is asked again later. With life_is_over this is the node no more: all is cut, and
  /// what is owed stays so, for whoever starts with this node's spool.
  void on_charges(const LedgerResult<std::vector<ChargeResult>>& answer, const Moment& moment,
                  Turn turn = Turn::if_free);
  bool life_is_over() const noexcept { return life_is_over_; }
  /// The same for the sessions whose end is to be written. Not asked while charges find no ledger.
  std::vector<EndRequest> take_ends(const Moment& moment, Turn turn = Turn::if_free);
  void on_ends(const LedgerResult<std::vector<EndResult>>& answer, const Moment& moment,
               Turn turn = Turn::if_free);

  // -- the spool: what keeps charges that the ledger does not answer, should this process not live to see it

  /// Charges to be written now; empty: none, or some are being written.
  std::vector<ChargeRequest> take_unrecorded(const Moment& moment);
  /// What came of it. What could not be written is tried again, and when an increment is neither paid nor
  /// kept for unrecorded_limit its session is cut as unavailable. No answer holds the sessions that wait for
  /// it, for longest_hold.
  enum class Recorded { safe, lost };
  void on_recorded(Recorded outcome, const Moment& moment);
  /// Writing takes longer than longest_hold.
  bool recording_hangs() const noexcept { return recording_hangs_; }
  /// Charges that were written and need not be kept any longer. They are to be taken out before what
  /// take_unrecorded() gives is written: a number may be owed again.
  std::vector<ChargeKey> take_settled() { return std::exchange(settled_, {}); }

  // -- what to do

  std::vector<Cut> take_cuts() { return std::exchange(cuts_, {}); }
  /// When to call advance(), take_charges(), take_ends() or take_unrecorded() at the latest;
  /// MonotonicTime::max(): not by itself.
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
  struct DueEnd {
    EndRequest end;
    unsigned tries = 0;  ///< that were answered with `later`
  };
  /// What goes to the ledger in one call after the other.
  template <class Item>
  struct Lane {
    std::deque<Item> waiting;
    std::vector<Item> under_way;
    MonotonicTime not_before = MonotonicTime::min();
    unsigned failures = 0;  ///< in a row

    std::size_t size() const { return waiting.size() + under_way.size(); }
    MonotonicTime next() const {
      return under_way.empty() && !waiting.empty() ? not_before : MonotonicTime::max();
    }
  };
  /// A lane for each turn, and who was to be asked later, by when he is due again.
  template <class Item>
  struct Lanes {
    Lane<Item> free, line;
    std::multimap<MonotonicTime, Item> postponed;

    /// What got no answer: the batch is asked again from `at` on, and who stood in line with a batch, where a
    /// failure is noticed.
    void take_back(std::vector<Item> asked, Turn turn, MonotonicTime at) {
      if (turn == Turn::if_free) {
        free.not_before = at;
        ++free.failures;
      }
      free.waiting.insert(turn == Turn::if_free ? free.waiting.begin() : free.waiting.end(), asked.begin(),
                          asked.end());
    }
    Lane<Item>& of(Turn turn) { return turn == Turn::if_free ? free : line; }
    std::size_t size() const { return free.size() + line.size() + postponed.size(); }
    MonotonicTime next() const {
      const MonotonicTime back = postponed.empty() ? MonotonicTime::max() : postponed.begin()->first;
      return std::min({free.next(), line.next(), back});
    }
  };

  /// A session that began to owe at `at`.
  struct Unrecorded {
    MonotonicTime at;
    plugin::SessionHandle session;
  };
  /// Charges `first` to `last` of a session.
  struct Recording {
    plugin::SessionHandle handle;
    UserId user;
    SessionId session;
    std::uint32_t first = 1, last = 0;
  };

  template <class Transition>
  void change(Session& session, const Moment& moment, Transition transition);
  void catch_up(Session& session, const Moment& moment);
  void schedule(Session& session);
  void stop_relaying(Session& session);
  void conclude(Session& session, const Moment& moment);
  void begin_metering(Session& session, MonotonicTime at);
  void owes_more(const Session& session);
  std::uint32_t first_unrecorded(const Session& session) const;
  void permit(Session& session) const;
  /// The one in force.
  std::chrono::milliseconds outage_grace() const;
  Recording recorded_and_owed(const Session& session) const;
  void settle(const Recording& before, Session& session);
  void keep(const Recording& written);
  void lose_what_is_live(const Moment& moment);
  void give_up_on_spool(const Moment& moment);
  void give_up_if_too_late(plugin::SessionHandle handle, const Moment& moment);
  ChargeRequest request_for(const Session& session, std::uint32_t number, const Moment& moment) const;
  void apply(Session& session, const ChargeResult& result, const Moment& moment);
  template <class Item>
  void postpone(Lanes<Item>& lanes, Item item, const Moment& moment);
  template <class Item>
  void bring_back_postponed(Lanes<Item>& lanes, const Moment& moment);
  std::chrono::nanoseconds pause_after_failure(unsigned failures) const;
  MonotonicTime next_recording() const;
  MonotonicTime next_sign_of_being_awake() const;
  std::size_t most_at_once(Turn turn) const { return turn == Turn::if_free ? settings_.max_batch : 1; }
  /// Ends would let us wait for the same silent ledger twice.
  bool charges_are_tried_first() const { return charges_find_no_ledger_ && charges_.size() > 0; }
  void note_latency(std::chrono::nanoseconds latency);

  SessionTable& table_;
  BillerSettings settings_;
  std::deque<Terms> terms_;  // all that were ever in force, because meters point to theirs; the last one is
  std::chrono::milliseconds longest_increment_{0};  // of those: what was sold may still be running

  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;
  Lanes<Due> charges_;
  Lanes<DueEnd> ends_;
  bool charges_find_no_ledger_ = false;
  bool life_is_over_ = false;

  std::deque<Unrecorded> unrecorded_;
  std::vector<Recording> recording_;  // being written
  MonotonicTime judge_recording_at_ = MonotonicTime::max();
  bool recording_hangs_ = false;
  MonotonicTime record_not_before_ = MonotonicTime::min();
  std::vector<ChargeKey> settled_;

  std::optional<MonotonicTime> awake_at_;
  std::vector<Cut> cuts_;
  MeteringCounters counters_;
};

}  // namespace payg::billing
