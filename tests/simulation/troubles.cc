#include "tests/simulation/troubles.h"

namespace payg::simulation {

using namespace std::chrono_literals;
using billing::Credits;
using billing::UserState;

Troubles::Troubles(const Scenario& scenario, Scheduler& scheduler, SimLedger& ledger, Examiner& examiner,
                   Journal& journal, const Population::Nodes& nodes)
    : scenario_(scenario),
      scheduler_(scheduler),
      ledger_(ledger),
      examiner_(examiner),
      journal_(journal),
      nodes_(nodes) {
  for (const Fault fault : all_faults)
    streams_.emplace_back(scenario.seed, Purpose::faults, static_cast<std::uint64_t>(fault));
}

void Troubles::begin() {
  const Time pause = scenario_.fault_pause;
  const Time often = pause / 30;
  plan(Fault::outages, pause, &Troubles::outage);
  plan(Fault::partitions, pause, &Troubles::partition);
  plan(Fault::long_locks, often, &Troubles::hold_a_row);
  plan(Fault::kills, pause, &Troubles::kill);
  plan(Fault::pauses, pause, &Troubles::pause);
  plan(Fault::drains, 3 * pause, &Troubles::drain);
  plan(Fault::full_disks, pause, &Troubles::fill_disk);
  plan(Fault::wall_jumps, pause, &Troubles::jump_wall);
  plan(Fault::reloads, 4 * pause, &Troubles::reload);
  plan(Fault::operators, often, &Troubles::operate);
}

void Troubles::stop() {
  goes_on_ = false;
  ledger_.end_outage();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    ledger_.end_partition(static_cast<NodeNumber>(i));
    nodes_[i]->free_disk();
    nodes_[i]->resume();
    nodes_[i]->start();
  }
}

void Troubles::plan(Fault fault, Time mean, void (Troubles::*happen)()) {
  if (!scenario_.faults.has(fault)) return;
  scheduler_.in(random(fault).about(mean), [this, fault, mean, happen] { repeat(fault, mean, happen); });
}

void Troubles::repeat(Fault fault, Time mean, void (Troubles::*happen)()) {
  if (!goes_on_) return;
  (this->*happen)();
  plan(fault, mean, happen);
}

SimNode& Troubles::any_node(Fault fault) {
  return *nodes_[random(fault).below(nodes_.size())];
}

/// Whoever takes part: the number of users changes nothing else.
UserId Troubles::any_user(Fault fault) {
  return scenario_.users[random(fault).bits() % scenario_.users.size()];
}

Troubles::Time Troubles::some_time_away(Fault fault) {
  const Time grace = scenario_.outage_grace;
  return random(fault).one_of<Time>({random(fault).between(50ms, 3s), random(fault).between(1s, 60s),
                                     grace - random(fault).between(1ms, 300ms),
                                     grace + random(fault).about(2s), grace + random(fault).about(5min),
                                     random(fault).about(25min)});
}

Away Troubles::some_way(Fault fault) {
  return random(fault).one_of({Away::refuses, Away::is_silent});
}

// ---- the ledger

void Troubles::outage() {
  const Away how = some_way(Fault::outages);
  journal_.note({.at = scheduler_.now(),
                 .what = "the ledger is away",
                 .detail = how == Away::refuses ? "refuses" : "silent"});
  ledger_.begin_outage(how);
  scheduler_.in(some_time_away(Fault::outages), [this, number = ++outages_] {
    if (number != outages_) return;
    journal_.note({.at = scheduler_.now(), .what = "the ledger is back"});
    ledger_.end_outage();
  });
}

void Troubles::partition() {
  const auto node = static_cast<NodeNumber>(random(Fault::partitions).below(nodes_.size()));
  journal_.note({.at = scheduler_.now(), .what = "the node loses the ledger", .node = node});
  ledger_.begin_partition(node, some_way(Fault::partitions));
  Random& choice = random(Fault::partitions);
  const Time time = choice.percent(20) ? about_its_lease(*nodes_[static_cast<std::size_t>(node)], choice)
                                       : some_time_away(Fault::partitions);
  scheduler_.in(time, [this, node] {
    journal_.note({.at = scheduler_.now(), .what = "the node finds the ledger", .node = node});
    ledger_.end_partition(node);
  });
}

void Troubles::hold_a_row() {
  Random& choice = random(Fault::long_locks);
  const UserId user = any_user(Fault::long_locks);
  const Time time = choice.between(5ms, choice.one_of<Time>({100ms, 1s, 20s}));
  journal_.note({.at = scheduler_.now(), .what = "somebody holds the row of", .user = user, .time = time});
  ledger_.hold(user, time);
}

// ---- nodes

void Troubles::restart_later(SimNode& node, Random& choice) {
  scheduler_.in(choice.one_of<Time>({choice.between(200ms, 2s), choice.between(2s, 20s),
                                     about_its_lease(node, choice), choice.about(4min)}),
                [&node] { node.start(); });
}

