// Three real nodes on one PostgreSQL: what one of them does holds on all, and none is missed when it dies.

#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/integration/metered_proxy.h"
#include "tests/support/harness/patience.h"

namespace payg::test {
namespace {

using std::chrono::steady_clock;

BillingSettings node_on(const PostgresDatabase& database, const std::string& name,
                        const std::string& increment = "1s") {
  BillingSettings settings;
  settings.increment = increment;
  settings.ledger = database.url();
  settings.node = name;
  settings.outage_grace = "1s";
  settings.lines = {"max_sessions_per_user = 3"};
  if (increment == "1s") settings.lines.push_back("node_lease = \"3s\"");
  return settings;
}

/// The same user by a label: a session of its own.
Account labelled(const Account& account, const std::string& label) {
  return {account.name + "-session-" + label, account.token};
}

/// How long it takes until the proxy closes every one of them.
std::chrono::milliseconds time_until_closed(std::vector<RawClient>& tunnels, steady_clock::time_point since) {
  for (RawClient& tunnel : tunnels) EXPECT_TRUE(tunnel.at_end());
  return std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - since);
}

class ManyNodes : public testing::Test {
 protected:
  explicit ManyNodes(const std::string& increment = "1s")
      : a(node_on(database, "node-a", increment)),
        b(node_on(database, "node-b", increment)),
        c(node_on(database, "node-c", increment)) {}

  std::int64_t number(const std::string& sql) const { return std::stoll(database.run(sql)); }
  bool becomes(const std::string& sql, std::int64_t value) const {
    return eventually([&] { return number(sql) == value; });
  }
  std::string session_on(const std::string& node) const {
    return database.run(
        "SELECT lpad(to_hex(session_id), 16, '0') FROM metered_sessions WHERE ended_at IS NULL"
        " AND node = '" +
        node + "' ORDER BY started_at DESC LIMIT 1");
  }
  static bool says(MeteredProxy& node, const std::string& text) {
    return node.proxy().log().find(text) != std::string::npos;
  }

