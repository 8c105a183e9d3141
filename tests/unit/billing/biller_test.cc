#include "billing/biller.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "tests/unit/billing/meter_rig.h"

namespace payg::test {
namespace {

using namespace std::chrono_literals;
using billing::Session;
using billing::Turn;

constexpr UserId alice{7}, bob{8};
constexpr Credits ten_minutes = Credits::from_units(480'000);
constexpr Credits one_minute = Credits::from_units(48'000);

class BillerTest : public ::testing::Test {
 protected:
  BillerTest() {
    till.balances[alice] = ten_minutes;
    till.balances[bob] = ten_minutes;
  }
  std::int64_t left(UserId user) { return till.balances[user].units(); }

  MapTill till;
  MeterRig rig{till};
};

TEST_F(BillerTest, ThirtyConnectionsAtTheSameInstantAreOneSessionAndOneCharge) {
  std::vector<plugin::SessionHandle> sessions;
  for (int i = 0; i < 30; ++i) sessions.push_back(rig.admit(alice));
  for (const auto session : sessions) rig.establish(session);
  EXPECT_EQ(std::set<plugin::SessionHandle>(sessions.begin(), sessions.end()).size(), 1U);
  EXPECT_EQ(till.charges.size(), 1U);
  EXPECT_EQ(rig.biller.counters().sessions_live, 1U);
}

TEST_F(BillerTest, TwoLabelsAreTwoSessionsAndPayTwice) {
  rig.connect(alice, "blue");
  rig.connect(alice, "red");
  rig.connect(alice, "red");
  EXPECT_EQ(till.charges.size(), 2U);
  EXPECT_EQ(left(alice), 480'000 - 2 * 48'000);
}

TEST_F(BillerTest, TheFirstChargeCarriesLabelAndExit) {
  rig.connect(alice, "blue");
  rig.run_for(1min);
  ASSERT_EQ(till.charges.size(), 2U);
  EXPECT_EQ(till.charges[0].label, "blue");
  EXPECT_EQ(till.charges[0].exit, "direct");
  EXPECT_EQ(till.charges[1].label, "");
  EXPECT_EQ(till.charges[1].from, till.charges[0].from + 1min);
}

TEST_F(BillerTest, AFailedDialCostsNothingAndLeavesNothingBehind) {
  const auto session = rig.admit(alice);
  rig.table.abandoned(session);
  rig.run_for(1h);
  EXPECT_EQ(left(alice), ten_minutes.units());
  EXPECT_EQ(rig.table.size(), 0U);
  EXPECT_EQ(rig.biller.counters().sessions_started, 0U);
}

TEST_F(BillerTest, ASessionThatRunsDryClosesEveryConnectionWhenItsLastGrantIsOver) {
  const auto began = rig.clock.now();
  const auto session = rig.connect(alice);
  const auto other = rig.connect(alice);
  ASSERT_EQ(session, other);
  rig.run_dry();
  EXPECT_EQ(rig.cut(session), EndReason::exhausted);
  EXPECT_EQ(rig.cut_at(session), began + 10min);
  EXPECT_EQ(left(alice), 0);
  rig.disconnect(session);
  EXPECT_EQ(rig.table.size(), 1U) << "its counters are in use until the last connection is closed";
  rig.disconnect(session);
  EXPECT_EQ(rig.table.size(), 0U);
}

TEST_F(BillerTest, TheLastPartOfAMinuteIsSoldToTheMillisecond) {
  till.balances[alice] = Credits::from_units(48'000 + 24'001);
  const auto began = rig.clock.now();
  const auto session = rig.connect(alice);
  rig.run_dry();
  EXPECT_EQ(rig.cut_at(session), began + 1min + 30'001ms);
  EXPECT_EQ(left(alice), 0);
}

TEST_F(BillerTest, WhenNobodyIsThereAtTheDeadlineItEndsAndNothingIsCharged) {
  const auto session = rig.connect(alice);
  rig.run_for(30s);
  rig.disconnect(session);
  rig.run_dry();
  EXPECT_EQ(till.charges.size(), 1U);
  ASSERT_EQ(till.ends.size(), 1U);
  EXPECT_EQ(till.ends[0].why, EndReason::idle);
  EXPECT_EQ(till.ends[0].at, FakeClock::wall_start + 1min);
  EXPECT_EQ(rig.cut(session), std::nullopt);
  EXPECT_EQ(rig.table.size(), 0U);
}

TEST_F(BillerTest, AGapInTheMiddleOfAMinuteIsNotAskedAbout) {
  const auto session = rig.connect(alice);
  rig.run_for(10s);
  rig.disconnect(session);
  rig.run_for(40s);
  EXPECT_EQ(rig.connect(alice), session);
  rig.run_for(1min);
  EXPECT_EQ(till.charges.size(), 2U);
  EXPECT_EQ(till.charges[1].number, 2U);
}

TEST_F(BillerTest, AConnectionThatClosesWhileTheDeadlineIsBeingDealtWithWasOpenAtIt) {
  const auto session = rig.connect(alice);
  rig.clock.set(FakeClock::start + 1min + 2ms);  // the billing thread is late
  rig.disconnect(session);
  rig.step();
  EXPECT_EQ(till.charges.size(), 2U);
}

TEST_F(BillerTest, AConnectionThatClosesJustBeforeTheDeadlineWasNot) {
  const auto session = rig.connect(alice);
  rig.clock.set(FakeClock::start + 1min - 1ms);
  rig.disconnect(session);
  rig.clock.set(FakeClock::start + 1min + 2ms);
  rig.step();
  EXPECT_EQ(till.charges.size(), 1U);
}

TEST_F(BillerTest, WhoComesBackBehindAMissedDeadlineStartsANewSession) {
  const auto session = rig.connect(alice);
  const auto first = rig.id_of(session);
  rig.clock.set(FakeClock::start + 1min - 1ms);
  rig.disconnect(session);
  rig.clock.set(FakeClock::start + 1min + 3ms);
  const auto again = rig.connect(alice);
  ASSERT_EQ(again, session) << "one stay, since nobody had looked yet";
  ASSERT_EQ(till.charges.size(), 2U);
  EXPECT_EQ(till.charges[1].number, 1U);
  EXPECT_NE(till.charges[1].session, first);
  EXPECT_EQ(till.charges[1].from, FakeClock::wall_start + 1min + 3ms);
}

TEST_F(BillerTest, AStayWaitsForAConnectionThatIsBeingMadeAndIsThenANewSession) {
  const auto session = rig.connect(alice);
  rig.run_for(59s);
  const auto dialling = rig.admit(alice);
  ASSERT_EQ(dialling, session);
  rig.disconnect(session);
  rig.run_for(2s);
  EXPECT_EQ(till.ends.size(), 1U);
  EXPECT_FALSE(rig.table.join_live(alice, "", {})) << "nothing is metered";
  rig.establish(dialling);
  ASSERT_EQ(till.charges.size(), 2U);
  EXPECT_EQ(till.charges[1].number, 1U);
  EXPECT_EQ(till.charges[1].from, FakeClock::wall_start + 61s);
}

TEST_F(BillerTest, ATopUpCountsAtTheNextCharge) {
  till.balances[alice] = one_minute;
  const auto session = rig.connect(alice);
  rig.run_for(59'999ms);
  till.balances[alice] = one_minute;
  rig.run_for(30s);
  EXPECT_EQ(rig.cut(session), std::nullopt);
  rig.run_dry();
  EXPECT_EQ(rig.cut_at(session), FakeClock::start + 2min);
}

TEST_F(BillerTest, AWallClockJumpChangesNothing) {
  const auto session = rig.connect(alice);
  rig.run_for(30s);
  rig.clock.jump_wall(-48h);
  rig.run_for(5min);
  rig.clock.jump_wall(96h);
  rig.run_dry();
  EXPECT_EQ(rig.cut_at(session), FakeClock::start + 10min);
}

TEST_F(BillerTest, TenThousandIncrementsDoNotDriftHoweverLateTheThreadIs) {
  till.balances[alice] = Credits::from_units(48'000 * 10'000LL);
  const auto session = rig.connect(alice);
  for (int i = 1; i < 10'000; ++i) {
    rig.clock.set(FakeClock::start + i * 1min + std::chrono::microseconds(i));
    rig.step();
  }
  rig.run_dry();
  EXPECT_EQ(till.charges.size(), 10'001U);  // the last one found nothing
  EXPECT_EQ(rig.cut_at(session), FakeClock::start + 10'000min);
}

TEST_F(BillerTest, AnOutageShorterThanTheGraceIsPaidInOrderAndNobodyNotices) {
  const auto session = rig.connect(alice);
  rig.run_for(30s);
  till.mood = MapTill::Mood::away;
  rig.run_for(4min);
  EXPECT_EQ(rig.biller.counters().charges_owed, 4U);
  EXPECT_EQ(till.charges.size(), 1U);
  till.mood = MapTill::Mood::answering;
  rig.run_for(1s);
  ASSERT_EQ(till.charges.size(), 5U);
  for (std::uint32_t i = 0; i < 5; ++i) {
    EXPECT_EQ(till.charges[i].number, i + 1);
    EXPECT_EQ(till.charges[i].from, FakeClock::wall_start + i * 1min);
  }
  EXPECT_EQ(rig.cut(session), std::nullopt);
  rig.run_dry();
  EXPECT_EQ(rig.cut_at(session), FakeClock::start + 10min);
  EXPECT_EQ(left(alice), 0);
}

TEST_F(BillerTest, AnOutageLongerThanTheGraceCutsTheSessionAndWhatItOwesIsStillPaid) {
  const auto session = rig.connect(alice);
  till.mood = MapTill::Mood::away;
  rig.run_for(20min);
  EXPECT_EQ(rig.cut(session), EndReason::unavailable);
  EXPECT_EQ(rig.cut_at(session), FakeClock::start + 1min + 5min);
  EXPECT_TRUE(till.ends.empty());
  rig.disconnect(session);
  till.mood = MapTill::Mood::answering;
  rig.run_dry();
  EXPECT_EQ(till.charges.size(), 6U);  // the minute before the outage and five in it
  ASSERT_EQ(till.ends.size(), 1U);
  EXPECT_EQ(till.ends[0].why, EndReason::unavailable);
  EXPECT_EQ(rig.biller.unsettled(), 0U);
  EXPECT_EQ(rig.table.size(), 0U);
}

TEST_F(BillerTest, AnOutageAtTheVeryStartIsBoundedAsWell) {
  till.mood = MapTill::Mood::away;
  const auto session = rig.connect(alice);
  rig.run_for(20min);
  EXPECT_EQ(rig.cut_at(session), FakeClock::start + 5min);
}

TEST_F(BillerTest, WhoLeavesDuringAnOutageOwesNoMoreThanHeUsed) {
  const auto session = rig.connect(alice);
  till.mood = MapTill::Mood::away;
  rig.run_for(150s);
  rig.disconnect(session);
  rig.run_for(2min);
  till.mood = MapTill::Mood::answering;
  rig.run_dry();
  EXPECT_EQ(till.charges.size(), 3U);
  ASSERT_EQ(till.ends.size(), 1U);
  EXPECT_EQ(till.ends[0].why, EndReason::idle);
}

TEST_F(BillerTest, AnEmptyBalanceBehindAnOutageEndsTheSessionWithoutADebt) {
  till.balances[alice] = Credits::from_units(48'000 * 2 + 24'000);
  const auto session = rig.connect(alice);
  till.mood = MapTill::Mood::away;
  rig.run_for(4min + 30s);
  till.mood = MapTill::Mood::answering;
  rig.run_for(1s);
  EXPECT_EQ(rig.cut(session), EndReason::exhausted);
  EXPECT_EQ(left(alice), 0);
  EXPECT_EQ(rig.biller.counters().charges_owed, 0U);
}

TEST_F(BillerTest, AChargeWhoseAnswerWasLostIsNotMadeTwice) {
  rig.connect(alice);
  rig.run_for(59s);
  till.mood = MapTill::Mood::losing_answers;
  rig.run_for(2s);
  till.mood = MapTill::Mood::answering;
  rig.run_for(10s);
  EXPECT_EQ(left(alice), ten_minutes.units() - 2 * 48'000);
  EXPECT_EQ(rig.biller.counters().charges_owed, 0U);
}

TEST_F(BillerTest, WhileABatchIsUnderWayTheNextOneGathers) {
  const auto enter = [&](UserId user) {
    const auto session = rig.admit(user);
    ASSERT_EQ(rig.table.opened(session, "direct", rig.clock.now()), SessionTable::Opened::first);
    rig.biller.start(session, rig.clock.now());
  };
  enter(alice);
  const auto first = rig.biller.take_charges(rig.moment());
  ASSERT_EQ(first.size(), 1U);
  enter(bob);
  EXPECT_TRUE(rig.biller.take_charges(rig.moment()).empty());
  rig.biller.on_charges(till.charge(first), rig.moment());
  const auto second = rig.biller.take_charges(rig.moment());
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].user, bob);
}

TEST_F(BillerTest, EndsThatHaveNoAnswerYetHoldUpNoCharge) {
  const auto ended = rig.connect(alice);
  rig.biller.end(rig.id_of(ended), EndReason::requested, rig.moment());
  EXPECT_EQ(rig.biller.take_ends(rig.moment()).size(), 1U);
  const auto session = rig.admit(bob);
  ASSERT_EQ(rig.table.opened(session, "direct", rig.clock.now()), SessionTable::Opened::first);
  rig.biller.start(session, rig.clock.now());
  const auto charges = rig.biller.take_charges(rig.moment());
  ASSERT_EQ(charges.size(), 1U);
  rig.biller.on_charges(till.charge(charges), rig.moment());
  EXPECT_EQ(rig.biller.counters().charges_owed, 0U);
  EXPECT_EQ(rig.biller.unsettled(), 2U) << "one is metered, and of the other the ledger does not know yet";
}

TEST_F(BillerTest, WhoseRowIsLockedHoldsUpNobodyElse) {
  rig.connect(alice);
  rig.connect(bob);
  till.locked.insert(alice);
  rig.run_for(3min);
  EXPECT_EQ(left(alice), ten_minutes.units() - 48'000);
  EXPECT_EQ(left(bob), ten_minutes.units() - 4 * 48'000);
  EXPECT_EQ(rig.biller.counters().charges_owed, 3U);
  till.locked.clear();
  rig.run_for(1s);
  EXPECT_EQ(left(alice), ten_minutes.units() - 4 * 48'000);
  EXPECT_EQ(rig.biller.counters().charges_owed, 0U);
}

TEST_F(BillerTest, WhoIsLockedIsAskedForSoonAndThenLessAndLessOften) {
  rig.connect(alice);
  till.locked.insert(alice);
  rig.run_for(1min);
  const int before = till.batches;
  rig.run_for(100ms);
  EXPECT_EQ(till.batches - before, 3) << "after 10, 30 and 70 ms";
  rig.run_for(1min - 101ms);
  EXPECT_LE(till.batches - before, 70);
}

TEST_F(BillerTest, WhoIsNeverFoundFreeStandsInLineBeforeTheCutWouldBeLate) {
  rig.connect(alice);
  till.in_a_crowd.insert(alice);
  rig.run_for(1min);
  EXPECT_EQ(left(alice), ten_minutes.units() - 48'000);
  rig.run_for(100ms);
  EXPECT_EQ(left(alice), ten_minutes.units() - 2 * 48'000);
}

TEST_F(BillerTest, WhoStandsInLineIsAloneAndHoldsUpNoBatch) {
  till.locked.insert(alice);
  rig.connect(alice);
  rig.connect(alice, "blue");
  rig.run_for(70ms - 1ns);
  rig.clock.set(rig.clock.now() + 1ns);
  const auto line = rig.biller.take_charges(rig.moment(), Turn::in_line);
  ASSERT_EQ(line.size(), 1U);
  EXPECT_EQ(line[0].turn, Turn::in_line);
  EXPECT_TRUE(rig.biller.take_charges(rig.moment(), Turn::in_line).empty()) << "one at a time";
  rig.connect(bob);
  EXPECT_EQ(left(bob), ten_minutes.units() - 48'000);

  till.mood = MapTill::Mood::away;
  rig.biller.on_charges(till.charge(line), rig.moment(), Turn::in_line);
  till.mood = MapTill::Mood::answering;
  till.locked.clear();
  const auto batch = rig.biller.take_charges(rig.moment());
  ASSERT_EQ(batch.size(), 1U) << "what failed in line goes with the next batch";
  EXPECT_EQ(batch[0].session, line[0].session);
}

TEST_F(BillerTest, WhoIsStuckInLineDoesNotKeepTheOthersOut) {
  till.locked.insert(alice);
  till.in_a_crowd.insert(bob);
  rig.connect(alice);
  rig.connect(alice, "blue");
  rig.connect(bob);
  rig.run_for(100ms);
  EXPECT_EQ(left(bob), ten_minutes.units() - 48'000);
}

TEST_F(BillerTest, AnEndOfWhoIsNeverFoundFreeStandsInLine) {
  const auto blue = rig.connect(alice, "blue");
  till.in_a_crowd.insert(alice);
  rig.biller.end(rig.id_of(blue), EndReason::requested, rig.moment());
  rig.run_for(1s);
  EXPECT_EQ(till.ends.size(), 1U);
}

TEST_F(BillerTest, AnEndOfWhoIsLockedIsWrittenLater) {
  const auto blue = rig.connect(alice, "blue");
  rig.connect(bob);
  till.locked.insert(alice);
  rig.biller.end(rig.id_of(blue), EndReason::requested, rig.moment());
  rig.step();
  EXPECT_TRUE(till.ends.empty());
  EXPECT_TRUE(rig.table.has_end_under_way(alice));
  till.locked.clear();
  rig.run_for(200ms);
  EXPECT_EQ(till.ends.size(), 1U);
  EXPECT_FALSE(rig.table.has_end_under_way(alice));
}

TEST_F(BillerTest, ManySessionsThatFallDueTogetherAreOneBatch) {
  for (std::uint64_t i = 100; i < 600; ++i) {
    till.balances[UserId{i}] = ten_minutes;
    rig.connect(UserId{i});
  }
  const int before = till.batches;
  rig.run_for(1min);
  EXPECT_EQ(till.batches - before, 1);
  EXPECT_EQ(till.charges.size(), 1'000U);
}

TEST_F(BillerTest, EndingAUserCutsAllHisSessionsAndNobodyElses) {
  const auto blue = rig.connect(alice, "blue"), red = rig.connect(alice, "red"), other = rig.connect(bob);
  rig.biller.end_user(alice, EndReason::disabled, rig.moment());
  rig.step();
  EXPECT_EQ(rig.cut(blue), EndReason::disabled);
  EXPECT_EQ(rig.cut(red), EndReason::disabled);
  EXPECT_EQ(rig.cut(other), std::nullopt);
  EXPECT_EQ(till.ends.size(), 2U);
}

TEST_F(BillerTest, ASessionIsEndedByItsId) {
  const auto session = rig.connect(alice);
  rig.biller.end(rig.id_of(session), EndReason::requested, rig.moment());
  rig.biller.end(billing::SessionId{12345}, EndReason::requested, rig.moment());
  rig.step();
  EXPECT_EQ(rig.cut(session), EndReason::requested);
  EXPECT_EQ(rig.biller.unsettled(), 0U);
}

TEST_F(BillerTest, WhoComesBackAfterACutGetsANewStay) {
  const auto session = rig.connect(alice);
  rig.biller.end(rig.id_of(session), EndReason::requested, rig.moment());
  rig.step();
  const auto again = rig.connect(alice);
  EXPECT_NE(again, session);
  EXPECT_EQ(rig.cut(again), std::nullopt);
  rig.disconnect(session);
  EXPECT_EQ(rig.table.size(), 1U);
}

TEST_F(BillerTest, AConnectionThatIsEstablishedBehindTheCutIsTooLate) {
  const auto session = rig.connect(alice);
  const auto dialling = rig.admit(alice);
  rig.biller.end_all(EndReason::drained, rig.moment());
  rig.step();
  EXPECT_EQ(rig.table.opened(dialling, "direct", rig.clock.now()), SessionTable::Opened::too_late);
  rig.disconnect(session);
  rig.disconnect(dialling);
  EXPECT_EQ(rig.table.size(), 0U);
}

TEST_F(BillerTest, AnEndThatTheLedgerDoesNotYetKnowIsRememberedForTheUser) {
  const auto session = rig.connect(alice);
  till.mood = MapTill::Mood::away;
  rig.biller.end(rig.id_of(session), EndReason::requested, rig.moment());
  rig.step();
  EXPECT_TRUE(rig.table.has_end_under_way(alice));
  till.mood = MapTill::Mood::answering;
  rig.run_dry();
  EXPECT_FALSE(rig.table.has_end_under_way(alice));
}

TEST_F(BillerTest, ANewRateCountsFromTheNextChargeOn) {
  rig.connect(alice);
  rig.run_for(30s);
  rig.biller.set_terms(
      {.price = Credits::from_units(96'000), .increment = 1min, .rate = Rate::from_thousandths(1'600)});
  rig.run_for(30s);
  ASSERT_EQ(till.charges.size(), 2U);
  EXPECT_EQ(till.charges[0].price, Credits::from_units(48'000));
  EXPECT_EQ(till.charges[1].price, Credits::from_units(96'000));
}

TEST(Session, AMillionOfThemFitIntoThreeHundredMegabytes) {
  // Beside it: its block's header, its slot, its places in two indexes at their emptiest, its deadline.
  constexpr std::size_t around_it = 16 + 16 + 2 * 11 + 16;
  EXPECT_LE(sizeof(Session) + around_it, 300U);
}

}  // namespace
}  // namespace payg::test
