#pragma once

#include <functional>

#include "tests/simulation/world.h"

namespace payg::simulation {

/// The smallest scenario found in which the same law is broken, and what came of it, with its story.
struct Shrunk {
  Scenario scenario;
  Report report;
};

/// Leaves out users, kinds of trouble, nodes and time, as long as the same law is still broken; at most some
/// hundred runs, each shorter than the first. REQUIRES: `report` has a finding and is of `scenario`.
Shrunk shrink(const Scenario& scenario, const Report& report);

/// What is printed: the seed, the law, how to run it again, and the story.
std::string explain(const Scenario& original, const Shrunk& shrunk);

}  // namespace payg::simulation
