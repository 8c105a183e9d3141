// What Reception and the workers do of a node.

#include <utility>

#include "billing/core/admission.h"
#include "tests/simulation/sim_life.h"
#include "tests/simulation/sim_node.h"

namespace payg::simulation {
namespace {

using namespace std::chrono_literals;
using billing::Biller;
using billing::Moment;
using billing::SessionTable;
using plugin::ConnectionId;

constexpr auto patience = 2s;  // LedgerHealth's

}  // namespace

// ---- may he in?

bool SimNode::ledger_is_away() const {
  const bool waits = life_->charging_since != MonotonicTime::max() &&
                     surroundings_.scheduler.now() - life_->charging_since > patience;
  return life_->charges_fail || life_->reads_fail || waits;
}

std::string SimNode::label_for(ConnectionId connection, Label label) const {
  std::string text = name_of(label);
  if (has(Sabotage::session_for_each_connection)) text += "#" + std::to_string(connection.value);
  return text;
}

void SimNode::judge(ConnectionId connection, UserId user, Verdict verdict, MonotonicTime asked_at,
                    plugin::SessionHandle stay) {
  surroundings_.examiner.decided({.node = number_,
                                  .user = user,
                                  .verdict = verdict,
                                  .asked_at = asked_at,
                                  .wall_error = std::chrono::abs(wall_error_),
                                  .stay = name_of_stay(stay, user)},
                                 surroundings_.scheduler.now());
  const bool is_in = verdict == Verdict::started || verdict == Verdict::joined;
  is_in ? surroundings_.clients.on_admitted(connection)
        : surroundings_.clients.on_refused(connection, verdict);
}

/// Reception::admit().
void SimNode::admit(ConnectionId connection, UserId user, Label label) {
  const MonotonicTime asked_at = surroundings_.scheduler.now();
  if (!life_) return surroundings_.clients.on_refused(connection, Verdict::unavailable);
  if (paused_) {
    held_.push_back([this, connection, user, label] { admit(connection, user, label); });
    return;
  }
  if (life_->state == State::draining) return judge(connection, user, Verdict::unavailable, asked_at);
  if (const auto seat = life_->table.join_live(user, label_for(connection, label), {})) {
    let_in(connection, user, label, *seat);
    return judge(connection, user, Verdict::joined, asked_at, seat->session);
  }
  if (life_->state != State::ready || ledger_is_away())
    return judge(connection, user, Verdict::unavailable, asked_at);
  const Left left = life_->table.has_end_under_way(user) ? Left::just_now : Left::long_ago;
  const auto read = std::make_shared<billing::Standing>();
  surroundings_.ledger.ask(
      number_, std::nullopt,
      [read, user](SimTables& tables, MonotonicTime at) { *read = tables.standing(user, at); },
      [this, connection, user, label, asked_at, left, read, life = lives_](Fate fate) {
        // Whose node died is told by nobody.
        if (life != lives_ || !life_)
          return surroundings_.clients.on_refused(connection, Verdict::unavailable);
        on_node(life, [this, connection, user, label, asked_at, left, read, fate] {
          life_->reads_fail = fate != Fate::done;
          if (fate != Fate::done) return judge(connection, user, Verdict::unavailable, asked_at);
          decide(connection, user, label, asked_at, left, *read);
        });
      });
}

bool SimNode::may_start(const billing::Standing& standing, Left left) const {
  billing::StartTerms terms = surroundings_.scenario.start_terms;
  if (has(Sabotage::start_below_minimum)) terms.minimum_to_start = {};
  if (has(Sabotage::ignore_resume_window)) terms.resume_window = std::chrono::milliseconds(-1);
  const auto last_end = left == Left::just_now ? std::optional(wall_now()) : standing.last_session_end;
  return billing::may_start(standing.balance, last_end, terms, wall_now()) ==
         billing::StartVerdict::may_start;
}

void SimNode::decide(ConnectionId connection, UserId user, Label label, MonotonicTime asked_at, Left left,
                     const billing::Standing& standing) {
  if (standing.user.state == billing::UserState::disabled)
    return judge(connection, user, Verdict::forbidden, asked_at);
  if (!may_start(standing, left)) return judge(connection, user, Verdict::payment_required, asked_at);
  const std::uint32_t limit = surroundings_.scenario.session_limit;
  const bool is_at_limit = limit > 0 && standing.live_sessions >= std::int64_t{limit};
  if (is_at_limit && left == Left::long_ago) return judge(connection, user, Verdict::too_many, asked_at);
  const auto seat = life_->table.join(user, label_for(connection, label), {});
  let_in(connection, user, label, *seat);
  judge(connection, user, Verdict::started, asked_at, seat->session);
}

void SimNode::let_in(ConnectionId connection, UserId user, Label label, const billing::Seat& seat) {
  life_->connections[connection] = {
      .user = user, .label = label, .stay = seat.session, .traffic = seat.traffic};
  life_->stays[seat.session].push_back(connection);
  life_->users[seat.session] = user;
}

// ---- the workers

/// BillingPlugin::on_established().
void SimNode::establish(ConnectionId id) {
  if (!life_) return;
  if (paused_) {
    held_.push_back([this, id] { establish(id); });
    return;
  }
  const auto found = life_->connections.find(id);
  if (found == life_->connections.end() || found->second.state == Connection::State::open) return;
  Connection& connection = found->second;
  connection.state = Connection::State::open;
  const plugin::SessionHandle stay = connection.stay;
  const auto opened = life_->table.opened(stay, "direct", now());
  surroundings_.examiner.opened(name_of_stay(stay, connection.user), connection.label,
                                connection.traffic->relay_until, surroundings_.scheduler.now());
  if (opened == SessionTable::Opened::first)
    post([stay, at = now()](Biller& biller, const Moment&) { biller.start(stay, at); });
  if (opened == SessionTable::Opened::too_late)
    later(random_.between(10us, 1ms), [this, stay] { close_all(stay); });
}

/// BillingPlugin::on_closed().
void SimNode::leave(ConnectionId id) {
  if (!life_) return;
  if (paused_) {
    held_.push_back([this, id] { leave(id); });
    return;
  }
  const auto found = life_->connections.find(id);
  if (found == life_->connections.end()) return;
  const Connection connection = found->second;
  forget(id);
  if (connection.state == Connection::State::dialling) return life_->table.abandoned(connection.stay);
  surroundings_.examiner.closed(name_of_stay(connection.stay, connection.user),
                                surroundings_.scheduler.now());
  if (has(Sabotage::drop_closed) && random_.once_in(20)) return;
  life_->table.closed(connection.stay, now());
}

void SimNode::forget(ConnectionId id) {
  const auto found = life_->connections.find(id);
  const auto stay = life_->stays.find(found->second.stay);
  std::erase(stay->second, id);
  if (stay->second.empty()) life_->stays.erase(stay);
  life_->connections.erase(found);
}

}  // namespace payg::simulation
