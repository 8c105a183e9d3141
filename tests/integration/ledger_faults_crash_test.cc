// PostgreSQL is killed under load, all its processes at once, and started again.

#include <iostream>

#include "tests/integration/ledger_load.h"

namespace payg::test {
namespace {

class LedgerCrash : public testing::Test {
 protected:
  static constexpr int tunnels = 12;

  int ready() const { return metered_.operator_client().get("/readyz").status(); }
  bool charges(double more) {
    const double enough = metric(metered_, "payg_charges_total") + more;
    return eventually([&] { return metric(metered_, "payg_charges_total") >= enough; });
  }

  // Pages that are half written when it dies have to be whole afterwards.
  PostgresServer server_{PostgresServer::Options{.settings = "full_page_writes = on"}};
  PostgresDatabase database_{server_.url()};
  Origin web_{scripts::answer_ok()};
  MeteredProxy metered_{BillingSettings{.ledger = database_.url(), .increment = "100ms"}};
};

TEST_F(LedgerCrash, TakesNothingThatWasAcknowledgedAndCutsNobody) {
  const auto accounts = many_users(metered_, "user", tunnels, "10");
  const auto guests = many_users(metered_, "guest", 3, "10");
  const Account buyer = metered_.user("buyer", "");
  PingPong traffic(metered_, accounts);
  Shopper shopper(metered_, buyer);
  for (const Account& guest : guests) {
    ASSERT_TRUE(charges(2 * tunnels));
    shopper.wait_for(10);
    const auto before = traffic.take_latency();
    server_.kill();
    EXPECT_TRUE(eventually([&] { return ready() == 503; }));
    RawClient newcomer = metered_.proxy().connect();
    newcomer.send(get_as(guest, web_));
    const auto refusal = read_response(newcomer);
    EXPECT_EQ(refusal.status, 503);
    EXPECT_TRUE(refusal.head.has("Retry-After")) << refusal.head.raw;
    const int refused = shopper.refused();
    EXPECT_TRUE(eventually([&] { return shopper.refused() > refused; }));
    traffic.wait_for(50 * tunnels);
    EXPECT_EQ(traffic.broken(), 0);
    const auto during = traffic.take_latency();
    const double owed = metric(metered_, "payg_charges_owed");
    EXPECT_GT(owed, 0);
    server_.start();
    EXPECT_TRUE(eventually([&] { return metered_.fetch_status(guest, web_) == 200; }));
    EXPECT_TRUE(eventually([&] { return ready() == 200; }));
    std::cout << "crash: " << owed << " charges owed; tunnels before: " << before
              << "; while it was away: " << during << std::endl;
  }
  ASSERT_TRUE(charges(tunnels));
  shopper.stop_and_check();
  traffic.stop();
  EXPECT_EQ(traffic.broken(), 0);
  auto all = accounts;
  all.insert(all.end(), guests.begin(), guests.end());
  expect_everything_settled(metered_, all);
  metered_.proxy().expect_clean_books();
}

}  // namespace
}  // namespace payg::test
