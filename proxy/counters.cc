#include "proxy/counters.h"

#include <functional>

namespace payg::proxy {
namespace {

using plugin::Metric;

struct Row {
  const char* name;
  const char* help;
  Metric::Kind kind;
  Counters::Count Counters::*count;
};

constexpr Row rows[] = {
    {"payg_proxy_connections_total", "Client connections accepted.", Metric::Kind::counter,
     &Counters::connections_total},
    {"payg_proxy_connections", "Client connections open.", Metric::Kind::gauge, &Counters::connections_open},
    {"payg_proxy_tunnels_total", "Tunnels established.", Metric::Kind::counter, &Counters::tunnels_total},
    {"payg_proxy_http_requests_total", "HTTP requests read.", Metric::Kind::counter,
     &Counters::http_requests_total},
    {"payg_proxy_udp_associations_total", "UDP associations established.", Metric::Kind::counter,
     &Counters::udp_associations_total},
    {"payg_proxy_datagrams_dropped_total", "Datagrams of UDP associations that were dropped.",
     Metric::Kind::counter, &Counters::datagrams_dropped_total},
    {"payg_proxy_dials_total", "Connections to targets begun.", Metric::Kind::counter,
     &Counters::dials_total},
    {"payg_proxy_cuts_total", "Connections closed because their session was ended.", Metric::Kind::counter,
     &Counters::cuts_total},
    {"payg_proxy_connections_held", "Client connections whose bytes may not move at the moment.",
     Metric::Kind::gauge, &Counters::connections_held},
    {"payg_proxy_holds_total", "Times that a connection was held because its bytes might not move.",
     Metric::Kind::counter, &Counters::holds_total},
    {"payg_proxy_accept_pauses_total", "Times that accepting paused for lack of descriptors or places.",
     Metric::Kind::counter, &Counters::accept_pauses_total},
    {"payg_proxy_exit_failures_total", "Connections that an exit failed to make, by its own fault.",
     Metric::Kind::counter, &Counters::exit_failures_total},
    {"payg_proxy_exit_probes_total", "Probes of exits that are over.", Metric::Kind::counter,
     &Counters::exit_probes_total},
    {"payg_proxy_exit_probe_failures_total", "Probes of exits that failed.", Metric::Kind::counter,
     &Counters::exit_probe_failures_total},
    {"payg_proxy_tls_handshakes_total", "TLS handshakes with clients.", Metric::Kind::counter,
     &Counters::tls_handshakes_total},
    {"payg_proxy_tls_handshake_failures_total", "TLS handshakes that did not become whole.",
     Metric::Kind::counter, &Counters::tls_failures_total},
    {"payg_proxy_bad_proxy_headers_total",
     "Connections closed because their PROXY protocol header was missing or malformed.",
     Metric::Kind::counter, &Counters::bad_proxy_headers_total},
};

double sum(const std::vector<const Counters*>& workers,
           const std::function<const Counters::Count&(const Counters&)>& of) {
  std::uint64_t total = 0;
  for (const auto* worker : workers) total += of(*worker).load(std::memory_order_relaxed);
  return static_cast<double>(total);
}

}  // namespace

std::vector<Metric> to_metrics(const std::vector<const Counters*>& workers) {
  std::vector<Metric> metrics;
  for (const Row& row : rows) {
    const double value =
        sum(workers, [&](const Counters& c) -> const Counters::Count& { return c.*row.count; });
    metrics.push_back({.name = row.name, .help = row.help, .kind = row.kind, .labels = {}, .value = value});
  }
  const auto both_ways = [&](const char* name, const char* help, const char* direction,
                             Counters::Count Counters::*count) {
    metrics.push_back(
        {.name = name,
         .help = help,
         .kind = Metric::Kind::counter,
         .labels = {{"direction", direction}},
         .value = sum(workers, [&](const Counters& c) -> const Counters::Count& { return c.*count; })});
  };
  both_ways("payg_proxy_bytes_total", "Bytes relayed.", "up", &Counters::up_bytes);
  both_ways("payg_proxy_bytes_total", "Bytes relayed.", "down", &Counters::down_bytes);
  constexpr const char* datagrams = "payg_proxy_datagrams_total";
  both_ways(datagrams, "Datagrams relayed.", "up", &Counters::datagrams_up_total);
  both_ways(datagrams, "Datagrams relayed.", "down", &Counters::datagrams_down_total);
  for (std::size_t i = 0; i < refusal_kinds; ++i) {
    metrics.push_back(
        {.name = "payg_proxy_refusals_total",
         .help = "Requests refused, by reason.",
         .kind = Metric::Kind::counter,
         .labels = {{"reason", std::string(row_of(static_cast<RefusalKind>(i)).code)}},
         .value = sum(workers, [&](const Counters& c) -> const Counters::Count& { return c.refusals[i]; })});
  }
  return metrics;
}

}  // namespace payg::proxy
