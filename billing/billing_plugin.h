#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "billing/metering.h"
#include "config/billing_config.h"
#include "plugin/api/plugin.h"

namespace payg::billing {

/// The billing module as the proxy sees it: reads the configuration, owns the threads, and hands each call to
/// the part that knows the answer. Decides nothing itself.
class BillingPlugin final : public plugin::Plugin, private Metering {
 public:
  explicit BillingPlugin(plugin::Host& host);
  ~BillingPlugin() override;

  /// What is wrong with the configuration; empty: it will do. Opens nothing.
  static plugin::ConfigurationErrors check(const plugin::ConfigurationSource& source);

  // plugin::Plugin
  plugin::ConfigurationErrors start(const plugin::ConfigurationSource& source) override;
  plugin::ConfigurationErrors reload(const plugin::ConfigurationSource& source) override;
  void interrupt() noexcept override;
  void stop() noexcept override;
  void authenticate(const plugin::AuthenticationRequest& request,
                    plugin::AuthenticationAnswer answer) noexcept override;
  void admit(const plugin::AdmissionRequest& request, plugin::AdmissionAnswer answer) noexcept override;
  void on_established(const plugin::Attachment& attachment) noexcept override;
  void on_closed(const plugin::Attachment& attachment) noexcept override;

 private:
  struct Node;

  // Metering
  std::optional<LiveSession> find(SessionId session) const override;
  bool end(SessionId session, EndReason why) override;
  void user_changed(const User& user) override;
  void networks_changed(const NetworkList& list) override;
  std::shared_ptr<const config::PricingConfig> pricing() const override;
  LedgerState ledger_state() const override;
  bool is_in_service() const override;
  MeteringCounters counters() const override;

  void warn_of_left_spools(const std::string& own_path);
  std::string wait_for_ledger();
  plugin::ConfigurationErrors start_admin(const plugin::ConfigurationSource& source);
  void apply(const config::BillingConfig& config);
  void on_cut(plugin::SessionHandle session, EndReason why);
  void on_users_read(const std::vector<User>& users);
  void on_session_ended_somewhere(SessionId session);
  void on_superseded();
  void end_sessions_of_disabled(std::span<const User> users);

  plugin::Host& host_;
  mutable std::mutex mutex_;
  std::shared_ptr<const config::PricingConfig> pricing_;  // guarded by mutex_
  std::unique_ptr<Node> node_;                            // from start() on
};

}  // namespace payg::billing
