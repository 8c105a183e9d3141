#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "billing/billing_plugin.h"
#include "billing/ledger/ledger.h"
#include "tests/support/harness/temp_folder.h"

namespace payg::test {

/// What a plugin was answered with.
template <class Verdict>
struct Said {
  std::optional<Verdict> verdict;
  plugin::Denial denial;
  bool ok() const { return verdict.has_value(); }
};

/// Waits for one answer, however long a busy machine takes.
template <class Verdict>
class Waiter final : public plugin::AnswerSink<Verdict> {
 public:
  void accept(std::uint64_t, Verdict verdict) noexcept override { set({std::move(verdict), {}}); }
  void deny(std::uint64_t, plugin::Denial denial) noexcept override {
    set({std::nullopt, std::move(denial)});
  }

  plugin::Answer<Verdict> answer() { return plugin::Answer<Verdict>(this, 1); }
  bool has_answer() const {
    const std::lock_guard lock(mutex_);
    return said_.has_value();
  }
  Said<Verdict> wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return said_.has_value(); });
    return std::move(*said_);
  }

 private:
  void set(Said<Verdict> said) {
    const std::lock_guard lock(mutex_);
    said_ = std::move(said);
    changed_.notify_all();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Said<Verdict>> said_;
};

/// Stands where the proxy stands: remembers which sessions were ended and why.
class RecordingHost final : public plugin::Host {
 public:
  void end_session(plugin::SessionHandle session, plugin::Denial why) noexcept override;
  void protect_address(const sockaddr* address) override;
  const Clock& clock() const noexcept override { return clock_; }
  void log(plugin::LogLevel level, std::string_view area, std::string_view message) noexcept override;
  std::vector<plugin::Metric> metrics() const override { return {}; }
  std::vector<plugin::ExitReport> exits() const override { return {}; }

  plugin::Denial wait_for_end(plugin::SessionHandle session);
  bool was_ended(plugin::SessionHandle session) const;
  std::size_t protected_addresses() const;
  /// Of the last one: the admin port.
  std::uint16_t protected_port() const;
  /// Everything at level error.
  std::vector<std::string> complaints() const;
  /// Everything at level warning.
  std::vector<std::string> warnings() const;

 private:
  SystemClock clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<plugin::SessionHandle, plugin::Denial> ended_;
  std::size_t protected_addresses_ = 0;
  std::uint16_t protected_port_ = 0;
  std::vector<std::string> complaints_, warnings_;
};

/// One client connection as the proxy reports it.
struct Client {
  plugin::ConnectionId id;
  std::unique_ptr<plugin::Identity> identity;
  plugin::Admission admission;
};

/// A billing plugin on a SQLite ledger of its own, with the calls that a worker makes. Money and users are
/// put in from a second ledger, as another process would.
class PluginRig {
 public:
  static constexpr const char* operator_token = "the-operators-token";

  /// `pricing` are lines of [billing.pricing] that replace the default ones.
  explicit PluginRig(const std::string& pricing = "", const std::string& ledger_url = "");
  ~PluginRig();

  Said<plugin::Authentication> authenticate(std::string_view name, std::string_view token);
  Said<plugin::Authentication> authenticate_without_credentials();
  /// From this address; without a name there are no credentials.
  Said<plugin::Authentication> authenticate_from(const std::string& address, std::string_view name = {},
                                                 std::string_view token = {});
  Said<plugin::Admission> admit(const Client& client);
  /// Authenticated; ends the test if that fails.
  Client identify(std::string_view name, std::string_view token);
  /// The client that an accepted authentication leads to.
  Client client_of(Said<plugin::Authentication> said);
  /// Authenticated, admitted and established; ends the test if one fails.
  Client connect(std::string_view name, std::string_view token);
  void establish(const Client& client);
  void close(const Client& client);
  void fail_dial(const Client& client);

  billing::User add_user(const std::string& name, const std::string& token, std::string_view credits);
  void add_credits(billing::UserId user, std::string_view credits);
  billing::Ledger& ledger() { return *ledger_; }
  WallTime now() const { return host.clock().wall_now(); }
  /// Asks until it is true.
  template <class Condition>
  void eventually(Condition condition);

  plugin::ConfigurationSource source(const std::string& pricing) const;
  /// Of the SQLite ledger, for tests that get in its way.
  std::string file() const { return folder_.path() + "/payg.db"; }

  RecordingHost host;
  billing::BillingPlugin plugin{host};

 private:
  TempFolder folder_;
  const std::string url_;
  std::unique_ptr<billing::Ledger> ledger_;
  std::uint64_t connections_ = 0;
  int references_ = 0;
};

template <class Condition>
void PluginRig::eventually(Condition condition) {
  // No limit of its own: the test runner has one, and says so.
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  while (!condition()) never.wait_for(lock, std::chrono::milliseconds(5));
}

}  // namespace payg::test
