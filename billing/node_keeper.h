#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "billing/core/lease_watch.h"
#include "billing/earlier_life.h"
#include "billing/ledger/ledger.h"
#include "billing/ledger_health.h"
#include "config/billing_config.h"
#include "plugin/api/plugin.h"
#include "plugin/base/clock.h"

namespace payg::billing {

/// Keeps this node in step with the ledger, on a thread with a ledger of its own. First it brings the schema
/// up to date, announces the node, settles what an earlier life of it left and makes the demo user, trying
/// for as long as the ledger is away. Then, several times a second, it asks what others have changed: users,
/// and sessions of this node that were ended elsewhere; it renews the node's lease, ends the sessions of
/// other nodes whose leases ran out, and posts usage well within the hour. Whatever may be much of it does in
/// portions, one at a look, or with the lease renewed in between: nothing makes the node look dead.
///
/// Two processes by one node name: whoever started last is the node. The other one learns of it at its next
/// look, says so in the log, and is out of service from then on, until it is started again under a name of
/// its own: it never takes the name back, so that two of them under supervision do not fight over it. The
/// books are right meanwhile, since each of its sessions was ended by the newer one, or is by itself, and
/// the ledger sells it nothing from the newer one's start on.
class NodeKeeper {
 public:
  /// Called on the keeper's thread; must not block.
  struct Listener {
    /// From now on, and not before, there may be sessions; they are charged by this life of the node.
    std::function<void(const NodeRef&)> on_ready;
    /// Once for each change; all that one look found, which may be any number.
    std::function<void(const std::vector<User>&)> on_users_changed;
    /// What users have listed, up to a mark of ChangeMark::users. Once before on_ready with all that is
    /// there, then for each user that was changed.
    std::function<void(const std::vector<NetworkList>&, std::int64_t upto)> on_networks_read;
    /// What a user has listed, with what was asked for by confirm_network().
    std::function<void(const NetworkList&)> on_network_confirmed;
    /// Said again each second for a while after each change, and once when that while is over: somebody else
    /// may have read the user just before it, and remembered him just after.
    std::function<void(const User&)> on_user_confirmed;
    std::function<void(SessionId)> on_session_ended;  ///< by somebody else
    /// Charges of an earlier life that need not be kept in the spool any longer.
    std::function<void(std::vector<ChargeKey>)> on_spool_settled;
    /// The ledger knows the longer lease that was set: from now on the others wait for so long.
    std::function<void(std::chrono::milliseconds)> on_lease_extended;
    /// Another process has started by this node's name: nothing is sold here any more. The last call, also
    /// when it was not ready yet.
    std::function<void()> on_superseded;
  };

  struct Settings {
    std::string node;
    std::chrono::milliseconds lease{0};  ///< see billing/core/node_lease.h
    std::optional<config::DemoConfig> demo;
    std::vector<ChargeRequest> spooled;  ///< what an earlier life has left in its spool, as Spool::charges()
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

  /// From the next renewal on, when it is longer than it was: what was bought under the longer lease may
  /// still be running when the settings ask for a shorter one. Returns the one that will be in force. One
  /// thread.
  std::chrono::milliseconds set_lease(std::chrono::milliseconds lease) noexcept;

  /// Writes, with the next look, that this user has been there; or forgets it, when too much is to be written
  /// already: NetworkIndex tells of it again. Any thread; never blocks.
  void confirm_network(UserId user, const Cidr& network);

  void stop();

 private:
  enum class Tick { go_on, stop };
  enum class Life { goes_on, is_over };
  enum class Prepared { ready, not_yet, life_is_over };

  void run();
  Prepared prepare(Ledger& ledger);
  LedgerResult<Life> prepare_step_by_step(Ledger& ledger);
  LedgerResult<Life> begin_life(Ledger& ledger);
  void lease_is_known(std::chrono::milliseconds lease, MonotonicTime now);
  LedgerResult<Life> settle_earlier_life(Ledger& ledger);
  LedgerResult<EarlierLife::Left> settle_portion(Ledger& ledger);
  LedgerResult<Done> provide_demo_user(Ledger& ledger);
  Life keep(Ledger& ledger);
  /// nullopt: the ledger gave no answer.
  std::optional<Changes> look(Ledger& ledger);
  void tell_changes(const Changes& changes);
  void confirm_recent_changes();
  void confirm_networks(Ledger& ledger);
  void note_not_confirmed(const std::pair<UserId, Cidr>& asked, const LedgerError& why);
  bool has_new_life(const Changes& changes) const;
  Life renew_lease(Ledger& ledger);
  void end_sessions_of_a_lost_node(Ledger& ledger);
  Life settle_what_is_left(Ledger& ledger);
  void post_usage(Ledger& ledger);
  void step_down();
  /// A failure that comes again at every look is said once, until it is another one or has passed.
  template <class T>
  void report(const std::string& what, const LedgerResult<T>& result);
  void set_progress(Progress progress, std::string failure);
  Tick pause(std::chrono::milliseconds time);
  bool is_stopping() const;

  const LedgerFactory factory_;
  Settings settings_;
  LedgerHealth& health_;
  plugin::Host& host_;
  const Listener listener_;

  // The keeper's thread alone.
  NodeRef self_;
  EarlierLife earlier_life_;
  ChangeMark mark_;
  LeaseWatch watch_;
  MonotonicTime renewed_at_{};
  std::chrono::milliseconds known_lease_;            // to the ledger, once it knows one
  std::string last_lost_;                            // whose sessions were ended last
  std::chrono::milliseconds pause_;                  // before the next look
  std::map<std::string, std::string> failing_;       // what does, and what the log has said of it
  std::set<std::pair<UserId, Cidr>> not_confirmed_;  // that the log has told of
  struct Recent {
    User user;
    MonotonicTime until;
  };
  std::unordered_map<UserId, Recent> recently_changed_;
  MonotonicTime confirmed_at_{};
  MonotonicTime usage_posted_at_;

  std::atomic<std::chrono::milliseconds> lease_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  Progress progress_ = Progress::trying;
  std::string failure_;
  unsigned attempts_ = 0;
  bool stopping_ = false;
  std::deque<std::pair<UserId, Cidr>> to_confirm_;

  std::thread thread_;
};

}  // namespace payg::billing
