#include "tests/simulation/scenario.h"

#include <algorithm>

#include "tests/simulation/random.h"

namespace payg::simulation {
namespace {

using namespace std::chrono_literals;
using billing::Credits;
using billing::Rate;

billing::Terms terms_at(Rate rate, std::chrono::milliseconds increment) {
  return {.price = rate.price_of(increment).value(), .increment = increment, .rate = rate};
}

/// Most runs have all of them; the others show what one hides from another.
FaultSet choose_faults(Random& random) {
  if (random.percent(60)) return FaultSet::all();
  FaultSet chosen;
  for (const Fault fault : all_faults)
    if (random.percent(50)) chosen.add(fault);
  return chosen;
}

/// And nothing else, behind which it could hide.
void happen_often(Scenario& scenario, std::initializer_list<Fault> faults) {
  scenario.faults = {};
  for (const Fault fault : faults) scenario.faults.add(fault);
  scenario.fault_pause = 6min;
}

void lose_often(Scenario& scenario) {
  happen_often(scenario, {Fault::lost_calls});
  scenario.lost_once_in = 20;
}

void be_late_often(Scenario& scenario) {
  happen_often(scenario, {Fault::late_answers, Fault::long_locks});
  scenario.late_once_in = 10;
}

void be_away_often(Scenario& scenario) {
  happen_often(scenario, {Fault::outages, Fault::kills});
  scenario.outage_grace = 5min;
}

/// Whose balance ends within the day.
void run_dry_often(Scenario& scenario) {
  scenario.terms = terms_at(Rate::from_thousandths(2'400), 60s);
  happen_often(scenario, {});
}

/// While they are connected, and the ledger learns of it before their node does.
void disable_often(Scenario& scenario) {
  happen_often(scenario, {Fault::operators, Fault::late_answers});
  scenario.fault_pause = 1min;
  scenario.late_once_in = 30;
  scenario.heavy_percent = 80;
}

/// Nodes that lose sessions to each other.
void be_silent_often(Scenario& scenario) {
  scenario.nodes = std::max(scenario.nodes, 2U);
  scenario.outage_grace = 400ms;
  scenario.lease_slack = billing::shortest_lease_slack;
  happen_often(scenario, {Fault::kills, Fault::pauses, Fault::partitions});
  scenario.fault_pause = 3min;
}

void relay_often_without_the_ledger(Scenario& scenario) {
  be_silent_often(scenario);
  scenario.outage_grace = 5min;
  scenario.faults.remove(Fault::kills);
}

/// A node that many come to, for a short time, and that dies while their charges are on their way.
void die_often_while_people_start(Scenario& scenario) {
  scenario.nodes = 1;
  scenario.heavy_percent = 0;
  happen_often(scenario, {Fault::kills, Fault::late_answers});
  scenario.fault_pause = 20s;
  scenario.late_once_in = 10;
}

/// Whose sessions end all at once, and who comes back to any node.
void come_back_often(Scenario& scenario) {
  scenario.nodes = most_nodes;
  scenario.session_limit = 1;
  happen_often(scenario, {Fault::drains, Fault::operators});
  scenario.fault_pause = 30s;
}

/// What a part is for.
void bring_about(Scenario& scenario, Sabotage part) {
  constexpr std::uint64_t enough = 300;
  for (std::uint64_t user = scenario.users.size() + 1; user <= enough; ++user)
    scenario.users.push_back(UserId{user});
  scenario.session_limit = 0;
  switch (part) {
    case Sabotage::charge_again_on_retry:
    case Sabotage::credit_again_on_retry:
    case Sabotage::end_again: return lose_often(scenario);
    case Sabotage::stale_balance:
    case Sabotage::deadline_from_answer: return be_late_often(scenario);
    case Sabotage::clamp_after:
    case Sabotage::below_zero:
    case Sabotage::round_grant_up: return run_dry_often(scenario);
    case Sabotage::sell_to_the_disabled: return disable_often(scenario);
    case Sabotage::restart_without_settling: return happen_often(scenario, {Fault::kills});
    case Sabotage::ignore_grace: return happen_often(scenario, {Fault::outages});
    case Sabotage::write_no_spool:
    case Sabotage::restart_without_spool: return be_away_often(scenario);
    case Sabotage::deadline_by_wall_clock: return happen_often(scenario, {Fault::wall_jumps});
    case Sabotage::no_renewal_after_reload: return happen_often(scenario, {Fault::reloads});
    case Sabotage::charge_in_any_life: return die_often_while_people_start(scenario);
    case Sabotage::skip_fence:
    case Sabotage::take_from_the_living:
    case Sabotage::end_what_was_ended:
    case Sabotage::leave_the_lost: return be_silent_often(scenario);
    case Sabotage::limit_on_each_node:
    case Sabotage::limit_holds_on:
    case Sabotage::limit_at_the_door: return come_back_often(scenario);
    case Sabotage::lease_without_grace: return relay_often_without_the_ledger(scenario);
    default: return;  // matters whenever anybody is connected
  }
}

}  // namespace

FaultSet FaultSet::all() noexcept {
  FaultSet set;
  for (const Fault fault : all_faults) set.add(fault);
  return set;
}

billing::Terms make_terms(std::uint64_t random) {
  Random choice(random);
  const auto rate = Rate::from_thousandths(choice.one_of<std::int64_t>({800, 800, 800, 1'000, 333, 2'400}));
  return terms_at(rate, choice.one_of<std::chrono::milliseconds>({60s, 60s, 60s, 30s, 120s, 61s}));
}

std::chrono::milliseconds lease_for(const Scenario& scenario, const billing::Terms& terms) {
  const bool is_shorter = scenario.sabotage == Sabotage::lease_without_grace;
  const auto lease = terms.increment + (is_shorter ? 0ms : scenario.outage_grace) + scenario.lease_slack;
  // The lease bounds the grace as well.
  return scenario.sabotage == Sabotage::ignore_grace ? lease + 1000h : lease;
}

Scenario make_scenario(std::uint64_t seed, Size size) {
  Random random(seed, Purpose::scenario);
  Scenario made;
  made.seed = seed;
  made.nodes = static_cast<unsigned>(random.between(1, most_nodes));
  made.terms = terms_at(Rate::from_thousandths(800), 60s);
  if (random.percent(25)) made.terms = make_terms(random.bits());
  const unsigned users = random.one_of(size == Size::full ? std::initializer_list<unsigned>{400, 1000, 3000}
                                                          : std::initializer_list<unsigned>{20, 40, 80});
  for (std::uint64_t user = 1; user <= users; ++user) made.users.push_back(UserId{user});
  // About as much session time whatever the number of users is.
  made.length = size == Size::full ? std::chrono::minutes(1'500'000 / users) : 24h;
  made.faults = choose_faults(random);
  made.fault_pause = random.one_of<std::chrono::seconds>({20min, 40min, 90min});
  made.outage_grace = random.one_of<std::chrono::milliseconds>({5min, 5min, 90s, 400ms});
  made.lease_slack = random.percent(50) ? billing::shortest_lease_slack : billing::usual_lease_slack;
  made.start_terms = {.minimum_to_start = Credits::from_units(2'880'000), .resume_window = 10min};
  made.heavy_percent = static_cast<unsigned>(random.between(20, 80));
  made.session_limit = random.one_of<std::uint32_t>({0, 0, 1, 2, 3});
  return made;
}

Scenario make_crowd(std::uint64_t seed) {
  Scenario made = make_scenario(seed, Size::full);
  made.users.resize(300);
  made.nodes = most_nodes;
  made.length = 24h;
  made.faults = {};
  made.faults.add(Fault::outages);
  made.fault_pause = 15min;
  made.outage_grace = 5min;
  made.heavy_percent = 80;
  return made;
}

Scenario break_part(Scenario scenario, Sabotage part) {
  scenario.sabotage = part;
  if (part == Sabotage::locks_in_order_asked) scenario.locking = Locking::waits_as_asked;
  if (part != Sabotage::none) bring_about(scenario, part);
  return scenario;
}

std::string describe(const Scenario& scenario) {
  std::string faults;
  for (const Fault fault : all_faults)
    if (scenario.faults.has(fault)) faults += (faults.empty() ? "" : ",") + std::string(name_of(fault));
  return "seed " + std::to_string(scenario.seed) + ": " + std::to_string(scenario.users.size()) + " users, " +
         std::to_string(scenario.nodes) + " nodes, " + std::to_string(scenario.length.count()) +
         " min, increment " + std::to_string(scenario.terms.increment.count()) + " ms, grace " +
         std::to_string(scenario.outage_grace.count()) + " ms, lease slack " +
         std::to_string(scenario.lease_slack.count()) + " ms, limit " +
         std::to_string(scenario.session_limit) + ", faults " + (faults.empty() ? "none" : faults) +
         (scenario.sabotage == Sabotage::none ? "" : ", broken: " + std::string(name_of(scenario.sabotage)));
}

std::string name_of(NodeNumber node) {
  return "node-" + std::to_string(static_cast<unsigned>(node) + 1);
}

std::string name_of(Label label) {
  return label == Label{} ? "" : "l" + std::to_string(static_cast<unsigned>(label));
}

std::string_view name_of(Fault fault) noexcept {
  switch (fault) {
    case Fault::outages: return "outages";
    case Fault::partitions: return "partitions";
    case Fault::lost_calls: return "lost_calls";
    case Fault::late_answers: return "late_answers";
    case Fault::long_locks: return "long_locks";
    case Fault::kills: return "kills";
    case Fault::pauses: return "pauses";
    case Fault::drains: return "drains";
    case Fault::full_disks: return "full_disks";
    case Fault::wall_jumps: return "wall_jumps";
    case Fault::reloads: return "reloads";
    case Fault::operators: return "operators";
  }
  return "unknown";
}

std::string_view name_of(Sabotage sabotage) noexcept {
  switch (sabotage) {
    case Sabotage::none: return "none";
    case Sabotage::charge_again_on_retry: return "charge_again_on_retry";
    case Sabotage::locks_in_order_asked: return "locks_in_order_asked";
    case Sabotage::clamp_after: return "clamp_after";
    case Sabotage::below_zero: return "below_zero";
    case Sabotage::skip_fence: return "skip_fence";
    case Sabotage::sell_to_the_disabled: return "sell_to_the_disabled";
    case Sabotage::forget_end: return "forget_end";
    case Sabotage::end_again: return "end_again";
    case Sabotage::stale_balance: return "stale_balance";
    case Sabotage::round_grant_up: return "round_grant_up";
    case Sabotage::credit_again_on_retry: return "credit_again_on_retry";
    case Sabotage::forget_purchase: return "forget_purchase";
    case Sabotage::charge_in_any_life: return "charge_in_any_life";
    case Sabotage::take_from_the_living: return "take_from_the_living";
    case Sabotage::limit_on_each_node: return "limit_on_each_node";
    case Sabotage::limit_holds_on: return "limit_holds_on";
    case Sabotage::limit_at_the_door: return "limit_at_the_door";
    case Sabotage::end_what_was_ended: return "end_what_was_ended";
    case Sabotage::drop_cut: return "drop_cut";
    case Sabotage::drop_closed: return "drop_closed";
    case Sabotage::restart_without_settling: return "restart_without_settling";
    case Sabotage::answer_of_the_last_batch: return "answer_of_the_last_batch";
    case Sabotage::deadline_from_answer: return "deadline_from_answer";
    case Sabotage::deadline_by_wall_clock: return "deadline_by_wall_clock";
    case Sabotage::ignore_grace: return "ignore_grace";
    case Sabotage::session_for_each_connection: return "session_for_each_connection";
    case Sabotage::start_below_minimum: return "start_below_minimum";
    case Sabotage::ignore_resume_window: return "ignore_resume_window";
    case Sabotage::write_no_spool: return "write_no_spool";
    case Sabotage::restart_without_spool: return "restart_without_spool";
    case Sabotage::no_renewal_after_reload: return "no_renewal_after_reload";
    case Sabotage::leave_the_lost: return "leave_the_lost";
    case Sabotage::lease_without_grace: return "lease_without_grace";
  }
  return "unknown";
}

}  // namespace payg::simulation
