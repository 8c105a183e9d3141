// What users reach without credits: the pages where they pay.

#include <signal.h>

#include "tests/integration/metered_proxy.h"
#include "tests/support/harness/patience.h"

namespace payg::test {
namespace {

class FreeTargets : public testing::Test {
 protected:
  std::string free_targets() const { return "free_targets = [\"" + shop_.authority() + "\"]"; }
  int fetch(const Account& account, const Origin& origin) { return metered_.fetch_status(account, origin); }
  int connect_status(const Account& account, const Origin& origin) {
    RawClient client = metered_.proxy().connect();
    return http_connect(client, origin.authority(), account.name, account.token).status;
  }
  int socks_reply(const Account& account, const Origin& origin) {
    RawClient client = metered_.proxy().connect();
    return socks::open(client, socks::connect_to(origin.address()), account.name, account.token).code;
  }

  Origin shop_{scripts::answer_ok("shop")};
  Origin elsewhere_{scripts::answer_ok()};
  Origin echo_{scripts::echo()};
  MeteredProxy metered_{LedgerKind::sqlite, {.lines = {free_targets()}}};
};

TEST_F(FreeTargets, AreReachedWithoutCreditsByEveryProtocolAndCostNothing) {
  const Account poor = metered_.user("poor", "");
  EXPECT_EQ(fetch(poor, elsewhere_), 402);
  EXPECT_EQ(fetch(poor, shop_), 200);
  EXPECT_EQ(connect_status(poor, elsewhere_), 402);
  EXPECT_EQ(connect_status(poor, shop_), 200);
  EXPECT_EQ(socks_reply(poor, elsewhere_), 2);
  EXPECT_EQ(socks_reply(poor, shop_), 0);
  EXPECT_EQ(metered_.operator_client().metric("payg_sessions_started_total"), 0);
}

TEST_F(FreeTargets, CostNothingForWhoCouldPayEither) {
  const Account rich = metered_.user("rich", "1");
  EXPECT_EQ(fetch(rich, shop_), 200);
  EXPECT_EQ(connect_status(rich, shop_), 200);
  EXPECT_EQ(fetch(rich, elsewhere_), 200);
  EXPECT_TRUE(eventually([&] { return metered_.live_sessions(rich) == 1; }));
  EXPECT_EQ(metered_.operator_client().metric("payg_sessions_started_total"), 1);
}

TEST_F(FreeTargets, NeedTheRightTokenAllTheSame) {
  const Account poor = metered_.user("poor", "");
  EXPECT_EQ(fetch({poor.name, "guess"}, shop_), 407);
  const auto disabled =
      metered_.operator_client().call("PATCH", "/api/admin/users/poor", R"({"state":"disabled"})", {});
  EXPECT_EQ(disabled.status(), 200);
  EXPECT_EQ(fetch(poor, shop_), 403);
}

TEST_F(FreeTargets, AreTheTargetAndNotWhatTheHostFieldSays) {
  const Account poor = metered_.user("poor", "");
  RawClient client = metered_.proxy().connect();
  client.send("GET " + elsewhere_.url() + " HTTP/1.1\r\nHost: " + shop_.authority() +
              "\r\nProxy-Authorization: " + basic_credentials(poor.name, poor.token) + "\r\n\r\n");
  EXPECT_EQ(read_response(client).status, 402);
}

TEST_F(FreeTargets, ArePaidForByNobodyOnAConnectionThatAlsoGoesElsewhere) {
  const Account poor = metered_.user("poor", "");
  RawClient client = metered_.proxy().connect();
  for (const auto& [origin, status] : {std::pair(&shop_, 200), {&elsewhere_, 402}, {&shop_, 200}}) {
    client.send(get_as(poor, *origin));
    EXPECT_EQ(read_response(client).status, status);
  }
  metered_.top_up(poor, "1");
  for (const Origin* origin : {&shop_, &elsewhere_, &shop_}) {
    client.send(get_as(poor, *origin));
    EXPECT_EQ(read_response(client).status, 200);
  }
  EXPECT_TRUE(eventually([&] { return metered_.live_sessions(poor) == 1; }));
}

TEST_F(FreeTargets, StayOpenForWhoIsCut) {
  const Account user = metered_.user("user", "0.002");  // two seconds
  RawClient to_shop = metered_.http_tunnel(user, shop_);
  RawClient to_echo = metered_.http_tunnel(user, echo_);
  to_echo.send("x");
  EXPECT_EQ(to_echo.read_exactly(1), "x");
  EXPECT_TRUE(to_echo.at_end());  // cut
  to_shop.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n");
  EXPECT_EQ(read_response(to_shop).body.content, "shop");
  EXPECT_EQ(metered_.balance_units(user), 0);
  EXPECT_EQ(fetch(user, elsewhere_), 402);
  EXPECT_EQ(fetch(user, shop_), 200);
}

TEST_F(FreeTargets, FollowTheConfigurationWhenItIsReloaded) {
  const Account poor = metered_.user("poor", "");
  EXPECT_EQ(fetch(poor, shop_), 200);
  ProxySettings settings = metered_.proxy().settings();
  settings.billing->lines = {"free_targets = [\"" + elsewhere_.authority() + "\"]"};
  metered_.proxy().rewrite_config(settings.toml(metered_.proxy().folder()));
  metered_.proxy().process().signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return fetch(poor, elsewhere_) == 200; }));
  EXPECT_EQ(fetch(poor, shop_), 402);
}

}  // namespace
}  // namespace payg::test
