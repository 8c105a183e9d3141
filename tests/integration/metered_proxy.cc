#include "tests/integration/metered_proxy.h"

#include <filesystem>
#include <nlohmann/json.hpp>

namespace payg::test {

MeteredProxy::MeteredProxy(LedgerKind kind, BillingSettings billing, ProxySettings settings) {
  if (kind == LedgerKind::postgres) {
    database_ = std::make_unique<PostgresDatabase>();
    billing.ledger = database_->url();
  }
  settings.billing = std::move(billing);
  proxy_ = std::make_unique<ProxyProcess>(std::move(settings));
  ledger_url_ = database_ ? database_->url() : "sqlite:" + sqlite_file();
}

MeteredProxy::MeteredProxy(BillingSettings billing, ProxySettings settings) : ledger_url_(billing.ledger) {
  settings.billing = std::move(billing);
  proxy_ = std::make_unique<ProxyProcess>(std::move(settings));
}

std::string MeteredProxy::sqlite_file() const {
  return proxy_->folder() + "/ledger.db";
}

void MeteredProxy::forget_ledger() {
  if (database_) {
    database_->run("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    return;
  }
  for (const char* part : {"", "-wal", "-shm"}) std::filesystem::remove(sqlite_file() + part);
}

Account MeteredProxy::user(const std::string& name, const std::string& credits) const {
  const Account account{name, proxy_->operator_client().create_user(name)};
  if (!credits.empty()) top_up(account, credits);
  return account;
}

void MeteredProxy::top_up(const Account& account, const std::string& credits) const {
  proxy_->operator_client().add_credits(account.name, credits);
}

std::int64_t MeteredProxy::balance_units(const Account& account) const {
  return proxy_->user_client(account.token).balance_units();
}

std::int64_t MeteredProxy::posted_usage_units(const Account& account) const {
  std::int64_t sum = 0;
  const auto history = proxy_->user_client(account.token).get("/api/credits/transactions?limit=500").json();
  for (const auto& row : history.at("transactions")) {
    if (row.at("type") == "usage") sum -= row.at("amount_units").get<std::int64_t>();
  }
  return sum;
}

int MeteredProxy::usage_rows(const Account& account) const {
  int rows = 0;
  const auto history = proxy_->user_client(account.token).get("/api/credits/transactions?limit=500").json();
  for (const auto& row : history.at("transactions")) rows += row.at("type") == "usage" ? 1 : 0;
  return rows;
}

int MeteredProxy::live_sessions(const Account& account) const {
  return static_cast<int>(
      proxy_->user_client(account.token).get("/api/sessions").json().at("sessions").size());
}

RawClient MeteredProxy::http_tunnel(const Account& account, const Origin& origin) const {
  RawClient client = proxy_->connect(ReceiveBuffer::small);
  const auto response = http_connect(client, origin.authority(), account.name, account.token);
  if (response.status != 200) throw HarnessError("no tunnel: " + response.head.raw + response.body.content);
  return client;
}

RawClient MeteredProxy::socks_tunnel(const Account& account, const Origin& origin) const {
  RawClient client = proxy_->connect(ReceiveBuffer::small);
  const auto reply = socks::open(client, socks::connect_to(origin.address()), account.name, account.token);
  if (reply.code != 0) throw HarnessError("no SOCKS5 tunnel: " + std::to_string(reply.code));
  return client;
}

int MeteredProxy::fetch_status(const Account& account, const Origin& origin) const {
  RawClient client = proxy_->connect();
  client.send(get_as(account, origin));
  return status_of(client);
}

std::string get_as(const Account& account, const Origin& origin) {
  return get(origin, "Proxy-Authorization: " + basic_credentials(account.name, account.token) + "\r\n");
}

int status_of(RawClient& client) {
  try {
    return read_response(client).status;
  } catch (const StreamEnded&) {
    return 0;
  }
}

}  // namespace payg::test
