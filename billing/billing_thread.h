#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "billing/biller.h"
#include "billing/ledger_health.h"
#include "billing/ledger_thread.h"
#include "plugin/base/clock.h"

namespace payg::billing {

/// Runs a Biller: the billing thread, which owns the meters and the deadlines, and beside it the ledger
/// thread on which nothing but charges and ends is done, and one for those of them that stand in line.
/// Thread-safe.
class BillingThread {
 public:
  /// Runs on the billing thread, in the order of the posts.
  using Task = std::function<void(Biller&, const Moment&)>;
  /// Closes a session's connections. Called on the billing thread; must not block.
  using CutHandler = std::function<void(const Cut&)>;

  /// Everything referred to outlives the thread. `clock` must be the machine's own: the thread sleeps by it.
  BillingThread(Biller& biller, const Clock& clock, LedgerHealth& health, LedgerFactory factory,
                std::string node, CutHandler on_cut);
  /// Calls stop().
  ~BillingThread();

  /// Never blocks and never refuses: a start that was lost would be a session for nothing. What is posted is
  /// bounded by who posts: one start for each stay in the table, one answer for each batch, one end_users()
  /// for each look that the keeper takes at what has changed, however many users that are, and for each
  /// change that an operator makes (both wait for the ledger before the next one), and one task for each live
  /// session that is said to be over, which is looked up before it is posted.
  void post(Task task);
  /// Cuts all sessions of these users, a portion of the users at a time, so that what falls due in between is
  /// not held up. As post() otherwise.
  void end_users(std::vector<UserId> users, EndReason why);

  /// Cuts every session that was started before the call, and waits until the ledger knows all that was used,
  /// or until `limit` has passed. Returns the number of sessions of whose end the ledger does not know: the
  /// node's next start settles them. nullopt: `limit` was too short even for cutting them. Called once.
  std::optional<std::uint64_t> drain(std::chrono::milliseconds limit);
  void stop();

  /// As of the last time it had something to do.
  MeteringCounters counters() const;

 private:
  void run();
  void wait_for_work(std::unique_lock<std::mutex>& lock, MonotonicTime deadline);
  void work_through(const std::vector<Task>& tasks);
  void send_what_is_due(Turn turn, const Moment& now);
  /// `ask` on the ledger thread of that turn, and `tell` the biller its answer.
  template <class Answer>
  void send(Turn turn, std::string_view what, std::function<Answer(Ledger&)> ask,
            void (Biller::*tell)(const Answer&, const Moment&, Turn));
  Moment moment() const { return {clock_.now(), clock_.wall_now()}; }

  Biller& biller_;
  const Clock& clock_;
  LedgerHealth& health_;
  const std::string node_;
  const CutHandler on_cut_;

  bool has_cut_all_ = false;  // the billing thread's alone

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::vector<Task> tasks_;
  MeteringCounters counters_;
  std::optional<std::uint64_t> unsettled_;  // sessions, since all were cut
  bool stopping_ = false;

  LedgerThread ledger_, line_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace payg::billing
