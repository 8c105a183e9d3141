// PgBouncer in transaction mode between the programs and PostgreSQL.

#include <iostream>
#include <nlohmann/json.hpp>

#include "tests/integration/ledger_load.h"
#include "tests/support/pgbouncer.h"

namespace payg::test {
namespace {

class BehindPgBouncer : public testing::Test {
 protected:
  PostgresServer server_{PostgresServer::Options{.settings = "full_page_writes = on"}};
  PostgresDatabase database_{server_.url()};
  PgBouncer bouncer_{database_.url()};
  Origin web_{scripts::answer_ok()};
  MeteredProxy metered_{BillingSettings{.ledger = bouncer_.url(), .increment = "100ms"}};
};

TEST_F(BehindPgBouncer, EverythingWorksThatWorksWithoutIt) {
  EXPECT_EQ(metered_.proxy().paygctl({"migrate"}).status.code, 0);
  const auto accounts = many_users(metered_, "user", 8, "10");
  PingPong traffic(metered_, accounts);
  Shopper shopper(metered_, metered_.user("buyer", ""));
  shopper.wait_for(20);

  const Account poor = metered_.user("poor", "0.002");
  RawClient tunnel = metered_.socks_tunnel(poor, web_);
  EXPECT_TRUE(tunnel.at_end()) << "it is cut when nothing is left";
  EXPECT_EQ(metered_.balance_units(poor), 0);
  EXPECT_EQ(metered_.fetch_status(poor, web_), 402);

  const Account gone = metered_.user("gone", "10");
  RawClient cut = metered_.http_tunnel(gone, web_);
  EXPECT_EQ(metered_.proxy().paygctl({"user", "disable", "gone"}).status.code, 0);
  EXPECT_TRUE(cut.at_end());
  EXPECT_EQ(metered_.proxy().paygctl({"user", "enable", "gone"}).status.code, 0);
  EXPECT_EQ(metered_.proxy().paygctl({"audit"}).status.code, 0);

  shopper.stop_and_check();
  EXPECT_EQ(traffic.broken(), 0);
  traffic.stop();
  auto all = accounts;
  all.insert(all.end(), {poor, gone});
  expect_everything_settled(metered_, all);
  std::cout << "connections of PgBouncer to PostgreSQL: "
            << database_.run(
                   "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                   " AND pid <> pg_backend_pid()")
            << " of at most " << PgBouncer::pool_size << std::endl;
}

TEST_F(BehindPgBouncer, ACrashOfPostgresqlIsSurvivedAsWithoutIt) {
  const auto accounts = many_users(metered_, "user", 8, "10");
  PingPong traffic(metered_, accounts);
  Shopper shopper(metered_, metered_.user("buyer", ""));
  shopper.wait_for(10);
  server_.kill();
  EXPECT_TRUE(eventually([&] { return metered_.operator_client().get("/readyz").status() == 503; }));
  traffic.wait_for(100);
  server_.start();
  EXPECT_TRUE(eventually([&] { return metered_.operator_client().get("/readyz").status() == 200; }));
  shopper.wait_for(10);
  shopper.stop_and_check();
  EXPECT_EQ(traffic.broken(), 0);
  traffic.stop();
  expect_everything_settled(metered_, accounts);
}

}  // namespace
}  // namespace payg::test
