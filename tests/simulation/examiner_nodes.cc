// Nodes that come and go, and what the others do about it, judged by the examiner's own books.

#include <algorithm>

#include "tests/simulation/examiner.h"

namespace payg::simulation {
namespace {

using namespace std::chrono_literals;
using billing::SessionId;

// Longer than the others take to notice that a lease ran out, and to end what was under it.
constexpr auto taking_over = 10s;
// A node knows once a second that it is awake, as long as it has sessions.
constexpr auto looks_apart = 1100ms;

}  // namespace

// ---- nodes

void Examiner::node_started(NodeNumber node, MonotonicTime at) {
  journal_.note({.at = at, .what = "node starts", .node = node});
  ++nodes_[index(node)].life;
  nodes_[index(node)].is_up = true;
}

void Examiner::node_gone(NodeNumber node, MonotonicTime at) {
  journal_.note({.at = at, .what = "node is gone", .node = node});
  NodeBook& book = nodes_[index(node)];
  for (Stay& stay : stays_) {
    const bool is_its = !stay.is_free && stay.name.node == node && stay.name.life == book.life;
    if (!is_its || stay.changes.empty()) continue;
    check_overrun(stay, at);
    if (stay.open > 0) note_change(stay, 0, at);
    stay.told_at = std::min(stay.told_at, at);
  }
  book = {.life = book.life, .slept_at = book.slept_at, .signs = book.signs};
}

void Examiner::node_paused(NodeNumber node, MonotonicTime at) {
  nodes_[index(node)].paused = true;
  nodes_[index(node)].paused_at = at;
}

void Examiner::node_continued(NodeNumber node, MonotonicTime at) {
  journal_.note({.at = at, .what = "node continues", .node = node});
  NodeBook& book = nodes_[index(node)];
  book.paused = false;
  book.continued_at = at;
  if (at - book.paused_at + looks_apart <= book.lease) return;
  book.slept_surely = at - book.paused_at > book.lease;
  book.fell_asleep_at = book.paused_at;
  book.slept_at = at;
}

void Examiner::disturbed(NodeNumber node, MonotonicTime until) {
  NodeBook& book = nodes_[index(node)];
  book.disturbed_until = std::max(book.disturbed_until, until);
}

void Examiner::disturbed(UserId user, MonotonicTime until) {
  UserBook& book = book_of(user);
  book.disturbed_until = std::max(book.disturbed_until, until);
}

void Examiner::terms_changed(const billing::Terms& terms, MonotonicTime at) {
  journal_.note({.at = at, .what = "new terms", .amount = terms.price, .time = terms.increment});
  terms_.back().until = at;
  terms_.push_back({terms, at, MonotonicTime(std::chrono::hours(1'000'000))});
  dearest_ = std::max(dearest_, terms.rate.thousandths());
}

// ---- leases

void Examiner::life_began(NodeNumber node, billing::NodeLife life, MonotonicTime at) {
  journal_.note({.at = at, .what = "a life begins", .node = node, .number = life.value});
  nodes_[index(node)].signs.life = life;
  lease_renewed(node, at);
}

void Examiner::lease_renewed(NodeNumber node, MonotonicTime at) {
  NodeBook& book = nodes_[index(node)];
  book.signs.beat_at = at;
  book.signs.lease = book.lease;
}

void Examiner::taken_over(SessionId id, NodeNumber lost, MonotonicTime at) {
  journal_.note({.at = at, .what = "taken over from", .node = lost, .session = id});
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  SessionBook& session = sessions_[found->second];
  session.was_taken_over = true;
  book_of(session.user).taken_from = lost;
  const NodeBook& node = nodes_[index(lost)];
  if (at < node.signs.beat_at + node.signs.lease)
    report(Law::lost_nodes, at, session.user, id,
           "ended for a node whose lease was renewed at " + show_time(node.signs.beat_at));
  check_relays_no_more(session, node, at);
}

/// Nothing is ended by others while its own node may relay on it: see billing/core/node_lease.h.
void Examiner::check_relays_no_more(const SessionBook& session, const NodeBook& node, MonotonicTime at) {
  const Stay* stay = stay_of(session);
  const bool is_there = stay && stay->open > 0 && node.is_up && node.life == session.life &&
                        stay->told_at == MonotonicTime::max() && stay->session &&
                        sessions_[*stay->session].id == session.id;
  if (!is_there || stay->relay_until->load(std::memory_order_relaxed) <= at) return;
  // What was bought so long after the last beat is more than the lease has room for.
  const bool was_out_of_luck = session.committed_at > node.signs.beat_at + scenario_.lease_slack;
  if (!was_out_of_luck)
    report(Law::lost_nodes, at, session.user, session.id, "ended by another node while its own relays on it");
}

/// Whether one of the others was there all along and found the ledger.
bool Examiner::has_watcher(NodeNumber lost, MonotonicTime since) const {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const NodeBook& other = nodes_[i];
    const bool watches = i != index(lost) && other.is_up && !other.paused && !other.drains &&
                         std::max(other.disturbed_until, other.continued_at) <= since;
    if (watches) return true;
  }
  return false;
}

/// A node that was silent for its lease, and for as long as it takes to see that, has no open session.
void Examiner::check_lost(NodeNumber number, MonotonicTime at) {
  const NodeBook::Signs& signs = nodes_[index(number)].signs;
  const MonotonicTime since = at - signs.lease - taking_over;
  if (signs.open_sessions == 0 || signs.beat_at > since || !has_watcher(number, since)) return;
  for (const UserBook& user : users_) {
    for (const std::uint32_t place : user.sessions) {
      const SessionBook& session = sessions_[place];
      // A charge that was long on its way is seen when the lease has run out once more.
      const bool is_left = session.node == number && session.ended_at == MonotonicTime::max() &&
                           session.committed_at <= since && user.disturbed_until + taking_over <= at;
      if (is_left)
        report(Law::lost_nodes, at, session.user, session.id,
               "is open, and its node was last heard of at " + show_time(signs.beat_at));
    }
  }
}

}  // namespace payg::simulation
