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
  if (random.percent(50)) made.lease = 10s;
  made.start_terms = {.minimum_to_start = Credits::from_units(2'880'000), .resume_window = 10min};
  made.heavy_percent = static_cast<unsigned>(random.between(20, 80));
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
  return scenario;
}

std::string describe(const Scenario& scenario) {
  std::string faults;
  for (const Fault fault : all_faults)
    if (scenario.faults.has(fault)) faults += (faults.empty() ? "" : ",") + std::string(name_of(fault));
  return "seed " + std::to_string(scenario.seed) + ": " + std::to_string(scenario.users.size()) + " users, " +
         std::to_string(scenario.nodes) + " nodes, " + std::to_string(scenario.length.count()) +
         " min, increment " + std::to_string(scenario.terms.increment.count()) + " ms, grace " +
         std::to_string(scenario.outage_grace.count()) + " ms, " + (scenario.lease ? "" : "no ") +
         "leases, faults " + (faults.empty() ? "none" : faults) +
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
  }
  return "unknown";
}

}  // namespace payg::simulation
