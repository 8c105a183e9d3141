#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "plugin/api/plugin.h"
#include "proxy/refusal_kind.h"

namespace payg::proxy {

/// What one worker counts. Written by its own thread, read by any: each is right on its own, together they
/// may be a moment apart.
struct Counters {
  using Count = std::atomic<std::uint64_t>;

  Count connections_total{0};
  Count connections_open{0};
  Count tunnels_total{0};
  Count http_requests_total{0};
  Count udp_associations_total{0};
  Count datagrams_up_total{0};
  Count datagrams_down_total{0};
  Count datagrams_dropped_total{0};
  Count dials_total{0};
  Count cuts_total{0};        ///< connections closed because their session was ended
  Count connections_held{0};  ///< bytes of theirs wait for a session's permit or for room in a user's bound
  Count holds_total{0};
  Count accept_pauses_total{0};
  Count exit_failures_total{0};  ///< of exits themselves, found by connections
  Count exit_probes_total{0};
  Count exit_probe_failures_total{0};
  Count tls_handshakes_total{0};
  Count tls_failures_total{0};       ///< handshakes that did not become whole
  Count bad_proxy_headers_total{0};  ///< missing, malformed or cut short
  Count up_bytes{0};
  Count down_bytes{0};
  std::array<Count, refusal_kinds> refusals{};
};

/// The sum over all workers as metrics.
std::vector<plugin::Metric> to_metrics(const std::vector<const Counters*>& workers);

}  // namespace payg::proxy
