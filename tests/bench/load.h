#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "tests/bench/script.h"

namespace payg::bench {

using Nanoseconds = std::chrono::nanoseconds;

/// How much load: `flows` run the script side by side, each one operation after the other, until `operations`
/// have been begun (if given) or `duration` is over.
struct LoadPlan {
  std::size_t flows = 1;
  std::optional<std::size_t> operations;
  std::chrono::milliseconds duration{1000};
};

struct LoadResult {
  std::vector<Nanoseconds> latencies;  ///< of each operation that was done
  std::size_t errors = 0;              ///< operations and greetings that failed
  Nanoseconds elapsed{0};
};

/// Runs the load on this thread. `on_started` is called when all kept flows stand and the clock starts,
/// `on_finished` when it has stopped and the kept flows still stand. A load in which nothing has happened for
/// ten seconds is given up; what was under way counts as errors.
LoadResult run_load(const Script& script, const LoadPlan& plan, const std::function<void()>& on_started,
                    const std::function<void()>& on_finished);

}  // namespace payg::bench
