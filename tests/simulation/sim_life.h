#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "billing/core/lease_watch.h"
#include "billing/spool/spool_replay.h"
#include "tests/simulation/sim_node.h"

namespace payg::simulation {

/// All that a node knows, and loses when it is killed.
struct SimNode::Life {
  Life(NodeNumber node, const billing::Terms& terms, const billing::BillerSettings& settings,
       std::uint64_t seed)
      : table(many_sessions, seed), biller(table, terms, settings), watch(name_of(node)) {}

  static constexpr std::size_t many_sessions = 1'000'000;

  billing::SessionTable table;
  billing::Biller biller;
  State state = State::starting;

  // The billing thread.
  std::vector<Task> inbox;
  MonotonicTime wakes_at = MonotonicTime::max();
  /// A ledger thread: one call after the other.
  struct Lane {
    std::deque<std::function<void()>> waiting;
    bool is_busy = false;
  };
  Lane free, line;
  Lane& of(Turn turn) { return turn == Turn::if_free ? free : line; }
  /// Whether the last charge, and the last read, found a ledger; and since when the charge under way waits.
  bool charges_fail = false, reads_fail = false;
  MonotonicTime charging_since = MonotonicTime::max();
  std::vector<billing::ChargeResult> last_answer;  // for damage alone

  // The keeper.
  billing::NodeLife self{};  // as the ledger counts it
  bool is_prepared = false;
  std::chrono::nanoseconds pause{0};  // before the next look
  billing::LeaseWatch watch;
  std::string last_lost;  // whose sessions were ended last
  MonotonicTime watched_at{}, renewed_at{};
  std::size_t users_read = 0, ends_read = 0;
  std::vector<billing::SessionKey> left_open;
  std::optional<billing::SpoolReplay> replay;  // none: not read yet
  std::size_t charges_before = 0;              // that were left in it before the last portion
  Turn settle_turn = Turn::if_free;
  MonotonicTime usage_posted_at{};

  // The workers.
  std::unordered_map<plugin::ConnectionId, Connection> connections;
  std::unordered_map<plugin::SessionHandle, std::vector<plugin::ConnectionId>> stays;
  std::unordered_map<plugin::SessionHandle, UserId> users;  // of all stays that ever were
};

}  // namespace payg::simulation
