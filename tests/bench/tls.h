#pragma once

#include "tests/bench/idle.h"
#include "tests/bench/load.h"

namespace payg::bench {

/// What TLS costs, by one client after the other: its own share of the work is done on the same machine, so
/// the proxy's processor time is what to look at. The route's proxy speaks TLS.

/// Connects, shakes hands and closes, so often.
LoadResult shake_hands(const Route& route, std::size_t operations);
/// Fetches `bytes` through one CONNECT tunnel, so often.
LoadResult move_bulk_by_tls(const Route& route, std::size_t operations, std::size_t bytes);
/// As measure_idle().
IdleResult measure_idle_by_tls(const Route& route, pid_t proxy, std::size_t tunnels);

}  // namespace payg::bench