/// Around the moment at which the others take it for lost.
Troubles::Time Troubles::about_its_lease(const SimNode& node, Random& choice) {
  return std::max<Time>(200ms, node.lease() - 3s + choice.between(0s, 6s));
}

/// As a supervisor does.
void Troubles::start_when_gone(SimNode& node, std::uint32_t life) {
  if (node.lives() != life) return;
  node.start();
  scheduler_.in(1s, [this, &node, life] { start_when_gone(node, life); });
}

void Troubles::kill() {
  SimNode& node = any_node(Fault::kills);
  Random& choice = random(Fault::kills);
  node.kill();
  restart_later(node, choice);
}

void Troubles::pause() {
  SimNode& node = any_node(Fault::pauses);
  Random& choice = random(Fault::pauses);
  const Time time = choice.one_of<Time>({choice.between(10ms, 900ms), choice.between(1s, 60s),
                                         about_its_lease(node, choice), choice.about(9min)});
  if (!node.is_up() || node.is_paused()) return;
  node.pause();
  scheduler_.in(time, [&node] { node.resume(); });
}

void Troubles::drain() {
  SimNode& node = any_node(Fault::drains);
  if (node.is_paused()) return;
  node.drain();
  if (random(Fault::drains).percent(50)) return start_when_gone(node, node.lives());
  scheduler_.in(60s + random(Fault::drains).about(1min), [&node] { node.start(); });
}

void Troubles::fill_disk() {
  SimNode& node = any_node(Fault::full_disks);
  node.fill_disk();
  scheduler_.in(random(Fault::full_disks).about(8min), [&node] { node.free_disk(); });
}

void Troubles::jump_wall() {
  Random& choice = random(Fault::wall_jumps);
  const auto jump = std::chrono::duration_cast<std::chrono::milliseconds>(
      choice.one_of<Time>({choice.about(50ms), choice.about(20s), choice.about(1h)}));
  any_node(Fault::wall_jumps).jump_wall(choice.percent(50) ? jump : -jump);
}

void Troubles::reload() {
  const billing::Terms terms = make_terms(random(Fault::reloads).bits());
  examiner_.terms_changed(terms, scheduler_.now());
  for (const auto& node : nodes_) node->set_terms(terms);
}

// ---- operators

void Troubles::operate() {
  switch (random(Fault::operators).below(4)) {
    case 0: return disable();
    case 1: return end_a_session();
    default: return adjust();
  }
}

/// Up and down; what a balance does not cover is refused.
void Troubles::adjust() {
  Random& choice = random(Fault::operators);
  const UserId user = any_user(Fault::operators);
  const auto size =
      static_cast<std::int64_t>(choice.between(1, choice.one_of<std::uint64_t>({50'000, 3'000'000})));
  Credits amount = Credits::from_units(choice.percent(30) ? size : -size);
  // Everything but a little, or everything.
  const Credits balance = ledger_.tables().balance(user);
  if (choice.percent(30) && balance > Credits())
    amount = Credits::from_units(-std::max<std::int64_t>(1, balance.units() - size % 3 * 20'011));
  const std::uint64_t reference = (std::uint64_t{1} << 60) + ++adjustments_;
  ledger_.ask(
      NodeNumber{}, user,
      [user, amount, reference](SimTables& tables, MonotonicTime at) {
        tables.credit(user, amount, reference, at);
      },
      [](Fate) {});
}

/// DELETE /api/sessions/{id}, on any node.
void Troubles::end_a_session() {
  const UserId user = any_user(Fault::operators);
  const billing::SessionId session = ledger_.tables().any_live(user);
  const std::uint64_t asked = random(Fault::operators).below(nodes_.size());
  if (!session) return;
  const auto at = static_cast<std::size_t>(ledger_.tables().node_of(session).value());
  if (at == asked) return nodes_[at]->end(session);
  examiner_.end_asked(session);
  ledger_.end_sessions({.node = static_cast<NodeNumber>(asked)},
                       {{user, session, billing::EndReason::requested, Scheduler::wall_at(scheduler_.now()),
                         billing::Turn::in_line, billing::EndedBy::somebody_else}},
                       [](const auto&) {});
}

void Troubles::disable() {
  const UserId user = any_user(Fault::operators);
  set_state(user, UserState::disabled);
  scheduler_.in(random(Fault::operators).about(15min), [this, user] { set_state(user, UserState::active); });
}

void Troubles::set_state(UserId user, UserState state) {
  ledger_.ask(
      NodeNumber{}, user,
      [user, state](SimTables& tables, MonotonicTime at) {
        if (tables.state(user) != state) tables.set_state(user, state, at);
      },
      [this, user, state](Fate fate) {
        if (fate == Fate::unavailable && goes_on_)
          scheduler_.in(5s, [this, user, state] { set_state(user, state); });
      });
}

}  // namespace payg::simulation
