#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "tests/simulation/random.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/sim_ledger.h"
#include "tests/simulation/sim_node.h"

namespace payg::simulation {

/// The users: what each of them does depends on his own numbers alone, and so is the same whoever else there
/// is. Some hold connections for hours, some browse in bursts of up to thirty; they come to any node, by any
/// of their labels, pay when they are refused or on a whim, and come back when they are cut.
class Population final : public Clients {
 public:
  using Nodes = std::vector<std::unique_ptr<SimNode>>;

  Population(const Scenario& scenario, Scheduler& scheduler, SimLedger& ledger, Examiner& examiner,
             const Nodes& nodes);

  void begin();
  /// Nobody comes any more; who is there stays.
  void stop() { is_open_ = false; }

  void on_admitted(plugin::ConnectionId connection) override;
  void on_refused(plugin::ConnectionId connection, Verdict why) override;
  void on_closed(plugin::ConnectionId connection) override;

 private:
  struct Person {
    Person(std::uint64_t seed, UserId user) : id(user), random(seed, Purpose::user, user.value) {}
    UserId id;
    Random random;
    bool is_heavy = false;
    unsigned labels = 1;
    std::uint64_t payments = 0;
  };
  struct Visit {
    Person* who = nullptr;
    NodeNumber node{};
    Label label{};
    std::chrono::nanoseconds lasts{0};
  };

  void plan_visit(Person& person);
  void visit(Person& person);
  void connect(Person& person, NodeNumber node, Label label, std::chrono::nanoseconds lasts);
  void pay(Person& person, billing::Credits amount);
  void ask_to_pay(UserId user, billing::Credits amount, std::uint64_t reference);
  void pay_now_and_then(Person& person);
  billing::Credits some_credits(Random& random) const;
  SimNode& node(NodeNumber number) { return *nodes_[static_cast<std::size_t>(number)]; }
  NodeNumber any_node(Random& random) const { return static_cast<NodeNumber>(random.below(nodes_.size())); }

  const Scenario& scenario_;
  Scheduler& scheduler_;
  SimLedger& ledger_;
  Examiner& examiner_;
  const Nodes& nodes_;
  bool is_open_ = true;
  std::vector<Person> people_;
  std::unordered_map<plugin::ConnectionId, Visit> connections_;
  std::uint64_t last_connection_ = 0;
};

}  // namespace payg::simulation
