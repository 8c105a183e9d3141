#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "tests/bench/load.h"

namespace payg::bench {

/// A user whose balance buys exactly `paid` of connected time.
struct ShortOfMoney {
  std::string name;
  std::string token;
};

struct CutResult {
  /// For each session: how long after the end of its last grant its last byte arrived; zero when the last
  /// byte came before. An upper bound: the session is taken to start when CONNECT is sent, which is a little
  /// before it does.
  std::vector<Nanoseconds> late_by;
  std::size_t errors = 0;  ///< sessions that were refused, or not cut within ten seconds of their end
};

/// Each user opens a tunnel, is sent a few bytes every millisecond, and is cut when his time is over.
CutResult measure_cuts(const Route& route, const std::vector<ShortOfMoney>& users,
                       std::chrono::milliseconds paid);

}  // namespace payg::bench
