// The ledger is away: at the start, at an admission, in mid-session; and the proxy is killed meanwhile.

#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/integration/ledger_load.h"
#include "tests/integration/ledger_rows.h"

namespace payg::test {
namespace {

constexpr std::int64_t units_per_increment = units_per_second / 5;

BillingSettings on(const PostgresDatabase& database) {
  return {.ledger = database.url(), .increment = "200ms"};
}

class Outage : public testing::Test {
 protected:
  static constexpr int tunnels = 6;

  int ready(const MeteredProxy& metered) const { return metered.operator_client().get("/readyz").status(); }
  void expect_charges(const MeteredProxy& metered) const {
    const double enough = metric(metered, "payg_charges_total") + 2 * tunnels;
    EXPECT_TRUE(eventually([&] { return metric(metered, "payg_charges_total") >= enough; }));
  }
  /// Until each session has had several increments that nobody has paid.
  void let_debts_grow(const MeteredProxy& metered) const {
    EXPECT_TRUE(eventually([&] { return metric(metered, "payg_charges_spooled") >= 4 * tunnels; }));
  }
  /// When all of them owe.
  void kill_in_an_outage(MeteredProxy& metered, const std::vector<Account>& accounts) {
    PingPong traffic(metered, accounts);
    expect_charges(metered);
    server_.stop_immediately();
    let_debts_grow(metered);
    metered.proxy().kill();
  }
  void expect_refusals_as_unavailable(MeteredProxy& metered, const Account& account) {
    RawClient http = metered.proxy().connect();
    http.send(get_as(account, web_));
    const auto refusal = read_response(http);
    EXPECT_EQ(refusal.status, 503);
    EXPECT_TRUE(refusal.head.has("Retry-After")) << refusal.head.raw;
    RawClient socks = metered.proxy().connect();
    EXPECT_EQ(socks::open(socks, socks::connect_to(web_.address()), account.name, account.token).code, 1);
  }

