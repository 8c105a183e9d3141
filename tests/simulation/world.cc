#include "tests/simulation/world.h"

#include "tests/simulation/troubles.h"

namespace payg::simulation {
namespace {

using namespace std::chrono_literals;

constexpr auto look_interval = 30s;
// Of a story: enough to see what led to it.
constexpr std::size_t most_lines = 150;

class World {
 public:
  World(const Scenario& scenario, Journal::Keep keep)
      : scenario_(scenario),
        journal_(keep),
        examiner_(scenario, journal_),
        ledger_(scenario, scheduler_, examiner_),
        people_(scenario, scheduler_, ledger_, examiner_, nodes_),
        troubles_(scenario, scheduler_, ledger_, examiner_, journal_, nodes_) {
    for (unsigned i = 0; i < scenario.nodes; ++i) {
      nodes_.push_back(std::make_unique<SimNode>(
          static_cast<NodeNumber>(i),
          SimNode::Surroundings{scenario_, scheduler_, ledger_, examiner_, journal_, people_}));
    }
  }

  Report run() {
    for (const auto& node : nodes_) node->start();
    people_.begin();
    troubles_.begin();
    go_on_for(scenario_.length);
    wind_up();
    return report();
  }

 private:
  bool is_over() const { return examiner_.finding().has_value(); }

  void go_on_for(std::chrono::nanoseconds time) {
    const MonotonicTime end = scheduler_.now() + time;
    while (!is_over() && scheduler_.now() < end) {
      const MonotonicTime next = std::min(end, scheduler_.now() + look_interval);
      while (!is_over() && scheduler_.step(next)) continue;
      if (!is_over()) examiner_.look_around(scheduler_.now());
    }
  }

  /// Whatever was left open is ended by drains, and by the starts after them.
  void wind_up() {
    people_.stop();
    troubles_.stop();
    go_on_for(2min);
    for (int round = 0; round < 2; ++round) {
      for (const auto& node : nodes_) node->drain();
      go_on_for(1min);
      for (const auto& node : nodes_) node->start();
      go_on_for(1min);
    }
    if (!is_over()) examiner_.finish(scheduler_.now());
  }

  Report report() const {
    Report report{.finding = examiner_.finding(),
                  .digest = journal_.digest(),
                  .granted = examiner_.granted(),
                  .charges = examiner_.charges(),
                  .sessions = examiner_.sessions(),
                  .steps = scheduler_.done(),
                  .story = {}};
    if (report.finding) report.story = journal_.text(report.finding->user, most_lines);
    return report;
  }

  const Scenario& scenario_;
  Scheduler scheduler_;
  Journal journal_;
  Examiner examiner_;
  SimLedger ledger_;
  Population::Nodes nodes_;
  Population people_;
  Troubles troubles_;
};

}  // namespace

Report run(const Scenario& scenario, Journal::Keep keep) {
  return World(scenario, keep).run();
}

}  // namespace payg::simulation
