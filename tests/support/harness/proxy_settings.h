#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/support/harness/stream.h"

namespace payg::test {

/// The operator's token in every configuration that ProxySettings writes.
inline constexpr const char* operator_token = "operator-token-of-the-tests";

inline constexpr const char* certificate_file = "cert.pem";
inline constexpr const char* key_file = "key.pem";

/// The tables [billing] and [[plugin]] billing. At 3.6 credits an hour a second costs 0.001 credits, which is
/// 3,600 units: amounts that a test can give exactly and read at a glance.
struct BillingSettings {
  std::string ledger{};  ///< empty: SQLite in the proxy's own folder
  std::string spool{};   ///< empty: in the proxy's own folder
  std::string node = "node-1";
  std::string rate_per_hour = "3.6";
  std::string increment = "1s";
  std::string minimum_to_start = "0.001";
  std::string resume_window = "10m";
  std::string outage_grace = "5m";
  std::vector<std::string> lines{};        ///< more lines for [billing], e.g. `max_sessions = 5`
  std::vector<std::string> admin_lines{};  ///< more lines for [billing.admin]
};

/// What a test wants to have configured; everything else is the default, on free loopback ports.
struct ProxySettings {
  std::vector<std::string> listeners{"127.0.0.1:0"};
  /// Of all listeners. By TLS they show what is in the working folder's certificate_file and key_file.
  Transport transport = Transport::plain;
  std::vector<Transport> transports{};        ///< of the first listeners, where they differ from that
  std::vector<std::string> listener_lines{};  ///< more lines for each [[listener]]
  std::vector<std::string> protocols{"http", "socks5"};
  std::vector<std::string> allow_targets{"127.0.0.0/8", "::1/128"};
  std::vector<std::string> nameservers{};
  unsigned workers = 2;
  std::string drain_timeout = "100ms";
  std::vector<std::string> proxy_lines{};  ///< more lines for [proxy], e.g. `idle_timeout = "1s"`
  std::optional<BillingSettings> billing{};
  std::string more{};  ///< more tables, as they stand

  Transport transport_of(std::size_t listener) const {
    return listener < transports.size() ? transports[listener] : transport;
  }
  /// `folder`: where a SQLite ledger goes.
  std::string toml(const std::string& folder) const;
};

}  // namespace payg::test
