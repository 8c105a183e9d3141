#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "tests/integration/plain_proxy.h"
#include "tests/support/postgres_server.h"

namespace payg::test {

enum class LedgerKind { sqlite, postgres };

inline void PrintTo(LedgerKind kind, std::ostream* out) {
  *out << (kind == LedgerKind::sqlite ? "Sqlite" : "Postgres");
}
inline std::string name_of_ledger(const testing::TestParamInfo<LedgerKind>& test) {
  return test.param == LedgerKind::sqlite ? "Sqlite" : "Postgres";
}

/// What a second costs in the configurations of these tests: 3.6 credits an hour.
inline constexpr std::int64_t units_per_second = 3600;

struct Account {
  std::string name;
  std::string token;
};

/// payg-proxy with billing on real time: increments of one second (or what the settings say).
class MeteredProxy {
 public:
  explicit MeteredProxy(LedgerKind kind, BillingSettings billing = {}, ProxySettings settings = {});
  /// On the ledger that the settings name, which outlives this.
  explicit MeteredProxy(BillingSettings billing, ProxySettings settings = {});

  ProxyProcess& proxy() { return *proxy_; }
  /// As the configuration has it.
  const std::string& ledger_url() const { return ledger_url_; }
  /// Empties the ledger, schema and all. REQUIRES: it is this object's own, and the proxy does not run.
  void forget_ledger();
  AdminClient operator_client() const { return proxy_->operator_client(); }
  AdminClient client(const Account& account) const { return proxy_->user_client(account.token); }
  /// A new user with `credits` ("0.003" is three seconds).
  Account user(const std::string& name, const std::string& credits) const;
  void top_up(const Account& account, const std::string& credits) const;
  std::int64_t balance_units(const Account& account) const;
  /// What was posted as usage for the user, as a positive number of units.
  std::int64_t posted_usage_units(const Account& account) const;
  /// How many usage rows he has.
  int usage_rows(const Account& account) const;
  /// Live sessions of the user, as his own calls show them.
  int live_sessions(const Account& account) const;

  RawClient http_tunnel(const Account& account, const Origin& origin) const;
  RawClient socks_tunnel(const Account& account, const Origin& origin) const;
  /// status_of() one GET through the proxy on a connection of its own.
  int fetch_status(const Account& account, const Origin& origin) const;

 private:
  std::string sqlite_file() const;

  std::unique_ptr<PostgresDatabase> database_;  // outlives the proxy
  std::string ledger_url_;
  std::unique_ptr<ProxyProcess> proxy_;
};

/// A GET with credentials, in absolute form.
std::string get_as(const Account& account, const Origin& origin);

/// The status of the response that comes by `client`; 0: the connection was cut before it was whole, as a
/// session's connections are when it ends in that moment.
int status_of(RawClient& client);

}  // namespace payg::test
