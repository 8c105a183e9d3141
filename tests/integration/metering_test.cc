// The metering rule on real time, through real programs: who is cut when, who is not, and what it costs to
// the unit. Nothing is said here about how fast: only what comes before what, and how much.

#include <algorithm>
#include <atomic>
#include <barrier>
#include <list>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/integration/metered_proxy.h"

namespace payg::test {
namespace {

using namespace std::chrono_literals;

class Metering : public testing::TestWithParam<LedgerKind> {};

INSTANTIATE_TEST_SUITE_P(On, Metering, testing::Values(LedgerKind::sqlite, LedgerKind::postgres),
                         name_of_ledger);

constexpr std::uint64_t gigabyte = 1'000'000'000;

/// Reads at a leisurely pace, so that the stream is far from its end when its reader's time is, until
/// somebody ends it. Returns what was right of it.
std::uint64_t read_slowly_to_the_end(RawClient& client) {
  PatternCheck check;
  for (auto bytes = client.read_some(); !bytes.empty(); bytes = client.read_some()) {
    check.feed(bytes);
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_TRUE(check.intact());
  return check.good_bytes();
}

TEST_P(Metering, ASessionThatRunsDryClosesEveryConnectionAndNobodyElseNotices) {
  MeteredProxy metered(GetParam());
  const Origin bulk(scripts::pattern_stream(gigabyte));
  const Origin others_bulk(scripts::pattern_stream(30'000'000));
  const Origin echo(scripts::echo());
  const Origin web(scripts::answer_ok());
  const Account alice = metered.user("alice", "0.003");
  const Account bob = metered.user("bob", "1");

  RawClient others_download = metered.http_tunnel(bob, others_bulk);
  PatternCheck others;
  others.feed(others_download.read_exactly(100'000));

  const auto started = std::chrono::steady_clock::now();
  RawClient download = metered.http_tunnel(alice, bulk);
  RawClient idle = metered.socks_tunnel(alice, echo);
  RawClient keep_alive = metered.proxy().connect();
  keep_alive.send(get_as(alice, web));
  EXPECT_EQ(read_response(keep_alive).status, 200);

  EXPECT_LT(read_slowly_to_the_end(download), gigabyte) << "it was over before it could be cut";
  const auto lasted = std::chrono::steady_clock::now() - started;
  EXPECT_TRUE(idle.at_end());
  EXPECT_TRUE(keep_alive.at_end());
  EXPECT_GE(lasted, 3s) << "three seconds were paid";
  RecordProperty("cut_after_ms",
                 static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(lasted).count()));

  others.feed(others_download.read_to_end());
  EXPECT_EQ(others.good_bytes(), 30'000'000U) << "the download beside it goes on to its end";

  EXPECT_EQ(metered.balance_units(alice), 0);
  EXPECT_TRUE(eventually([&] { return metered.posted_usage_units(alice) == 3 * units_per_second; }));
  EXPECT_EQ(metered.live_sessions(alice), 0);
}

// An orderly end would tell the origin that it has all of it.
TEST_P(Metering, AnUploadThatIsCutEndsAtTheOriginByAReset) {
  MeteredProxy metered(GetParam());
  std::atomic<std::uint64_t> received = 0;
  std::atomic<bool> was_reset = false;
  const Origin sink([&](OriginConnection& connection) {
    for (;;) {
      const std::string bytes = connection.stream().read_some();
      if (bytes.empty()) break;
      received += bytes.size();
      std::this_thread::sleep_for(1ms);
    }
    was_reset = connection.stream().was_reset();
  });
  const Account alice = metered.user("alice", "0.002");
  RawClient upload = metered.http_tunnel(alice, sink);
  const std::string chunk(65'536, 'u');
  std::uint64_t sent = 0;
  while (upload.try_send(chunk)) sent += chunk.size();
  EXPECT_TRUE(eventually([&] { return was_reset.load(); }));
  EXPECT_LT(received, sent) << "what the proxy held was thrown away";
  EXPECT_EQ(metered.balance_units(alice), 0);
}

TEST_P(Metering, TheLastPartOfAnIncrementIsGrantedAndPaidExactly) {
  MeteredProxy metered(GetParam());
  const Origin echo(scripts::echo());
  const Account alice = metered.user("alice", "0.0025");
  const auto started = std::chrono::steady_clock::now();
  RawClient tunnel = metered.http_tunnel(alice, echo);
  EXPECT_TRUE(tunnel.at_end());
  EXPECT_GE(std::chrono::steady_clock::now() - started, 2500ms);
  EXPECT_EQ(metered.balance_units(alice), 0);
  EXPECT_TRUE(
      eventually([&] { return metered.posted_usage_units(alice) == 2500 * units_per_second / 1000; }));
}

TEST_P(Metering, ATopUpInTheLastSecondLetsTheSameDownloadFinish) {
  MeteredProxy metered(GetParam(), BillingSettings{.increment = "2s"});
  constexpr std::uint64_t size = 30'000'000;
  const Origin bulk(scripts::pattern_stream(size));
  const Account alice = metered.user("alice", "0.004");
  RawClient download = metered.http_tunnel(alice, bulk);
  PatternCheck check;
  check.feed(download.read_exactly(100'000));

  ASSERT_TRUE(eventually([&] { return metered.balance_units(alice) == 0; })) << "the last grant is running";
  metered.top_up(alice, "1");
  const std::int64_t topped_up = 1000 * units_per_second;
  ASSERT_TRUE(eventually([&] { return metered.balance_units(alice) == topped_up - 2 * units_per_second; }))
      << "the next charge was paid out of the top-up";

  check.feed(download.read_to_end());
  EXPECT_EQ(check.good_bytes(), size);
}

TEST_P(Metering, AfterACutAndANewPurchaseThingsGoOn) {
  MeteredProxy metered(GetParam());
  const Origin echo(scripts::echo());
  const Origin web(scripts::answer_ok());
  const Account alice = metered.user("alice", "0.001");
  RawClient tunnel = metered.http_tunnel(alice, echo);
  EXPECT_TRUE(tunnel.at_end());
  EXPECT_EQ(metered.fetch_status(alice, web), 402);
  const auto bought =
      metered.proxy().user_client(alice.token).post("/api/credits/purchase", R"({"amount":10})");
  EXPECT_EQ(bought.status(), 201);
  EXPECT_EQ(metered.fetch_status(alice, web), 200);
  RawClient again = metered.socks_tunnel(alice, echo);
  again.send("back");
  EXPECT_EQ(again.read_exactly(4), "back");
}

TEST_P(Metering, ASessionWithoutConnectionsEndsWithItsIncrementAndPaysNoMore) {
  MeteredProxy metered(GetParam());
  const Origin web(scripts::answer_ok());
  const Account alice = metered.user("alice", "1");
  EXPECT_EQ(metered.fetch_status(alice, web), 200);
  EXPECT_TRUE(eventually([&] { return metered.posted_usage_units(alice) > 0; }));
  EXPECT_EQ(metered.posted_usage_units(alice), units_per_second);
  EXPECT_EQ(metered.balance_units(alice), 999 * units_per_second);
  EXPECT_EQ(metered.live_sessions(alice), 0);
}

TEST_P(Metering, AnIdleTunnelPaysForEverySecond) {
  MeteredProxy metered(GetParam());
  const Origin echo(scripts::echo());
  const Account alice = metered.user("alice", "1");
  {
    RawClient tunnel = metered.socks_tunnel(alice, echo);
    EXPECT_TRUE(eventually([&] { return metered.balance_units(alice) <= 997 * units_per_second; }));
    tunnel.send("alive");
    EXPECT_EQ(tunnel.read_exactly(5), "alive");
  }
  ASSERT_TRUE(eventually([&] { return metered.live_sessions(alice) == 0; }));
  const auto used = metered.posted_usage_units(alice);
  EXPECT_EQ(used % units_per_second, 0) << used;
  EXPECT_EQ(metered.balance_units(alice), 1000 * units_per_second - used);
  EXPECT_EQ(metered.usage_rows(alice), 1) << "posted once, when it ended";
}

/// Opens one tunnel for each name at the same instant.
std::list<RawClient> open_at_once(MeteredProxy& metered, const Account& account, const Origin& origin,
                                  const std::vector<std::string>& names) {
  std::list<RawClient> clients;
  for (std::size_t i = 0; i < names.size(); ++i) clients.emplace_back(metered.proxy().address());
  std::barrier start(static_cast<std::ptrdiff_t>(names.size()));
  std::vector<std::thread> threads;
  std::atomic<int> opened{0};
  auto client = clients.begin();
  for (const auto& name : names) {
    threads.emplace_back([&, client] {
      start.arrive_and_wait();
      if (http_connect(*client, origin.authority(), name, account.token).status == 200) ++opened;
    });
    ++client;
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(opened, static_cast<int>(names.size()));
  return clients;
}

TEST_P(Metering, ThirtyConnectionsAtTheSameInstantAreOneSessionAndOneCharge) {
  MeteredProxy metered(GetParam(), BillingSettings{.increment = "1h"});
  const Origin echo(scripts::echo());
  const Account alice = metered.user("alice", "10");
  const auto clients = open_at_once(metered, alice, echo, std::vector<std::string>(30, "alice"));
  EXPECT_TRUE(eventually([&] { return metered.balance_units(alice) < 10'000 * units_per_second; }));
  EXPECT_EQ(metered.balance_units(alice), 6'400 * units_per_second) << "one hour";
  EXPECT_EQ(metered.live_sessions(alice), 1);
  const auto session =
      metered.proxy().user_client(alice.token).get("/api/sessions").json().at("sessions").at(0);
  EXPECT_EQ(session.at("connections"), 30);
}

TEST_P(Metering, TwoLabelsAreTwoSessionsAndTwoCharges) {
  MeteredProxy metered(GetParam(), BillingSettings{.increment = "1h"});
  const Origin echo(scripts::echo());
  const Account alice = metered.user("alice", "10");
  std::vector<std::string> names(30, "alice-session-blue");
  std::fill_n(names.begin(), 15, "ALICE-session-red");
  const auto clients = open_at_once(metered, alice, echo, names);
  EXPECT_TRUE(eventually([&] { return metered.balance_units(alice) <= 2'800 * units_per_second; }));
  EXPECT_EQ(metered.balance_units(alice), 2'800 * units_per_second) << "two hours";
  EXPECT_EQ(metered.live_sessions(alice), 2);
}

TEST_P(Metering, TenConnectionsOnABalanceOfOneIncrementGetOneBetweenThem) {
  MeteredProxy metered(GetParam());
  const Origin echo(scripts::echo());
  const Account alice = metered.user("alice", "0.001");
  auto clients = open_at_once(metered, alice, echo, std::vector<std::string>(10, "alice"));
  for (auto& client : clients) EXPECT_TRUE(client.at_end());
  EXPECT_EQ(metered.balance_units(alice), 0);
  EXPECT_TRUE(eventually([&] { return metered.posted_usage_units(alice) == units_per_second; }));
}

TEST_P(Metering, AFailedDialCostsNothing) {
  MeteredProxy metered(GetParam());
  const ClosedPort closed;
  const Account alice = metered.user("alice", "1");
  for (int i = 0; i < 5; ++i) {
    RawClient client = metered.proxy().connect();
    EXPECT_EQ(http_connect(client, closed.address().to_string(), alice.name, alice.token).status, 502);
    RawClient socks_client = metered.proxy().connect();
    EXPECT_EQ(socks::open(socks_client, socks::connect_to(closed.address()), alice.name, alice.token).code,
              5);
  }
  EXPECT_EQ(metered.live_sessions(alice), 0);
  EXPECT_EQ(metered.balance_units(alice), 1000 * units_per_second);
  EXPECT_EQ(metered.posted_usage_units(alice), 0);
}

TEST_P(Metering, TwoUsersOnOneKeepAliveConnectionPayEachForHimself) {
  MeteredProxy metered(GetParam(), BillingSettings{.increment = "1h"});
  const Origin web(scripts::answer_ok());
  const Account alice = metered.user("alice", "10");
  const Account bob = metered.user("bob", "10");
  RawClient client = metered.proxy().connect();
  for (const auto* account : {&alice, &bob, &alice}) {
    client.send(get_as(*account, web));
    EXPECT_EQ(read_response(client).status, 200);
  }
  for (const auto* account : {&alice, &bob}) {
    EXPECT_TRUE(eventually([&] { return metered.balance_units(*account) == 6'400 * units_per_second; }))
        << account->name << " has " << metered.balance_units(*account);
  }
}

TEST_P(Metering, ASessionThatIsEndedThroughTheApiIsCut) {
  MeteredProxy metered(GetParam(), BillingSettings{.increment = "1h"});
  const Origin echo(scripts::echo());
  const Account alice = metered.user("alice", "10");
  RawClient tunnel = metered.http_tunnel(alice, echo);
  ASSERT_TRUE(eventually([&] { return metered.live_sessions(alice) == 1; }));
  const AdminClient as_alice = metered.proxy().user_client(alice.token);
  const std::string id =
      as_alice.get("/api/sessions").json().at("sessions").at(0).at("id").get<std::string>();
  EXPECT_EQ(as_alice.call("DELETE", "/api/sessions/" + id, "", {}).status(), 204);
  EXPECT_TRUE(tunnel.at_end());
  EXPECT_TRUE(eventually([&] { return metered.posted_usage_units(alice) == 3'600 * units_per_second; }));
}

}  // namespace
}  // namespace payg::test
