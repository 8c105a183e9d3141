#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/hostile_crowd.h"
#include "tests/bench/hostile_honest.h"

namespace payg::bench {

/// One line of the table: one attack on one proxy.
struct HostileRow {
  std::string attack;
  std::string ledger;
  std::size_t members = 0;
  CrowdFate fate{};
  double cpu_before = 0, cpu_during = 0;  ///< of one core, 1 is all of it
  std::uint64_t memory_before_bytes = 0, memory_peak_bytes = 0, memory_after_bytes = 0;  ///< Pss
  std::uint64_t standing_reads = 0;                                                      ///< while it went on
  Waits before{}, during{}, after{};  ///< of the honest user
};

/// The table that people read.
std::string to_text(const std::vector<HostileRow>& rows);
std::string to_json(const std::vector<HostileRow>& rows);

}  // namespace payg::bench
