#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "billing/ledger_thread.h"
#include "billing/metering.h"
#include "config/billing_config.h"
#include "plugin/api/plugin.h"
#include "plugin/base/address.h"
#include "plugin/base/result.h"

namespace payg::billing {

/// What the admin port works with. Everything referred to outlives the server.
struct AdminDependencies {
  Metering& metering;
  plugin::Host& host;
  LedgerThread& ledger;   ///< for nothing else
  LedgerThread& reports;  ///< for what reads the whole ledger and may take minutes
  config::BillingConfig config;
};

/// The HTTP API of DESIGN.md, "HTTP API (8082)", with an event loop and a thread of its own.
class AdminServer {
 public:
  /// How many requests wait for each of the two threads at most, with the one that is being worked on; more
  /// are refused as busy, at once. Their connections cannot be closed to make room, so these are far fewer
  /// than there may be connections.
  static constexpr std::size_t max_waiting_calls = 64, max_waiting_reports = 4;

  explicit AdminServer(AdminDependencies dependencies);
  /// Calls stop().
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  /// What went wrong, and the key of [billing.admin] that it comes from.
  struct Failure {
    std::string key;
    std::string what;
  };
  /// Binds config.admin.address, and config.admin.socket where there is one, and starts the thread. Returns
  /// the address that was bound (port 0 is replaced by the real one), or what went wrong. Called once.
  Result<SocketAddress, Failure> start();
  /// Any thread. Pricing, packages, operator token and payment switches of `config` are in force from here
  /// on; the addresses stay.
  void reload(const config::BillingConfig& config);
  /// Closes the port and joins the thread. To be called while the ledger threads still run. Calling it again
  /// does nothing.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace payg::billing
