// The disk that holds the SQLite ledger is full, and then there is room again.

#include <iostream>
#include <nlohmann/json.hpp>

#include "tests/integration/ledger_load.h"
#include "tests/support/harness/private_namespace.h"
#include "tests/support/harness/small_disk.h"

namespace payg::test {
namespace {

enum class Spool { elsewhere, on_the_same_disk };

class FullDisk : public testing::Test {
 protected:
  explicit FullDisk(Spool spool = Spool::elsewhere)
      : metered_(BillingSettings{.ledger = "sqlite:" + ledger(),
                                 .spool = spool == Spool::elsewhere ? "" : disk_.path() + "/spool",
                                 .increment = "100ms"}) {}

  static constexpr std::size_t room = std::size_t{32} << 20;

  std::string ledger() const { return disk_.path() + "/payg.db"; }
  void expect_integrity() const {
    const Finished check = run_program({"/usr/bin/sqlite3", ledger(), "PRAGMA integrity_check"});
    EXPECT_EQ(check.output, "ok\n") << check.errors;
  }
  int ready() const { return metered_.operator_client().get("/readyz").status(); }
  AdminAnswer buy(const Account& account) const {
    return metered_.client(account).post("/api/credits/purchase", R"({"amount":10})");
  }

  const SmallDisk disk_{room};
  const Origin web_{scripts::answer_ok()};
  MeteredProxy metered_;
};

TEST_F(FullDisk, RefusesCleanlyTearsNothingAndMendsItselfWhenThereIsRoom) {
  const auto accounts = many_users(metered_, "user", 8, "10");
  const auto guests = many_users(metered_, "guest", 2, "10");
  const Account customer = metered_.user("customer", "");
  PingPong traffic(metered_, accounts);
  Shopper shopper(metered_, metered_.user("buyer", ""));
  for (const Account& guest : guests) {
    shopper.wait_for(20);
    disk_.fill();
    EXPECT_TRUE(eventually([&] { return ready() == 503; }));
    const auto refusal = buy(customer);
    EXPECT_EQ(refusal.status(), 503);
    EXPECT_EQ(refusal.json().at("code"), "ledger_unavailable") << refusal.response.body.content;
    EXPECT_EQ(metered_.fetch_status(guest, web_), 503);
    const int refused = shopper.refused();
    EXPECT_TRUE(eventually([&] { return shopper.refused() > refused; }));
    traffic.take_latency();
    traffic.wait_for(400);
    std::cout << "full: " << metric(metered_, "payg_charges_owed")
              << " charges owed; tunnels: " << traffic.take_latency() << std::endl;
    EXPECT_EQ(traffic.broken(), 0);
    disk_.make_room();
    EXPECT_TRUE(eventually([&] { return ready() == 200; }));
    EXPECT_TRUE(eventually([&] { return metered_.fetch_status(guest, web_) == 200; }));
  }
  EXPECT_EQ(buy(customer).status(), 201);
  EXPECT_EQ(metered_.balance_units(customer), 10'000 * units_per_second) << "what was refused was not done";
  shopper.stop_and_check();
  traffic.stop();
  auto all = accounts;
  all.insert(all.end(), guests.begin(), guests.end());
  expect_everything_settled(metered_, all);
  expect_integrity();
}

/// The spool is on that disk too, so that nothing can be promised any more.
class FullDiskWithTheSpool : public FullDisk {
 protected:
  FullDiskWithTheSpool() : FullDisk(Spool::on_the_same_disk) {}
};

TEST_F(FullDiskWithTheSpool, CutsWhatCanBeNeitherPaidNorWrittenDown) {
  const auto accounts = many_users(metered_, "user", 4, "10");
  PingPong traffic(metered_, accounts);
  Shopper shopper(metered_, metered_.user("buyer", ""));
  shopper.wait_for(20);
  disk_.fill();
  EXPECT_TRUE(eventually([&] { return traffic.broken() == 4; }));
  EXPECT_EQ(ready(), 503);
  EXPECT_EQ(metered_.fetch_status(accounts[0], web_), 503);
  EXPECT_EQ(metric(metered_, "payg_spool_up"), 0);
  disk_.make_room();
  EXPECT_TRUE(eventually([&] { return metered_.fetch_status(accounts[0], web_) == 200; }));
  EXPECT_TRUE(eventually([&] { return metric(metered_, "payg_spool_up") == 1; }));
  shopper.stop_and_check();
  traffic.stop();
  expect_everything_settled(metered_, accounts);
  expect_integrity();
}

TEST_F(FullDisk, AProxyThatIsKilledMeanwhileStartsAgainWhenThereIsRoom) {
  const auto accounts = many_users(metered_, "user", 4, "10");
  PingPong traffic(metered_, accounts);
  disk_.fill();
  EXPECT_TRUE(eventually([&] { return ready() == 503; }));
  metered_.proxy().kill();
  traffic.stop();
  disk_.make_room();
  metered_.proxy().start_again();
  EXPECT_TRUE(eventually([&] { return metered_.fetch_status(accounts[0], web_) == 200; }));
  metered_.proxy().expect_clean_books();
}

}  // namespace
}  // namespace payg::test

int main(int argc, char** argv) {
  payg::test::enter_private_mounts(argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
