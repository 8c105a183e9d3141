#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "billing/core/credits.h"
#include "config/proxy_config.h"
#include "plugin/base/host_pattern.h"

namespace payg::config {

/// What max_sessions_per_user may be at most: as far as the ledger counts.
inline constexpr unsigned most_sessions_per_user = 10'000;

/// Each admission looks at all of them.
inline constexpr std::size_t most_free_targets = 64;

struct PackageConfig {
  billing::Credits price;    ///< in the currency, counted as credits are
  billing::Credits credits;  ///< at least the price; what is above it is the bonus

  bool operator==(const PackageConfig&) const = default;
};

struct PricingConfig {
  billing::Rate rate = billing::Rate::from_thousandths(800);
  std::chrono::milliseconds increment{std::chrono::minutes(1)};
  billing::Credits increment_price;  ///< exactly rate × increment
  billing::Credits minimum_to_start = billing::Credits::from_units(2'880'000);
  std::chrono::milliseconds resume_window{std::chrono::minutes(10)};
  std::string currency = "USD";
  std::vector<PackageConfig> packages;

  bool operator==(const PricingConfig&) const = default;
};

struct AdminConfig {
  std::string address = "127.0.0.1:8082";
  std::string socket;  ///< a Unix socket beside it; empty: none
  std::string
      operator_token;  ///< read from operator_token_env or operator_token_file; empty: no operator calls
  std::string anonymous_user;  ///< empty: a token is needed

  bool operator==(const AdminConfig&) const = default;
};

struct DemoConfig {
  std::string user;
  std::string token;

  bool operator==(const DemoConfig&) const = default;
};

struct BillingConfig {
  std::string ledger = "sqlite:var/payg.db";
  std::string node = "node-1";  ///< with PostgreSQL never by default
  /// The file that keeps charges which the ledger gives no answer to; by default var/NODE.spool.
  std::string spool = "var/node-1.spool";
  std::chrono::milliseconds outage_grace{std::chrono::minutes(5)};
  /// For how long the other nodes let this one be silent before they end its sessions. By default increment +
  /// outage_grace + billing::usual_lease_slack.
  std::chrono::milliseconds node_lease{std::chrono::seconds(390)};
  /// Live sessions that this node meters at most; more are refused as unavailable.
  unsigned max_sessions = 1'000'000;
  /// For each client address; 0: no limit.
  unsigned wrong_tokens_per_minute = 60;
  /// Live sessions that one user may have on all nodes together; 0: any number.
  unsigned max_sessions_per_user = 0;
  /// The fewest bits of a network of client addresses that a user lists by himself.
  unsigned widest_client_network_v4 = 32;
  unsigned widest_client_network_v6 = 64;
  /// What users reach without a session, unmetered and without credits: where they pay, above all, so that
  /// who was cut can buy through the proxy itself.
  std::vector<HostPattern> free_targets;
  PricingConfig pricing;
  AdminConfig admin;
  std::optional<DemoConfig> demo;
  bool simulated_payments = false;

  bool operator==(const BillingConfig&) const = default;
};

/// Reads the table [`table`] of the file (by default "billing") and checks what hangs together with the rest
/// of it: demo, anonymous_user and simulated payments need loopback addresses, where DESIGN.md says so.
Result<BillingConfig, Errors> read_billing_config(const std::string& path, const std::string& text,
                                                  const std::string& table);

/// The same over a Reading that the caller looks into afterwards. REQUIRES: reading.parsed().
BillingConfig read_billing_table(Reading& reading, const std::string& table);

}  // namespace payg::config
