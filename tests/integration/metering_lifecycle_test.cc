// What becomes of money and sessions when a node is stopped, killed and started again, and when the
// operator's tool changes things beside it.

#include <signal.h>

#include <nlohmann/json.hpp>

#include "tests/integration/metered_proxy.h"

namespace payg::test {
namespace {

class Lifecycle : public testing::TestWithParam<LedgerKind> {
 protected:
  Lifecycle() : metered_(GetParam(), BillingSettings{.increment = "1h"}) {}

  static constexpr std::int64_t after_one_hour = 6'400 * units_per_second;  // of 10 credits

  MeteredProxy metered_;
};

INSTANTIATE_TEST_SUITE_P(On, Lifecycle, testing::Values(LedgerKind::sqlite, LedgerKind::postgres),
                         name_of_ledger);

TEST_P(Lifecycle, SigtermPostsAllUsageAndExitsInOrder) {
  const Origin echo(scripts::echo());
  const Account alice = metered_.user("alice", "10");
  RawClient tunnel = metered_.http_tunnel(alice, echo);
  RawClient idle = metered_.socks_tunnel(alice, echo);
  ASSERT_TRUE(eventually([&] { return metered_.balance_units(alice) == after_one_hour; }));

  EXPECT_EQ(metered_.proxy().terminate(), (ExitStatus{0, 0}));
  EXPECT_TRUE(tunnel.at_end());
  EXPECT_TRUE(idle.at_end());
  metered_.proxy().expect_clean_books();

  metered_.proxy().start_again();
  EXPECT_EQ(metered_.posted_usage_units(alice), 3'600 * units_per_second);
  EXPECT_EQ(metered_.balance_units(alice), after_one_hour);
  EXPECT_EQ(metered_.live_sessions(alice), 0);
}

TEST_P(Lifecycle, ANodeThatWasKilledSettlesItsSessionsWhenItComesBack) {
  const Origin echo(scripts::echo());
  const Account alice = metered_.user("alice", "10");
  RawClient tunnel = metered_.http_tunnel(alice, echo);
  ASSERT_TRUE(eventually([&] { return metered_.balance_units(alice) == after_one_hour; }));

  metered_.proxy().kill();
  EXPECT_TRUE(tunnel.at_end());
  metered_.proxy().expect_clean_books();

  metered_.proxy().start_again();
  EXPECT_TRUE(eventually([&] { return metered_.posted_usage_units(alice) == 3'600 * units_per_second; }));
  EXPECT_EQ(metered_.live_sessions(alice), 0);
  EXPECT_EQ(metered_.balance_units(alice), after_one_hour) << "charged once";
  EXPECT_EQ(metered_.usage_rows(alice), 1);
}

TEST_P(Lifecycle, APurchaseThatWasAcknowledgedSurvivesAKill) {
  const Account alice = metered_.user("alice", "");
  const AdminClient as_alice = metered_.proxy().user_client(alice.token);
  ASSERT_EQ(as_alice.post("/api/credits/purchase", R"({"amount":25})").status(), 201);
  metered_.proxy().kill();
  metered_.proxy().start_again();
  EXPECT_EQ(metered_.balance_units(alice), 27'000 * units_per_second);
}

TEST_P(Lifecycle, AUserWhoIsDisabledByTheToolIsCut) {
  const Origin echo(scripts::echo());
  const Account alice = metered_.user("alice", "10");
  RawClient tunnel = metered_.http_tunnel(alice, echo);
  const auto disabled = metered_.proxy().paygctl({"user", "disable", "alice"});
  ASSERT_EQ(disabled.status.code, 0) << disabled.errors;
  EXPECT_TRUE(tunnel.at_end());
  EXPECT_TRUE(eventually([&] { return metered_.fetch_status(alice, echo) == 403; }));
}

TEST_P(Lifecycle, ANewTokenFromTheToolReplacesTheOldOne) {
  const Origin web(scripts::answer_ok());
  const Account alice = metered_.user("alice", "10");
  ASSERT_EQ(metered_.fetch_status(alice, web), 200);
  const auto renewed = metered_.proxy().paygctl({"--json", "user", "token", "alice"});
  ASSERT_EQ(renewed.status.code, 0) << renewed.errors;
  const Account after{"alice", nlohmann::json::parse(renewed.output).at("token").get<std::string>()};
  EXPECT_TRUE(eventually([&] { return metered_.fetch_status(alice, web) == 407; }));
  EXPECT_TRUE(eventually([&] { return metered_.fetch_status(after, web) == 200; }));
}

TEST_P(Lifecycle, TheToolShowsWhatTheNodeDoes) {
  const Origin echo(scripts::echo());
  ASSERT_EQ(metered_.proxy().paygctl({"user", "add", "carol"}).status.code, 0);
  ASSERT_EQ(metered_.proxy().paygctl({"credit", "add", "carol", "10", "--reason", "a gift"}).status.code, 0);
  const auto token = metered_.proxy().paygctl({"--json", "user", "token", "carol"});
  const Account carol{"carol", nlohmann::json::parse(token.output).at("token").get<std::string>()};
  ASSERT_TRUE(eventually([&] { return metered_.fetch_status(carol, echo) != 407; }));
  RawClient tunnel = metered_.http_tunnel(carol, echo);
  EXPECT_TRUE(eventually([&] {
    const auto sessions = metered_.proxy().paygctl({"sessions"});
    return sessions.status.code == 0 && sessions.output.find("carol") != std::string::npos;
  }));
  const auto balance = metered_.proxy().paygctl({"--json", "balance", "carol"});
  EXPECT_EQ(nlohmann::json::parse(balance.output).at("balance_units"), after_one_hour) << balance.output;
}

TEST(Draining, LetsARequestThatIsUnderWayFinish) {
  Signal asked;
  Signal stopping;
  const Origin slow([&](OriginConnection& connection) {
    connection.read_request();
    asked.set();
    stopping.wait();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlate");
  });
  ProxySettings settings;
  settings.drain_timeout = "30s";
  ProxyProcess proxy(settings);
  RawClient client = proxy.connect();
  client.send(get(slow));
  asked.wait();
  proxy.process().signal(SIGTERM);
  ASSERT_TRUE(eventually([&] {
    try {
      return RawClient(proxy.address()).at_end();
    } catch (const HarnessError&) {
      return true;
    }
  })) << "it stops accepting";
  stopping.set();
  EXPECT_EQ(read_response(client).body.content, "late");
  EXPECT_EQ(proxy.process().wait(), (ExitStatus{0, 0}));
}

}  // namespace
}  // namespace payg::test
