#pragma once

#include <functional>

#include "tests/simulation/population.h"

namespace payg::simulation {

/// All that goes wrong, and what operators do: each kind comes at moments of its own, so that switching one
/// off leaves the others as they are.
class Troubles {
 public:
  Troubles(const Scenario& scenario, Scheduler& scheduler, SimLedger& ledger, Examiner& examiner,
           Journal& journal, const Population::Nodes& nodes);

  void begin();
  /// Nothing goes wrong any more, and everything that is down or away comes back.
  void stop();

 private:
  using Time = std::chrono::nanoseconds;

  void repeat(Fault fault, Time mean, void (Troubles::*happen)());
  void plan(Fault fault, Time mean, void (Troubles::*happen)());
  Random& random(Fault fault) { return streams_[static_cast<std::size_t>(fault)]; }
  SimNode& any_node(Fault fault);
  UserId any_user(Fault fault);
  Time some_time_away(Fault fault);
  Away some_way(Fault fault);

  void outage();
  void partition();
  void hold_a_row();
  void kill();
  void pause();
  void drain();
  void fill_disk();
  void jump_wall();
  void reload();
  void operate();
  void adjust();
  void end_a_session();
  void disable();
  void set_state(UserId user, billing::UserState state);
  void restart_later(SimNode& node, Random& random);
  void start_when_gone(SimNode& node, std::uint32_t life);
  static Time about_its_lease(const SimNode& node, Random& random);

  const Scenario& scenario_;
  Scheduler& scheduler_;
  SimLedger& ledger_;
  Examiner& examiner_;
  Journal& journal_;
  const Population::Nodes& nodes_;
  std::vector<Random> streams_;  // by fault
  bool goes_on_ = true;
  std::uint64_t outages_ = 0;
  std::uint64_t adjustments_ = 0;
};

}  // namespace payg::simulation