  const Origin web_{scripts::answer_ok()};
  PostgresServer server_;
  PostgresDatabase database_{server_.url()};
};

TEST_F(Outage, AtTheStartOfTheProxyRefusesNewSessionsAsUnavailableUntilItIsOver) {
  MeteredProxy metered(on(database_));
  const Account guest = metered.user("guest", "10");
  metered.proxy().terminate();
  server_.stop_immediately();
  metered.proxy().start_again();
  EXPECT_EQ(ready(metered), 503);
  EXPECT_EQ(metric(metered, "payg_ledger_up"), 0);
  // It does not know him yet.
  RawClient client = metered.proxy().connect();
  client.send(get_as(guest, web_));
  EXPECT_EQ(read_response(client).status, 503);
  server_.start();
  EXPECT_TRUE(eventually([&] { return metered.fetch_status(guest, web_) == 200; }));
  EXPECT_EQ(ready(metered), 200);
  EXPECT_EQ(metric(metered, "payg_ledger_up"), 1);
}

TEST_F(Outage, ShorterThanTheGraceIsPaidInFullAndNobodyIsCut) {
  MeteredProxy metered(on(database_));
  const auto accounts = many_users(metered, "user", tunnels, "10");
  const Account guest = metered.user("guest", "10");
  ASSERT_EQ(metered.fetch_status(guest, web_), 200);
  PingPong traffic(metered, accounts);
  expect_charges(metered);
  server_.stop_immediately();
  let_debts_grow(metered);
  EXPECT_EQ(ready(metered), 503);
  EXPECT_TRUE(eventually([&] { return metered.fetch_status(guest, web_) == 503; }))
      << "his session has ended";
  expect_refusals_as_unavailable(metered, guest);
  server_.start();
  EXPECT_TRUE(eventually([&] { return metric(metered, "payg_charges_spooled") == 0; }));
  EXPECT_EQ(traffic.broken(), 0);
  EXPECT_TRUE(eventually([&] { return metered.fetch_status(guest, web_) == 200; }));
  traffic.stop();
  auto all = accounts;
  all.push_back(guest);
  expect_everything_settled(metered, all);
}

TEST_F(Outage, LongerThanTheGraceCutsAndWhatWasUsedIsStillPaid) {
  BillingSettings settings = on(database_);
  settings.outage_grace = "2s";
  MeteredProxy metered(std::move(settings));
  const auto accounts = many_users(metered, "user", tunnels, "10");
  PingPong traffic(metered, accounts);
  expect_charges(metered);
  server_.stop_immediately();
  EXPECT_TRUE(eventually([&] { return traffic.broken() == tunnels; }));
  expect_refusals_as_unavailable(metered, accounts[0]);
  const double owed = metric(metered, "payg_charges_owed");
  EXPECT_GE(owed, tunnels * 10) << "two seconds of increments for each";
  server_.start();
  traffic.stop();
  expect_everything_settled(metered, accounts);
  EXPECT_EQ(metric(metered, "payg_charges_owed"), 0);
}

/// What a spool says that each user owes: the number of the last charge of his one session.
std::map<std::uint64_t, std::int64_t> last_numbers(const std::string& spool) {
  std::map<std::uint64_t, std::int64_t> last;
  std::istringstream lines(read_file(spool));
  std::string line;
  for (std::getline(lines, line); std::getline(lines, line);) {
    const auto charge =
        nlohmann::json::parse(line.substr(std::min(line.size(), line.find('{'))), nullptr, false);
    // The end may be half written, and a line may say that a charge was answered.
    if (charge.is_discarded() || !charge.contains("number")) continue;
    std::int64_t& number = last[charge.at("user").get<std::uint64_t>()];
    number = std::max(number, charge.at("number").get<std::int64_t>());
  }
  return last;
}

TEST_F(Outage, AProxyThatIsKilledInItPaysAfterwardsWhatItsSpoolKept) {
  MeteredProxy metered(on(database_));
  const auto accounts = many_users(metered, "user", tunnels, "10");
  const std::string spool = metered.proxy().folder() + "/spool";
  kill_in_an_outage(metered, accounts);
  const auto owed = last_numbers(spool);
  ASSERT_EQ(owed.size(), accounts.size());

  metered.proxy().start_again();
  expect_refusals_as_unavailable(metered, accounts[0]);
  EXPECT_EQ(last_numbers(spool), owed) << "kept until the ledger has it";
  metered.proxy().kill();
  server_.start();
  // Killed at different moments of paying it back.
  for (int life = 0; life < 5; ++life) {
    metered.proxy().start_again();
    metered.proxy().kill();
  }
  metered.proxy().start_again();
  EXPECT_TRUE(eventually([&] { return last_numbers(spool).empty(); }));
  EXPECT_TRUE(eventually([&] { return metered.fetch_status(metered.user("guest", "1"), web_) == 200; }));

  std::size_t user = 0;
  for (const auto& [id, number] : owed) {
    EXPECT_EQ(metered.posted_usage_units(accounts[user]), number * units_per_increment) << "user " << id;
    EXPECT_EQ(metered.live_sessions(accounts[user]), 0);
    ++user;
  }
}

TEST_F(Outage, OfWhichTheSpoolIsLostCostsTheUserNothingMore) {
  MeteredProxy metered(on(database_));
  const auto accounts = many_users(metered, "user", tunnels, "10");
  kill_in_an_outage(metered, accounts);
  ASSERT_EQ(::unlink((metered.proxy().folder() + "/spool").c_str()), 0);
  server_.start();
  const LedgerRows rows(database_.url());
  const std::int64_t charged = rows.number("SELECT sum(charged) FROM metered_sessions");
  metered.proxy().start_again();
  EXPECT_TRUE(eventually([&] { return ready(metered) == 200; }));
  std::int64_t posted = 0;
  for (const Account& account : accounts) {
    posted += metered.posted_usage_units(account);
    EXPECT_EQ(metered.live_sessions(account), 0);
  }
  EXPECT_EQ(posted, charged) << "what the ledger knew of";
}

}  // namespace
}  // namespace payg::test
