#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "billing/ledger/ledger.h"
#include "billing/ledger_health.h"
#include "config/billing_config.h"
#include "plugin/api/plugin.h"
#include "plugin/base/clock.h"

namespace payg::billing {

/// Keeps this node in step with the ledger, on a thread with a ledger of its own. First it brings the schema
/// up to date, announces the node, settles what an earlier life of it left and makes the demo user, trying
/// for as long as the ledger is away. Then, once a second, it asks what others have changed: users, and
/// sessions of this node that ended elsewhere; and it posts usage well within the hour.
class NodeKeeper {
 public:
  /// Called on the keeper's thread; must not block.
  struct Listener {
    std::function<void()> on_ready;
    /// Once for each change; all that one look found, which may be any number.
    std::function<void(const std::vector<User>&)> on_users_changed;
    /// Said again for a while after each change, and once when that while is over: somebody else may have
    /// read the user just before it, and remembered him just after.
    std::function<void(const User&)> on_user_confirmed;
    std::function<void(SessionId)> on_session_ended;  ///< also for those that this node ended itself
  };

  struct Settings {
    std::string node;
    std::optional<config::DemoConfig> demo;
  };

  /// Everything referred to outlives the keeper.
  NodeKeeper(LedgerFactory factory, Settings settings, LedgerHealth& health, plugin::Host& host,
             Listener listener);
  /// Calls stop().
  ~NodeKeeper();

  /// Called once.
  void start();

  enum class Progress {
    trying,  ///< the ledger has not answered yet
    ready,
    failed,  ///< it answered with something that trying again does not mend
  };
  /// Waits until the first attempt is over, or `limit` has passed.
  Progress wait(std::chrono::milliseconds limit);
  /// One line. REQUIRES: failed.
  std::string failure() const;

  void stop();

 private:
  enum class Tick { go_on, stop };

  void run();
  bool prepare(Ledger& ledger);
  LedgerResult<Done> prepare_step_by_step(Ledger& ledger);
  LedgerResult<Done> end_left_open(Ledger& ledger);
  LedgerResult<Done> stand_in_line(Ledger& ledger);
  LedgerResult<Done> end_portion_of(std::span<const LeftOpen> portion, Turn turn, Ledger& ledger);
  LedgerResult<Done> provide_demo_user(Ledger& ledger);
  void keep(Ledger& ledger);
  /// False: the ledger gave no answer.
  bool look_for_changed_users(Ledger& ledger);
  void confirm_recent_changes();
  void look_for_ended_sessions(Ledger& ledger);
  void post_usage(Ledger& ledger);
  void set_progress(Progress progress, std::string failure);
  Tick pause(std::chrono::milliseconds time);

  const LedgerFactory factory_;
  const Settings settings_;
  LedgerHealth& health_;
  plugin::Host& host_;
  const Listener listener_;

  // The keeper's thread alone.
  std::vector<LeftOpen> left_open_;  // of an earlier life of the node, and not ended yet
  ChangeMark mark_;
  struct Recent {
    User user;
    MonotonicTime until;
  };
  std::unordered_map<UserId, Recent> recently_changed_;
  WallTime sessions_read_at_;
  MonotonicTime usage_posted_at_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  Progress progress_ = Progress::trying;
  std::string failure_;
  unsigned attempts_ = 0;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace payg::billing
