#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "tests/simulation/examiner.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/scenario.h"

namespace payg::simulation {

/// What came of one run.
struct Report {
  std::optional<Finding> finding;        ///< none: every law held
  std::uint64_t digest = 0;              ///< of everything that happened: the same for the same scenario
  std::chrono::milliseconds granted{0};  ///< over all sessions
  std::uint64_t charges = 0;
  std::uint64_t sessions = 0;
  std::uint64_t steps = 0;
  std::string story;  ///< of whom the finding concerns, if the journal was kept
};

/// Lets a world go by, from the first connection until everything is drained, or until a law is broken.
Report run(const Scenario& scenario, Journal::Keep keep = Journal::Keep::nothing);

/// 24 hours of one session.
constexpr double session_days(std::chrono::milliseconds granted) noexcept {
  return std::chrono::duration<double, std::ratio<86400>>(granted).count();
}

}  // namespace payg::simulation