  PostgresDatabase database;
  MeteredProxy a, b, c;
  const std::array<MeteredProxy*, 3> nodes{&a, &b, &c};
  const Origin echo{scripts::echo()};
};

/// The next charge, which the ledger would refuse, comes long after these tests have lost their patience:
/// only the news closes a connection before.
class NewsAmongNodes : public ManyNodes {
 protected:
  NewsAmongNodes() : ManyNodes("10m") {}
};
static_assert(patience < std::chrono::minutes(10));

constexpr const char* live_sessions = "SELECT count(*) FROM metered_sessions WHERE ended_at IS NULL";

TEST_F(ManyNodes, OneUserOnAllOfThemPaysForWhatHeIsGrantedAndNoMoreThanHeHas) {
  const Account alice = a.user("alice", "0.0125");  // 12.5 s for three sessions
  std::vector<RawClient> tunnels;
  for (MeteredProxy* node : nodes) tunnels.push_back(node->http_tunnel(alice, echo));
  ASSERT_TRUE(becomes("SELECT count(DISTINCT node) FROM metered_sessions", 3));
  for (RawClient& tunnel : tunnels) EXPECT_TRUE(tunnel.at_end());
  ASSERT_TRUE(becomes(live_sessions, 0));
  EXPECT_EQ(b.balance_units(alice), 0);
  EXPECT_EQ(number("SELECT sum(charged) FROM metered_sessions"), 12'500 * units_per_second / 1000);
  EXPECT_EQ(number("SELECT sum(granted) FROM metered_sessions"), 12'500);
  EXPECT_EQ(c.posted_usage_units(alice), 12'500 * units_per_second / 1000);
}

TEST_F(ManyNodes, APurchaseThroughOneCountsAtTheNextChargeOnAnother) {
  const Account alice = a.user("alice", "0.002");
  RawClient tunnel = b.http_tunnel(alice, echo);
  ASSERT_EQ(a.client(alice).post("/api/credits/purchase", R"({"amount":10})").status(), 201);
  ASSERT_TRUE(eventually(
      [&] { return number("SELECT coalesce(max(charge_number), 0) FROM metered_sessions") >= 4; }));
  tunnel.send("still here");
  EXPECT_EQ(tunnel.read_exactly(10), "still here");
}

TEST_F(ManyNodes, NoUserHasMoreSessionsThanHeMayHoweverManyAreTriedAtOnce) {
  const Account alice = a.user("alice", "10");
  constexpr int tries = 4;
  std::array<std::vector<RawClient>, 3> let_in;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int label = 0; label < tries; ++label) {
        RawClient client = nodes[i]->proxy().connect();
        const Account who = labelled(alice, std::to_string(i) + "x" + std::to_string(label));
        try {
          const int status = http_connect(client, echo.authority(), who.name, who.token).status;
          EXPECT_TRUE(status == 200 || status == 429) << status;
          if (status == 200) let_in[i].push_back(std::move(client));
        } catch (const HarnessError&) {
          // Let in by what the ledger showed a moment before, and cut by charge 1.
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(becomes(live_sessions, 3));
  EXPECT_EQ(number("SELECT count(*) FROM metered_sessions"), 3) << "the others were never made";
  for (MeteredProxy* node : nodes)
    EXPECT_EQ(node->fetch_status(labelled(alice, "one_more"), echo), 429) << "told before it costs anything";
  const std::string node = database.run("SELECT node FROM metered_sessions LIMIT 1");
  const std::string label = database.run("SELECT label FROM metered_sessions LIMIT 1");
  MeteredProxy& home = node == "node-a" ? a : node == "node-b" ? b : c;
  RawClient joined = home.http_tunnel(labelled(alice, label), echo);
  joined.send("joined");
  EXPECT_EQ(joined.read_exactly(6), "joined") << "a session that is live takes any number of connections";
}

TEST_F(NewsAmongNodes, ASessionThatIsEndedThroughOneEndsOnAnother) {
  const Account alice = a.user("alice", "10");
  constexpr int rounds = 10;
  std::chrono::milliseconds longest{0}, total{0};
  for (int round = 0; round < rounds; ++round) {
    std::vector<RawClient> tunnels;
    tunnels.push_back(b.http_tunnel(labelled(alice, "r" + std::to_string(round)), echo));
    ASSERT_TRUE(becomes(live_sessions, 1));
    const auto begun = steady_clock::now();
    ASSERT_EQ(a.operator_client().call("DELETE", "/api/sessions/" + session_on("node-b"), "", {}).status(),
              204);
    const auto took = time_until_closed(tunnels, begun);
    longest = std::max(longest, took);
    total += took;
  }
  std::cout << "DELETE through another node closes the connection in " << (total / rounds).count()
            << " ms on average, " << longest.count() << " ms at most\n";
  EXPECT_EQ(number("SELECT count(*) FROM metered_sessions WHERE why = 'requested'"), rounds);
}

TEST_F(NewsAmongNodes, AUserWhoIsDisabledThroughOneIsCutOnAll) {
  const Account alice = a.user("alice", "10");
  std::vector<RawClient> tunnels;
  for (MeteredProxy* node : nodes) tunnels.push_back(node->http_tunnel(alice, echo));
  ASSERT_TRUE(becomes(live_sessions, 3));
  const auto begun = steady_clock::now();
  const auto disabled =
      a.operator_client().call("PATCH", "/api/admin/users/alice", R"({"state":"disabled"})", {});
  ASSERT_EQ(disabled.status(), 200);
  std::cout << "disabling closes the connections of three nodes in "
            << time_until_closed(tunnels, begun).count() << " ms\n";
  for (MeteredProxy* node : nodes)
    EXPECT_TRUE(eventually([&] { return node->fetch_status(alice, echo) == 403; }));
}

TEST_F(ManyNodes, TheSessionsOfOneThatIsKilledAreEndedByTheOthersOnce) {
  const Account alice = a.user("alice", "10");
  RawClient on_a = a.http_tunnel(alice, echo), on_b = b.http_tunnel(alice, echo);
  ASSERT_TRUE(becomes(live_sessions, 2));
  a.proxy().kill();
  ASSERT_TRUE(
      becomes("SELECT count(*) FROM metered_sessions WHERE node = 'node-a' AND why = 'node_lost'", 1));
  EXPECT_EQ(number("SELECT count(*) FROM credit_transactions WHERE type = 'usage'"), 1);
  EXPECT_EQ(number("SELECT sum(charged - posted) FROM metered_sessions WHERE node = 'node-a'"), 0);
  const std::string ended = "ended 1 session that node node-a had left open";
  EXPECT_TRUE(eventually([&] { return says(b, ended) || says(c, ended); }));
  EXPECT_NE(says(b, ended), says(c, ended)) << "by one of them";
  on_b.send("unharmed");
  EXPECT_EQ(on_b.read_exactly(8), "unharmed");

  a.proxy().start_again();
  RawClient again = a.http_tunnel(alice, echo);
  ASSERT_TRUE(becomes(live_sessions, 2));
  EXPECT_FALSE(says(a, "had left open")) << a.proxy().log();
}

TEST_F(ManyNodes, OneThatWasStoppedForLongerThanItsLeaseNeitherChargesNorRelaysWhenItGoesOn) {
  Signal speak;
  const Origin late([&](OriginConnection& connection) {
    connection.send("hello");
    speak.wait();
    connection.send("too late");
    (void)connection.stream().read_to_end();
  });
  const Account alice = a.user("alice", "10");
  RawClient tunnel = a.http_tunnel(alice, late);
  ASSERT_EQ(tunnel.read_exactly(5), "hello");
  ASSERT_TRUE(becomes(live_sessions, 1));
  a.proxy().process().pause();
  speak.set();
  tunnel.send("anybody there?");
  ASSERT_TRUE(becomes("SELECT count(*) FROM metered_sessions WHERE why = 'node_lost'", 1));
  const std::int64_t left = b.balance_units(alice);

  a.proxy().process().signal(SIGCONT);
  EXPECT_EQ(tunnel.read_to_end(), "") << "closed, and nothing was relayed";
  const std::string beat = "SELECT beat FROM nodes WHERE node = 'node-a'";
  const std::int64_t awake = number(beat);
  ASSERT_TRUE(eventually([&] { return number(beat) > awake + 1; })) << "it is a node again";
  EXPECT_EQ(b.balance_units(alice), left);
  EXPECT_EQ(number("SELECT count(*) FROM metered_sessions"), 1);
  EXPECT_EQ(b.usage_rows(alice), 1);
  EXPECT_EQ(a.fetch_status(alice, Origin(scripts::answer_ok())), 200) << "whoever comes now is served";
}

TEST_F(ManyNodes, OneThatStartsByTheNameOfAnotherTakesItsPlace) {
  const Account alice = a.user("alice", "10");
  RawClient tunnel = a.http_tunnel(alice, echo);
  ASSERT_TRUE(becomes(live_sessions, 1));
  MeteredProxy newer(node_on(database, "node-a"));
  EXPECT_TRUE(tunnel.at_end());
  EXPECT_TRUE(eventually([&] {
    return says(a, "another process has started by the name of this node, node-a");
  })) << a.proxy().log();
  EXPECT_TRUE(eventually([&] { return a.fetch_status(alice, echo) == 503; }));
  RawClient on_newer = newer.http_tunnel(alice, echo);
  on_newer.send("served");
  EXPECT_EQ(on_newer.read_exactly(6), "served");
  EXPECT_TRUE(becomes(live_sessions, 1));
}

}  // namespace
}  // namespace payg::test
