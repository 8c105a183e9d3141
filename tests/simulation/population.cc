#include "tests/simulation/population.h"

#include <utility>

namespace payg::simulation {
namespace {

using namespace std::chrono_literals;
using billing::Credits;
using plugin::ConnectionId;
using Time = std::chrono::nanoseconds;

constexpr std::int64_t credit = Credits::units_per_credit;

}  // namespace

Population::Population(const Scenario& scenario, Scheduler& scheduler, SimLedger& ledger, Examiner& examiner,
                       const Nodes& nodes)
    : scenario_(scenario), scheduler_(scheduler), ledger_(ledger), examiner_(examiner), nodes_(nodes) {
  people_.reserve(scenario.users.size());
  for (const UserId user : scenario.users) {
    Person& person = people_.emplace_back(scenario.seed, user);
    person.is_heavy = person.random.percent(scenario.heavy_percent);
    person.labels = static_cast<unsigned>(person.random.one_of<std::uint64_t>({1, 1, 1, 2, 3}));
  }
}

void Population::begin() {
  for (Person& person : people_) {
    const auto first = person.random.one_of<std::int64_t>(
        {0, 900, 47'999, 48'000, 300'000, 2'879'999, 2'880'000, 10 * credit, 27 * credit});
    if (first > 0) pay(person, Credits::from_units(first));
    scheduler_.in(person.random.between(1s, 10min), [this, &person] { plan_visit(person); });
    scheduler_.in(person.random.about(12h), [this, &person] { pay_now_and_then(person); });
  }
}

// ---- coming and going

void Population::plan_visit(Person& person) {
  if (!is_open_) return;
  visit(person);
  const Time pause = person.is_heavy ? person.random.one_of<Time>({20min, 1h, 4h})
                                     : person.random.one_of<Time>({20s, 60s, 4min, 9min, 11min, 40min, 5h});
  scheduler_.in(person.random.about(pause), [this, &person] { plan_visit(person); });
}

void Population::visit(Person& person) {
  Random& random = person.random;
  const NodeNumber where = any_node(random);
  const auto label = static_cast<Label>(random.below(person.labels));
  if (person.is_heavy && random.percent(70)) {
    for (std::uint64_t i = random.between(1, 2); i > 0; --i) connect(person, where, label, random.about(5h));
    return;
  }
  const std::uint64_t burst = random.once_in(12) ? 30 : random.between(1, 4);
  const Time lasts = random.one_of<Time>({50ms, 5s, 20s, 59s, 3min});
  for (std::uint64_t i = 0; i < burst; ++i) {
    scheduler_.in(random.between(0s, 3s), [this, &person, where, label, time = random.about(lasts)] {
      connect(person, where, label, time);
    });
  }
}

void Population::connect(Person& person, NodeNumber where, Label label, Time lasts) {
  if (!is_open_) return;
  const ConnectionId id{++last_connection_};
  connections_[id] = {.who = &person, .node = where, .label = label, .lasts = lasts};
  node(where).admit(id, person.id, label);
}

void Population::on_admitted(ConnectionId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const Visit& visit = found->second;
  Random& random = visit.who->random;
  const Time dial = random.about(random.once_in(20) ? Time(3s) : Time(30ms));
  SimNode& where = node(visit.node);
  // A failed dial, or a client who loses patience.
  if (random.once_in(15))
    return scheduler_.in(dial, [this, &where, id] {
      where.leave(id);
      connections_.erase(id);
    });
  scheduler_.in(dial, [&where, id] { where.establish(id); });
  scheduler_.in(dial + 1us + visit.lasts, [this, &where, id] {
    where.leave(id);
    connections_.erase(id);
  });
}

void Population::on_refused(ConnectionId id, Verdict why) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const Visit visit = found->second;
  connections_.erase(found);
  Random& random = visit.who->random;
  if (why == Verdict::payment_required && random.percent(20))
    scheduler_.in(random.about(3min), [this, who = visit.who] { pay(*who, some_credits(who->random)); });
  // He tries again, also while it is of no use.
  if (random.percent(30))
    scheduler_.in(random.about(40s),
                  [this, visit] { connect(*visit.who, visit.node, visit.label, visit.lasts); });
}

void Population::on_closed(ConnectionId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const Visit visit = found->second;
  connections_.erase(found);
  Random& random = visit.who->random;
  if (random.percent(60)) {
    const NodeNumber where = random.percent(50) ? visit.node : any_node(random);
    scheduler_.in(random.about(random.one_of<Time>({20ms, 10s, 3min})),
                  [this, visit, where] { connect(*visit.who, where, visit.label, visit.lasts); });
  }
  if (random.percent(25))
    scheduler_.in(random.about(2min), [this, who = visit.who] { pay(*who, some_credits(who->random)); });
}

// ---- paying

Credits Population::some_credits(Random& random) const {
  const std::int64_t price = scenario_.terms.price.units();
  const auto few = static_cast<std::int64_t>(random.between(1, 20));
  const auto odd = static_cast<std::int64_t>(random.between(1, 500'000));
  return Credits::from_units(random.one_of<std::int64_t>(
      {10 * credit, 10 * credit, 27 * credit, 57 * credit, few * price, few * price + odd % price, odd}));
}

void Population::pay_now_and_then(Person& person) {
  if (!is_open_) return;
  pay(person, some_credits(person.random));
  scheduler_.in(person.random.about(12h), [this, &person] { pay_now_and_then(person); });
}

void Population::pay(Person& person, Credits amount) {
  ask_to_pay(person.id, amount, person.id.value * 1'000'000 + ++person.payments);
}

/// With the same reference until he is told that it is done.
void Population::ask_to_pay(UserId user, Credits amount, std::uint64_t reference) {
  if (scenario_.sabotage == Sabotage::forget_purchase && reference % 7 == 0)
    return examiner_.credit_acknowledged(user, reference, scheduler_.now());
  ledger_.ask(
      NodeNumber{}, user,
      [user, amount, reference](SimTables& tables, MonotonicTime at) {
        tables.credit(user, amount, reference, at);
      },
      [this, user, amount, reference](Fate fate) {
        if (fate == Fate::done) return examiner_.credit_acknowledged(user, reference, scheduler_.now());
        scheduler_.in(1s, [this, user, amount, reference] { ask_to_pay(user, amount, reference); });
      });
}

}  // namespace payg::simulation
