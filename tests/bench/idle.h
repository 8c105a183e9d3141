#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "tests/bench/script.h"

namespace payg::bench {

/// What tunnels cost that stand open and carry nothing.
struct IdleResult {
  std::size_t tunnels = 0;  ///< that stood
  std::size_t errors = 0;   ///< that could not be opened
  std::uint64_t memory_before_bytes = 0;
  std::uint64_t memory_after_bytes = 0;

  double bytes_per_tunnel() const;
};

/// Opens `tunnels` CONNECT tunnels, lets each carry one small request, and looks at the proxy's memory before
/// and after.
IdleResult measure_idle(const Route& route, pid_t proxy, std::size_t tunnels);

}  // namespace payg::bench
