#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "billing/ledger/ledger.h"
#include "tests/simulation/examiner.h"

namespace payg::simulation {

/// How far a node's wall clock is ahead of the right time.
using WallError = std::chrono::milliseconds;

/// Whoever asks the ledger for something.
struct Sender {
  NodeNumber node{};
  WallError error{0};
  billing::NodeLife life{};  ///< of his node, where that matters
};

/// The simulated ledger's rows, and what a transaction does to them at its COMMIT: what
/// billing/ledger/ledger.h says, in memory. Everything that is committed is shown to the examiner. Deliberate
/// damage is done here.
class SimTables {
 public:
  SimTables(const Scenario& scenario, Examiner& examiner);

  // -- nodes
  billing::NodeStart start_node(NodeNumber node, std::chrono::milliseconds lease, MonotonicTime at);
  /// False: that life of the node is over.
  bool renew_lease(NodeNumber node, billing::NodeLife life, std::chrono::milliseconds lease,
                   MonotonicTime at);
  /// Nothing is sold to it then.
  bool is_life_over(const Sender& sender) const;
  std::vector<billing::NodeSign> signs() const;
  /// Whether all nodes have renewed their leases lately, so that it tells nobody anything to look again.
  bool are_all_fresh(MonotonicTime at) const;
  /// Who has sessions there.
  std::vector<UserId> users_on(NodeNumber node) const;
  using IsFree = std::function<bool(UserId)>;
  /// Of those whose users are free for whoever asks, in one portion.
  billing::LostPortion end_lost_sessions(const billing::NodeSign& last_sign, const Sender& taker,
                                         const IsFree& is_free, MonotonicTime at);

  // -- metering
  billing::ChargeResult charge(const Sender& sender, const billing::ChargeRequest& request,
                               std::optional<billing::Credits> balance_seen, MonotonicTime at);
  void end(const billing::EndRequest& request, WallError error, MonotonicTime at);
  void post_usage(NodeNumber node, MonotonicTime older_than, MonotonicTime at);
  /// False: it would leave less than nothing.
  bool credit(UserId user, billing::Credits amount, std::uint64_t reference, MonotonicTime at);
  void set_state(UserId user, billing::UserState state, MonotonicTime at);

  billing::Standing standing(UserId user, MonotonicTime at);
  billing::Credits balance(UserId user) const { return users_[user.value].balance; }
  billing::UserState state(UserId user) const { return users_[user.value].state; }
  /// A live session of the user; 0: he has none.
  billing::SessionId any_live(UserId user) const;
  std::optional<NodeNumber> node_of(billing::SessionId session) const;

  /// Logs that keepers read on from where they were; of the ends, what others than the session's node did.
  const std::vector<UserId>& changed_users() const { return changed_users_; }
  const std::vector<billing::SessionId>& ended_on(NodeNumber node) const {
    return ended_[static_cast<std::size_t>(node)];
  }

 private:
  struct UserRow {
    billing::Credits balance;
    billing::UserState state = billing::UserState::active;
    std::optional<WallTime> last_end;
    std::vector<billing::SessionId> live;
  };
  struct NodeRow {
    billing::NodeSign sign;
    MonotonicTime renewed_at;
  };
  struct SessionRow {
    UserId user;
    NodeNumber node{};
    std::uint32_t number = 0;
    billing::Purchase last;
    billing::Credits charged, posted;
    MonotonicTime last_posted_at;
    bool is_live = true;
  };

  bool has_room(NodeNumber node, const UserRow& user, const billing::ChargeRequest& request) const;
  std::int64_t counted_sessions(const UserRow& user, std::optional<NodeNumber> asking) const;
  billing::Purchase buy(const billing::ChargeRequest& request, billing::Credits balance) const;
  billing::Credits take(UserRow& user, billing::Credits balance, billing::Credits amount) const;
  std::vector<billing::SessionKey> left_open(NodeNumber node) const;
  static std::size_t index(NodeNumber node) { return static_cast<std::size_t>(node); }
  bool has(Sabotage sabotage) const { return scenario_.sabotage == sabotage; }
  void post(billing::SessionId id, SessionRow& row, MonotonicTime at);

  const Scenario& scenario_;
  Examiner& examiner_;
  std::vector<NodeRow> nodes_;  // by number; those that never started have no life
  std::vector<UserRow> users_;  // by number
  std::unordered_map<billing::SessionId, SessionRow> sessions_;
  std::unordered_set<std::uint64_t> references_;
  std::vector<UserId> changed_users_;
  std::vector<std::vector<billing::SessionId>> ended_;  // by node
  std::vector<std::vector<billing::SessionId>> live_;   // by node; those that ended are swept when it is read
};

}  // namespace payg::simulation
