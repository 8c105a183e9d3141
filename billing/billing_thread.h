#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "billing/biller.h"
#include "billing/ledger_health.h"
#include "billing/ledger_thread.h"
#include "billing/spool/spool.h"
#include "plugin/base/clock.h"

namespace payg::billing {

using SpoolThread = CallThread<Spool>;

/// Runs a Biller: the billing thread, which owns the meters and the deadlines, and beside it the ledger
/// thread on which nothing but charges and ends is done, one for those of them that stand in line, and one
/// that writes the spool. Thread-safe.
class BillingThread {
 public:
  /// Runs on the billing thread, in the order of the posts.
  using Task = std::function<void(Biller&, const Moment&)>;
  /// Closes a session's connections. Called on the billing thread; must not block.
  using CutHandler = std::function<void(const Cut&)>;

  struct Dependencies {
    Biller& biller;
    plugin::Host& host;  ///< its clock must be the machine's own: the thread sleeps by it
    LedgerHealth& health;
    LedgerFactory factory;
    std::unique_ptr<Spool> spool;
    CutHandler on_cut;
    /// The ledger sells this life of the node nothing any more. On the billing thread, once; must not block.
    std::function<void()> on_life_over;
  };

  /// Everything referred to outlives the thread.
  explicit BillingThread(Dependencies with);
  /// Calls stop().
  ~BillingThread();

  /// By whom everything that is posted later is charged. Before the first session; as post() otherwise.
  void begin(NodeRef node);
  /// Never blocks and never refuses: a start that was lost would be a session for nothing. What is posted is
  /// bounded by who posts: one begin(), one start for each stay in the table, one answer for each batch, one
  /// end_users() for each look that the keeper takes at what has changed, however many users that are, and
  /// for each change that an operator makes (both wait for the ledger before the next one), and one task for
  /// each live session that is said to be over, which is looked up before it is posted.
  void post(Task task);
  /// Cuts all sessions of these users, a portion of the users at a time, so that what falls due in between is
  /// not held up. As post() otherwise.
  void end_users(std::vector<UserId> users, EndReason why);

  /// These charges need not be kept in the spool any longer. As post() otherwise; bounded by what the spool
  /// held when it was opened.
  void settle_spooled(std::vector<ChargeKey> keys);

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
  void write_spool(const Moment& now);
  void try_spool(const Moment& now);
  void note_spool(const Result<Done, std::string>& written, MonotonicTime now);
  Moment moment() const { return {host_.clock().now(), host_.clock().wall_now()}; }

  Biller& biller_;
  plugin::Host& host_;
  LedgerHealth& health_;
  const CutHandler on_cut_;
  std::function<void()> on_life_over_;  // none: it was called

  // The billing thread's alone.
  NodeRef node_;
  bool has_cut_all_ = false;
  bool spool_is_broken_ = false;  // as the log has it
  MonotonicTime try_spool_at_ = MonotonicTime::max();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::vector<Task> tasks_;
  MeteringCounters counters_;
  std::optional<std::uint64_t> unsettled_;  // sessions, since all were cut
  bool stopping_ = false;

  LedgerThread ledger_, line_;
  SpoolThread spool_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace payg::billing
