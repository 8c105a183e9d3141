#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "billing/metering.h"
#include "plugin/api/plugin.h"
#include "plugin/base/address.h"

namespace payg::test {

/// A clock that stands still until it is set. Thread-safe.
class StandingClock final : public Clock {
 public:
  MonotonicTime now() const noexcept override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  WallTime wall_now() const noexcept override {
    const std::lock_guard lock(mutex_);
    return wall_;
  }
  void set(WallTime wall) {
    const std::lock_guard lock(mutex_);
    wall_ = wall;
  }
  /// By the monotonic clock alone.
  void pass(std::chrono::seconds time) {
    const std::lock_guard lock(mutex_);
    now_ += time;
  }

 private:
  mutable std::mutex mutex_;
  MonotonicTime now_{};
  WallTime wall_ = std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + std::chrono::hours(13);
};

/// A proxy that remembers what it was told.
class FakeHost final : public plugin::Host {
 public:
  void end_session(plugin::SessionHandle, plugin::Denial) noexcept override {}
  void protect_address(const sockaddr* address) override {
    const std::lock_guard lock(mutex_);
    protected_.push_back(SocketAddress::from(address).value().to_string());
  }
  const Clock& clock() const noexcept override { return standing_clock; }
  void log(plugin::LogLevel, std::string_view area, std::string_view message) noexcept override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::string(area) + ": " + std::string(message));
  }
  std::vector<plugin::Metric> metrics() const override {
    return {{.name = "payg_connections",
             .help = help,
             .kind = plugin::Metric::Kind::gauge,
             .labels = {},
             .value = 3},
            {.name = "payg_refusals_total", .help = "h", .labels = {{"reason", "forbidden"}}, .value = 2},
            {.name = "payg_refusals_total", .help = "h", .labels = {{"reason", "too_many"}}, .value = 1}};
  }

  std::vector<plugin::ExitReport> exits() const override {
    const std::lock_guard lock(mutex_);
    return exits_;
  }
  void set_exits(std::vector<plugin::ExitReport> exits) {
    const std::lock_guard lock(mutex_);
    exits_ = std::move(exits);
  }

  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  std::vector<std::string> protected_addresses() const {
    const std::lock_guard lock(mutex_);
    return protected_;
  }

  StandingClock standing_clock;
  std::string help = "h";  ///< of a metric: makes the reply to /metrics as long as it is itself

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
  std::vector<plugin::ExitReport> exits_;
  std::vector<std::string> protected_;
};

/// A meter whose state the test decides.
class FakeMetering final : public billing::Metering {
 public:
  std::optional<billing::LiveSession> find(billing::SessionId session) const override {
    const std::lock_guard lock(mutex_);
    const auto found = live.find(session.value);
    return found == live.end() ? std::nullopt : std::optional(found->second);
  }
  bool end(billing::SessionId session, billing::EndReason why) override {
    const std::lock_guard lock(mutex_);
    if (why == billing::EndReason::requested) ended.push_back(session);
    return live.erase(session.value) > 0;
  }
  void user_changed(const billing::User& user) override {
    const std::lock_guard lock(mutex_);
    changed.push_back(user);
  }
  void networks_changed(const billing::NetworkList& list) override {
    const std::lock_guard lock(mutex_);
    listed.push_back(list);
  }
  std::shared_ptr<const config::PricingConfig> pricing() const override {
    const std::lock_guard lock(mutex_);
    return prices;
  }
  billing::LedgerState ledger_state() const override {
    const std::lock_guard lock(mutex_);
    return state;
  }
  bool is_in_service() const override {
    const std::lock_guard lock(mutex_);
    return in_service;
  }
  billing::MeteringCounters counters() const override {
    const std::lock_guard lock(mutex_);
    return counted;
  }

  void set_state(billing::LedgerState wanted) {
    const std::lock_guard lock(mutex_);
    state = wanted;
  }
  void take_out_of_service() {
    const std::lock_guard lock(mutex_);
    in_service = false;
  }
  void set_live(const billing::LiveSession& session) {
    const std::lock_guard lock(mutex_);
    live[session.id.value] = session;
  }
  std::vector<billing::User> changed_users() const {
    const std::lock_guard lock(mutex_);
    return changed;
  }
  std::vector<billing::NetworkList> changed_networks() const {
    const std::lock_guard lock(mutex_);
    return listed;
  }
  std::vector<billing::SessionId> ended_sessions() const {
    const std::lock_guard lock(mutex_);
    return ended;
  }

  // Set before the server runs, or by the methods above.
  std::shared_ptr<const config::PricingConfig> prices;
  billing::MeteringCounters counted;

 private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, billing::LiveSession> live;
  std::vector<billing::SessionId> ended;
  std::vector<billing::User> changed;
  std::vector<billing::NetworkList> listed;
  billing::LedgerState state = billing::LedgerState::up;
  bool in_service = true;
};

}  // namespace payg::test
