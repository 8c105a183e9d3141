#include <gtest/gtest.h>

#include "tests/unit/billing/meter_rig.h"

namespace payg::test {
namespace {

using namespace std::chrono_literals;

constexpr UserId alice{7}, bob{8};

class SessionLimit : public ::testing::Test {
 protected:
  SessionLimit() {
    till.balances[alice] = Credits::from_units(480'000);
    till.balances[bob] = Credits::from_units(480'000);
  }
  std::int64_t left(UserId user) { return till.balances[user].units(); }

  MapTill till;
  MeterRig rig{till};
};

TEST_F(SessionLimit, ASessionMoreThanItsUserMayHaveIsCutAndCostsNothing) {
  rig.biller.set_session_limit(2);
  const auto blue = rig.connect(alice, "blue");
  rig.connect(alice, "red");
  const auto green = rig.connect(alice, "green");
  rig.connect(bob);
  rig.run_for(1min);
  EXPECT_EQ(rig.cut(green), EndReason::too_many);
  EXPECT_EQ(rig.cut(blue), std::nullopt);
  EXPECT_EQ(left(alice), 480'000 - 4 * 48'000);
  EXPECT_EQ(rig.biller.unsettled(), 3U);
}

TEST_F(SessionLimit, ASessionThatFoundNoRoomIsNothingToTellTheLedgerOrToWaitFor) {
  rig.biller.set_session_limit(1);
  rig.connect(alice, "blue");
  const auto green = rig.admit(alice, "green"), red = rig.admit(alice, "red");
  rig.establish(green);
  EXPECT_EQ(rig.cut(green), EndReason::too_many);
  EXPECT_FALSE(rig.table.has_end_under_way(alice));
  rig.establish(red);
  EXPECT_EQ(rig.cut(red), EndReason::too_many);
  EXPECT_TRUE(till.ends.empty());
}

TEST_F(SessionLimit, ASessionWhoseUserHasJustLeftAnotherOneWaitsUntilTheLedgerKnows) {
  rig.biller.set_session_limit(1);
  const auto blue = rig.connect(alice, "blue");
  const auto next = rig.admit(alice, "red");
  rig.biller.end(rig.id_of(blue), EndReason::requested, rig.moment());
  rig.establish(next);  // its charge 1 goes to the ledger before the end of the other one
  rig.run_for(2s);
  EXPECT_EQ(rig.cut(next), std::nullopt);
  EXPECT_EQ(till.charges.size(), 2U);
}

}  // namespace
}  // namespace payg::test
