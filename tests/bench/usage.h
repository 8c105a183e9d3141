#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>

namespace payg::bench {

/// What a process and all its descendants have used so far.
struct Usage {
  std::chrono::microseconds user{0};
  std::chrono::microseconds system{0};
};

/// From /proc/PID/stat, whose unit is a clock tick (10 ms): measure over many operations.
/// Source: proc(5). A process that is gone has used nothing.
Usage usage_of(pid_t pid);

/// The proportional set size of a process and all its descendants, from /proc/PID/smaps_rollup.
std::uint64_t memory_bytes_of(pid_t pid);

}  // namespace payg::bench
