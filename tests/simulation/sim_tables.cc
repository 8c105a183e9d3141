#include "tests/simulation/sim_tables.h"

#include <algorithm>

#include "tests/simulation/scheduler.h"

namespace payg::simulation {
namespace {

using billing::ChargeRequest;
using billing::ChargeResult;
using billing::Credits;
using billing::Purchase;
using billing::SessionId;
using billing::UserState;
using Outcome = billing::ChargeResult::Outcome;

ChargeResult fenced() {
  return {.outcome = Outcome::fenced, .amount = {}, .balance = {}};
}

ChargeResult answer(const Purchase& bought, Credits balance) {
  const Outcome outcome = bought.grant.count() > 0 ? Outcome::granted : Outcome::exhausted;
  return {.outcome = outcome, .amount = bought.amount, .grant = bought.grant, .balance = balance};
}

}  // namespace

SimTables::SimTables(const Scenario& scenario, Examiner& examiner)
    : scenario_(scenario),
      examiner_(examiner),
      nodes_(scenario.nodes),
      ended_(scenario.nodes),
      live_(scenario.nodes) {
  std::uint64_t last = 0;
  for (const UserId user : scenario.users) last = std::max(last, user.value);
  users_.resize(last + 1);
}

// ---- nodes

billing::NodeStart SimTables::start_node(NodeNumber node, std::chrono::milliseconds lease, MonotonicTime at) {
  NodeRow& row = nodes_[index(node)];
  row.sign = {name_of(node), billing::NodeLife{row.sign.life.value + 1}, row.sign.beat + 1, lease};
  row.renewed_at = at;
  examiner_.life_began(node, row.sign.life, at);
  return {.life = row.sign.life, .left_open = left_open(node)};
}

bool SimTables::renew_lease(NodeNumber node, billing::NodeLife life, std::chrono::milliseconds lease,
                            MonotonicTime at) {
  NodeRow& row = nodes_[index(node)];
  if (row.sign.life != life) return false;
  ++row.sign.beat;
  row.sign.lease = lease;
  row.renewed_at = at;
  examiner_.lease_renewed(node, at);
  return true;
}

bool SimTables::is_life_over(const Sender& sender) const {
  return nodes_[index(sender.node)].sign.life != sender.life && !has(Sabotage::charge_in_any_life);
}

std::vector<billing::NodeSign> SimTables::signs() const {
  std::vector<billing::NodeSign> signs;
  for (const NodeRow& row : nodes_)
    if (row.sign.life) signs.push_back(row.sign);
  return signs;
}

bool SimTables::are_all_fresh(MonotonicTime at) const {
  const MonotonicTime lately = at - std::chrono::seconds(2);
  return std::none_of(nodes_.begin(), nodes_.end(),
                      [lately](const NodeRow& row) { return row.renewed_at < lately; });
}

std::vector<UserId> SimTables::users_on(NodeNumber node) const {
  std::vector<UserId> users;
  for (const SessionId id : live_[index(node)]) {
    const SessionRow& row = sessions_.at(id);
    if (row.is_live || has(Sabotage::end_what_was_ended)) users.push_back(row.user);
  }
  return users;
}

billing::LostPortion SimTables::end_lost_sessions(const billing::NodeSign& last_sign, const Sender& taker,
                                                  const IsFree& is_free, MonotonicTime at) {
  using Next = billing::LostPortion::Next;
  const auto lost = std::find_if(nodes_.begin(), nodes_.end(),
                                 [&](const NodeRow& row) { return row.sign.node == last_sign.node; });
  if (lost->sign != last_sign && !has(Sabotage::take_from_the_living))
    return {.next = Next::spared, .posted = {}};
  const auto node = static_cast<NodeNumber>(lost - nodes_.begin());
  billing::LostPortion portion;
  for (const SessionId id : live_[index(node)]) {
    const SessionRow& row = sessions_.at(id);
    if (!row.is_live && !has(Sabotage::end_what_was_ended)) continue;
    if (!is_free(row.user)) {
      portion.next = Next::more;
      continue;
    }
    examiner_.taken_over(id, node, at);
    end({.user = row.user,
         .session = id,
         .why = billing::EndReason::node_lost,
         .at = Scheduler::wall_at(at) + taker.error,
         .by = billing::EndedBy::somebody_else},
        taker.error, at);
    ++portion.sessions;
  }
  return portion;
}

// ---- metering

Purchase SimTables::buy(const ChargeRequest& request, Credits balance) const {
  if (has(Sabotage::clamp_after) || has(Sabotage::below_zero))
    return {balance > Credits() ? request.price : Credits(),
            balance > Credits() ? request.increment : std::chrono::milliseconds(0)};
  Purchase bought = billing::purchase(balance, request.price, request.increment, request.rate);
  if (has(Sabotage::round_grant_up) && bought.amount < request.price && bought.amount > Credits())
    ++bought.grant;
  return bought;
}

Credits SimTables::take(UserRow& user, Credits balance, Credits amount) const {
  const Credits rest = balance.minus(amount).value();
  user.balance = has(Sabotage::clamp_after) ? std::max(rest, Credits()) : rest;
  return user.balance;
}

/// Of all nodes; two kinds of damage count otherwise.
std::int64_t SimTables::counted_sessions(const UserRow& user, std::optional<NodeNumber> asking) const {
  if (has(Sabotage::limit_on_each_node))
    return std::count_if(user.live.begin(), user.live.end(),
                         [&](SessionId id) { return sessions_.at(id).node == asking; });
  const bool holds_on = has(Sabotage::limit_holds_on) && user.last_end;
  return static_cast<std::int64_t>(user.live.size()) + (holds_on ? 1 : 0);
}

bool SimTables::has_room(NodeNumber node, const UserRow& user, const ChargeRequest& request) const {
  if (request.number != 1 || request.session_limit == 0 || has(Sabotage::limit_at_the_door)) return true;
  return counted_sessions(user, node) < std::int64_t{request.session_limit};
}

ChargeResult SimTables::charge(const Sender& sender, const ChargeRequest& request,
                               std::optional<Credits> balance_seen, MonotonicTime at) {
  const NodeNumber node = sender.node;
  UserRow& user = users_[request.user.value];
  if (user.state == UserState::disabled && !has(Sabotage::sell_to_the_disabled)) return fenced();
  const auto found = sessions_.find(request.session);
  SessionRow* row = found == sessions_.end() ? nullptr : &found->second;
  const bool is_fenced = row && (!row->is_live || row->node != node);
  if (is_fenced && !has(Sabotage::skip_fence)) return fenced();
  const std::uint32_t last = row ? row->number : 0;
  if (row && request.number == last && !has(Sabotage::charge_again_on_retry))
    return answer(row->last, user.balance);
  if (request.number != last + 1 && !has(Sabotage::charge_again_on_retry)) return fenced();

  const Credits balance = has(Sabotage::stale_balance) && balance_seen ? *balance_seen : user.balance;
  if (balance > Credits() && !has_room(node, user, request)) {
    examiner_.found_no_room(request, at);
    return {.outcome = Outcome::too_many, .amount = {}, .balance = user.balance};
  }
  const Purchase bought = buy(request, balance);
  if (bought.amount == Credits()) return answer(bought, user.balance);
  const Credits rest = take(user, balance, bought.amount);
  if (!row) {
    row = &sessions_[request.session];
    *row = {
        .user = request.user, .node = node, .last = {}, .charged = {}, .posted = {}, .last_posted_at = at};
    user.live.push_back(request.session);
    live_[index(node)].push_back(request.session);
  }
  row->number = request.number;
  row->last = bought;
  row->charged = row->charged.plus(bought.amount).value();
  examiner_.charged({.node = node,
                     .life = sender.life,
                     .request = request,
                     .begins_about = Scheduler::moment_of(request.from - sender.error),
                     .amount = bought.amount,
                     .grant = bought.grant,
                     .balance = rest},
                    at);
  return answer(bought, rest);
}

void SimTables::post(SessionId id, SessionRow& row, MonotonicTime at) {
  const Credits due = row.charged.minus(row.posted).value();
  if (due > Credits()) examiner_.posted(row.user, id, due, at);
  row.posted = row.charged;
  row.last_posted_at = at;
}

void SimTables::end(const billing::EndRequest& request, WallError error, MonotonicTime at) {
  const auto found = sessions_.find(request.session);
  if (found == sessions_.end()) return;
  SessionRow& row = found->second;
  if (!row.is_live && has(Sabotage::end_what_was_ended) && request.why == billing::EndReason::node_lost)
    return examiner_.ended(request, Scheduler::moment_of(request.at - error), std::chrono::abs(error), at);
  if (!row.is_live && has(Sabotage::end_again))
    return examiner_.posted(request.user, request.session, row.charged, at);
  if (!row.is_live || has(Sabotage::forget_end)) return;
  post(request.session, row, at);
  row.is_live = false;
  UserRow& user = users_[request.user.value];
  std::erase(user.live, request.session);
  user.last_end = user.last_end ? std::max(*user.last_end, request.at) : request.at;
  if (request.by == billing::EndedBy::somebody_else) ended_[index(row.node)].push_back(request.session);
  examiner_.ended(request, Scheduler::moment_of(request.at - error), std::chrono::abs(error), at);
}

void SimTables::post_usage(NodeNumber node, MonotonicTime older_than, MonotonicTime at) {
  auto& live = live_[index(node)];
  std::erase_if(live, [this](SessionId id) { return !sessions_.at(id).is_live; });
  for (const SessionId id : live) {
    SessionRow& row = sessions_.at(id);
    if (row.last_posted_at <= older_than && row.charged > row.posted) post(id, row, at);
  }
}

std::vector<billing::SessionKey> SimTables::left_open(NodeNumber node) const {
  std::vector<billing::SessionKey> open;
  for (const SessionId id : live_[index(node)]) {
    const SessionRow& row = sessions_.at(id);
    if (row.is_live) open.push_back({row.user, id});
  }
  std::sort(open.begin(), open.end(), [](const auto& a, const auto& b) {
    return a.user != b.user ? a.user < b.user : a.session < b.session;
  });
  return open;
}

// ---- users

bool SimTables::credit(UserId who, Credits amount, std::uint64_t reference, MonotonicTime at) {
  if (references_.contains(reference) && !has(Sabotage::credit_again_on_retry)) return true;
  UserRow& user = users_[who.value];
  const Credits sum = user.balance.plus(amount).value();
  if (sum < Credits()) return false;
  references_.insert(reference);
  user.balance = sum;
  examiner_.credited(who, amount, reference, sum, at);
  return true;
}

void SimTables::set_state(UserId user, UserState state, MonotonicTime at) {
  users_[user.value].state = state;
  changed_users_.push_back(user);
  examiner_.state_set(user, state, at);
}

billing::Standing SimTables::standing(UserId who, MonotonicTime at) {
  const UserRow& user = users_[who.value];
  examiner_.balance_read(who, user.balance, at);
  billing::Standing standing{.user = {}, .balance = user.balance, .last_session_end = user.last_end};
  standing.user.id = who;
  standing.user.state = user.state;
  standing.live_sessions = counted_sessions(user, std::nullopt);
  return standing;
}

SessionId SimTables::any_live(UserId user) const {
  const auto& live = users_[user.value].live;
  return live.empty() ? SessionId{} : live.front();
}

std::optional<NodeNumber> SimTables::node_of(SessionId session) const {
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? std::nullopt : std::optional(found->second.node);
}

}  // namespace payg::simulation
