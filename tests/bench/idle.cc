#include "tests/bench/idle.h"

#include "tests/bench/load.h"
#include "tests/bench/usage.h"

namespace payg::bench {

double IdleResult::bytes_per_tunnel() const {
  if (tunnels == 0) return 0;
  return (static_cast<double>(memory_after_bytes) - static_cast<double>(memory_before_bytes)) /
         static_cast<double>(tunnels);
}

IdleResult measure_idle(const Route& route, pid_t proxy, std::size_t tunnels) {
  IdleResult result;
  // The first tunnels grow what all later ones share: pools, buffers, the heap.
  const Script script = ping_pong(route, Handshake::connect);
  run_load(
      script, {.flows = 16, .operations = 16, .duration = {}}, [] {}, [] {});
  result.memory_before_bytes = memory_bytes_of(proxy);

  const LoadResult load = run_load(
      script, {.flows = tunnels, .operations = tunnels, .duration = {}}, [] {},
      [&] { result.memory_after_bytes = memory_bytes_of(proxy); });
  result.tunnels = load.latencies.size();
  result.errors = load.errors;
  return result;
}

}  // namespace payg::bench
