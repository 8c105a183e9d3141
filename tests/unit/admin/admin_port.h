#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "billing/admin/admin_server.h"
#include "billing/ledger_thread.h"
#include "tests/unit/admin/admin_fakes.h"
#include "tests/unit/admin/http_client.h"

namespace payg::test {

/// A folder that is removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline const std::string operator_token = "operator-token";

/// The configuration of the tests: the design's prices, simulated payments, an operator's token, port 0.
config::BillingConfig usual_config();

/// An admin port on a real ledger of its own, asked over HTTP. The meter and the proxy are fakes.
class AdminPort : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// Asked before the server starts.
  virtual void configure(config::BillingConfig&) {}
  virtual std::size_t queue_limit() const { return 100; }
  virtual std::string ledger_url() const;
  /// What the server's ledger is made by.
  virtual billing::LedgerFactory factory_of(billing::LedgerFactory factory) { return factory; }

  /// What the server is given, for a second one.
  billing::AdminDependencies dependencies(const config::BillingConfig& config);

  /// Creates a user whose token is "NAME-token".
  billing::User add_user(const std::string& name);
  /// Gives credits behind the server's back.
  void give(const billing::User& user, const std::string& credits);
  std::string balance_of(const billing::User& user);
  /// Makes a live session of a node with one charge of a minute.
  billing::SessionId start_session(const billing::User& user, std::uint64_t id, const std::string& label);

  Answer ask(const Asked& asked) { return ask_port(port, asked); }
  Answer get(const std::string& path, const std::string& token);
  Answer post(const std::string& path, const std::string& token, const std::string& body);
  std::uint64_t rows_of(const billing::User& user);

  TemporaryFolder folder;
  FakeHost host;
  FakeMetering metering;
  std::unique_ptr<billing::Ledger> ledger;  ///< the test's own
  std::unique_ptr<billing::LedgerThread> ledger_thread, report_thread;
  std::unique_ptr<billing::AdminServer> server;
  std::uint16_t port = 0;
};

/// "Authorization: Bearer TOKEN"
std::string bearer(const std::string& token);

}  // namespace payg::test
