#include "tests/unit/admin/admin_port.h"

namespace payg::test {
namespace {

using Balance = AdminPort;

TEST_F(Balance, IsShownRoundedDownAndInExactUnits) {
  const auto alice = add_user("alice");
  give(alice, "10");
  start_session(alice, 7, "blue");  // one minute: 48,000 units
  const Answer answer = get("/api/credits/balance", "alice-token");
  EXPECT_EQ(answer.status, 200);
  // The digits themselves: 35,952,000 units are 9.98666… credits.
  EXPECT_NE(answer.body.find("\"balance\":9.98,"), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("\"rate_per_hour\":0.8,"), std::string::npos) << answer.body;
  const auto balance = answer.json();
  EXPECT_EQ(balance.at("user"), "alice");
  EXPECT_EQ(balance.at("balance_units"), 35'952'000);
  EXPECT_EQ(balance.at("seconds_left"), 749 * 60);
  EXPECT_EQ(balance.at("hours_left"), 12.48);
  EXPECT_EQ(balance.at("can_start"), true);
  EXPECT_EQ(balance.at("minimum_to_start"), 0.8);
  EXPECT_EQ(balance.at("sessions"), 1);
}

TEST_F(Balance, SecondsLeftAreRoundedDown) {
  const auto alice = add_user("alice");
  give(alice, "0.0013");  // 4,680 units at 800 a second
  const auto balance = get("/api/credits/balance", "alice-token").json();
  EXPECT_EQ(balance.at("balance"), 0);
  EXPECT_EQ(balance.at("balance_units"), 4680);
  EXPECT_EQ(balance.at("seconds_left"), 5);
}

TEST_F(Balance, OfAnEmptyUserCannotStart) {
  add_user("alice");
  const auto balance = get("/api/credits/balance", "alice-token").json();
  EXPECT_EQ(balance.at("balance"), 0);
  EXPECT_EQ(balance.at("seconds_left"), 0);
  EXPECT_EQ(balance.at("can_start"), false);
}

TEST_F(Balance, BelowTheMinimumCanStartOnlyWithinTheResumeWindow) {
  const auto alice = add_user("alice");
  give(alice, "0.5");
  EXPECT_EQ(get("/api/credits/balance", "alice-token").json().at("can_start"), false);
  const auto session = start_session(alice, 7, "");
  const billing::EndRequest end{.user = alice.id, .session = session, .at = host.standing_clock.wall_now()};
  ASSERT_TRUE(ledger->end_sessions({&end, 1}).ok());
  EXPECT_EQ(get("/api/credits/balance", "alice-token").json().at("can_start"), true);
  host.standing_clock.set(host.standing_clock.wall_now() + std::chrono::minutes(11));
  EXPECT_EQ(get("/api/credits/balance", "alice-token").json().at("can_start"), false);
}

TEST_F(Balance, PackagesAreShownToAnyone) {
  const Answer answer = ask({.path = "/api/credits/packages"});
  EXPECT_EQ(answer.status, 200);
  const auto packages = answer.json();
  ASSERT_EQ(packages.size(), 3U);
  EXPECT_EQ(packages[1].at("amount"), 25);
  EXPECT_EQ(packages[1].at("price"), 25);
  EXPECT_EQ(packages[1].at("credits"), 27);
  EXPECT_EQ(packages[1].at("bonus"), 2);
  EXPECT_EQ(packages[1].at("hours"), 33.75);
}

}  // namespace
}  // namespace payg::test
