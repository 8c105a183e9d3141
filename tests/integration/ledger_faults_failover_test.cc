// What becomes of charges and purchases when the PostgreSQL in use goes away and there is another one.

#include <iostream>

#include "tests/integration/ledger_load.h"
#include "tests/support/postgres_relay.h"
#include "tests/support/postgres_url.h"

namespace payg::test {
namespace {

/// Several servers of one database, "127.0.0.1:5432" each, of which the one that takes writes is wanted.
std::string url_of(const std::vector<std::string>& hosts, const std::string& database) {
  std::string list;
  for (const std::string& host : hosts) list += (list.empty() ? "" : ",") + host;
  return "postgresql://payg@" + list + "/" + database + "?target_session_attrs=read-write";
}

/// Since it was made.
class Stopwatch {
 public:
  std::chrono::milliseconds time() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin_);
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

bool another_charge(const MeteredProxy& metered) {
  const double so_far = metric(metered, "payg_charges_total");
  return eventually([&] { return metric(metered, "payg_charges_total") > so_far; });
}

constexpr PostgresServer::Listening port = PostgresServer::Listening::on_a_port_too;

TEST(Failover, ToASynchronousStandbyLosesNothingThatWasAcknowledged) {
  PostgresServer primary({.listening = port, .settings = "full_page_writes = on"});
  PostgresServer standby(PostgresServer::StandbyOf{primary});
  const PostgresDatabase database(primary.url());
  const std::string name = PostgresUrl::parse(database.url()).database;
  const MeteredProxy metered(BillingSettings{
      .ledger = url_of({primary.host_and_port(), standby.host_and_port()}, name), .increment = "100ms"});
  const Origin web(scripts::answer_ok());
  auto accounts = many_users(metered, "user", 8, "10");
  PingPong traffic(metered, accounts);
  Shopper shopper(metered, metered.user("buyer", ""));
  shopper.wait_for(20);
  ASSERT_TRUE(another_charge(metered));

  const Stopwatch since_the_kill;
  primary.kill();
  const int refused = shopper.refused();
  EXPECT_TRUE(eventually([&] { return shopper.refused() > refused; }));
  const double charged = metric(metered, "payg_charges_total");
  const auto promoted_at = since_the_kill.time();
  standby.promote();
  const auto promoted_by = since_the_kill.time();
  EXPECT_TRUE(eventually([&] { return metric(metered, "payg_charges_total") > charged; }));
  std::cout << "after the kill: promoted between " << promoted_at.count() << " and " << promoted_by.count()
            << " ms, charged again by " << since_the_kill.time().count() << " ms" << std::endl;

  shopper.wait_for(20);
  EXPECT_EQ(standby.run(name, "SELECT pg_is_in_recovery()"), "f");
  accounts.push_back(metered.user("guest", "10"));
  // Nobody new is let in before the node's next look at the ledger, which may be two seconds away by then.
  EXPECT_TRUE(eventually([&] { return metered.fetch_status(accounts.back(), web) == 200; }));
  shopper.stop_and_check();
  EXPECT_EQ(traffic.broken(), 0);
  traffic.stop();
  expect_everything_settled(metered, accounts);
}

TEST(Failover, AStandbyThatIsAwayIsAnOutageUntilItIsBack) {
  const PostgresServer primary(PostgresServer::Options{.settings = "full_page_writes = on"});
  PostgresServer standby(PostgresServer::StandbyOf{primary});
  const PostgresDatabase database(primary.url());
  const MeteredProxy metered(BillingSettings{.ledger = database.url(), .increment = "100ms"});
  const auto ready = [&] { return metered.operator_client().get("/readyz").status(); };
  const auto accounts = many_users(metered, "user", 4, "10");
  PingPong traffic(metered, accounts);
  Shopper shopper(metered, metered.user("buyer", ""));
  shopper.wait_for(10);
  standby.kill();  // COMMITs wait for it
  EXPECT_TRUE(eventually([&] { return ready() == 503; }));
  traffic.wait_for(400);
  standby.start();
  EXPECT_TRUE(eventually([&] { return ready() == 200; }));
  EXPECT_TRUE(another_charge(metered));
  shopper.stop_and_check();
  EXPECT_EQ(traffic.broken(), 0);
  traffic.stop();
  expect_everything_settled(metered, accounts);
}

TEST(Failover, AHostThatHasVanishedFromTheNetworkIsPassedOver) {
  const BlackHole vanished(parse_address("127.0.0.1:0"));
  const PostgresServer server({.listening = port});
  const PostgresDatabase database(server.url());
  const Stopwatch since_the_start;
  const MeteredProxy metered(
      BillingSettings{.ledger = url_of({vanished.address().to_string(), server.host_and_port()},
                                       PostgresUrl::parse(database.url()).database),
                      .increment = "100ms"});
  const auto accounts = many_users(metered, "user", 2, "10");
  PingPong traffic(metered, accounts);
  EXPECT_TRUE(another_charge(metered));
  std::cout << "charged " << since_the_start.time().count() << " ms after the start" << std::endl;
  traffic.stop();
  expect_everything_settled(metered, accounts);
}

// As a server is that was paused, or cut off by a firewall: its connections stay, and nothing comes.
TEST(Failover, AServerThatFallsSilentIsLeftForAnother) {
  const PostgresServer server({.listening = port});
  const PostgresDatabase database(server.url());
  PostgresRelay relay(database.url());
  const MeteredProxy metered(
      BillingSettings{.ledger = url_of({relay.address().to_string(), server.host_and_port()},
                                       PostgresUrl::parse(database.url()).database) +
                                "&sslmode=disable&gssencmode=disable",
                      .increment = "100ms"});
  const auto accounts = many_users(metered, "user", 4, "10");
  PingPong traffic(metered, accounts);
  ASSERT_TRUE(another_charge(metered));
  const auto before = traffic.take_latency();
  relay.hold();
  const Stopwatch since_the_silence;
  const double charged = metric(metered, "payg_charges_total");
  EXPECT_TRUE(eventually([&] { return metric(metered, "payg_charges_total") > charged + 8; }));
  const auto during = traffic.take_latency();
  std::cout << "charged again " << since_the_silence.time().count()
            << " ms after the server fell silent; tunnels before: " << before << "; meanwhile: " << during
            << std::endl;
  EXPECT_EQ(traffic.broken(), 0);
  traffic.stop();
  expect_everything_settled(metered, accounts);
}

}  // namespace
}  // namespace payg::test
