#include <gtest/gtest.h>

#include "tests/unit/billing/meter_rig.h"

namespace payg::test {
namespace {

using namespace std::chrono_literals;

constexpr UserId alice{7}, bob{8};
constexpr auto slack = BillerSettings{}.deadline_slack;
constexpr auto unrecorded_limit = BillerSettings{}.unrecorded_limit;

class BillerSpool : public testing::Test {
 protected:
  BillerSpool() {
    till.balances[alice] = Credits::from_units(480'000);
    till.balances[bob] = Credits::from_units(480'000);
  }
  /// Until when a session's bytes may be relayed, from the clock's start.
  std::chrono::nanoseconds relayed_until(plugin::SessionHandle session) {
    return rig.table.find(session)->traffic.relay_until.load() - FakeClock::start;
  }
  std::vector<std::uint32_t> numbers_kept() const {
    std::vector<std::uint32_t> numbers;
    for (const auto& [key, charge] : rig.spool.kept) numbers.push_back(key.number);
    return numbers;
  }

  MapTill till;
  MeterRig rig{till};
};

TEST_F(BillerSpool, NothingIsWrittenWhileTheLedgerAnswers) {
  rig.connect(alice);
  rig.run_for(9min);
  EXPECT_EQ(rig.spool.writes, 0);
}

TEST_F(BillerSpool, WhatHasNoAnswerIsKeptUntilItHasOne) {
  rig.connect(alice, "blue");
  rig.run_for(30s);
  till.mood = MapTill::Mood::away;
  rig.run_for(2min);
  EXPECT_EQ(numbers_kept(), (std::vector<std::uint32_t>{2, 3}));
  const auto& third = rig.spool.kept.rbegin()->second;
  EXPECT_EQ(third.user, alice);
  EXPECT_EQ(third.price, minute_at_eighty_cents.price);
  EXPECT_EQ(third.increment, 1min);
  EXPECT_EQ(third.from, FakeClock::wall_start + 2min);
  EXPECT_EQ(rig.biller.counters().charges_spooled, 2U);

  till.mood = MapTill::Mood::answering;
  rig.run_for(5s);
  EXPECT_EQ(numbers_kept(), std::vector<std::uint32_t>{});
  EXPECT_EQ(rig.biller.counters().charges_spooled, 0U);
}

TEST_F(BillerSpool, WhatIsOwedByALifeThatIsOverIsCutAndKept) {
  till.mood = MapTill::Mood::away;
  const auto begun_in_the_outage = rig.connect(alice);
  rig.run_for(70s);
  till.mood = MapTill::Mood::selling_to_another_life;
  rig.run_for(5s);
  EXPECT_EQ(rig.cut(begun_in_the_outage), EndReason::node_lost);
  EXPECT_EQ(numbers_kept(), (std::vector<std::uint32_t>{1, 2})) << "for whoever starts with this spool";
  EXPECT_TRUE(rig.biller.life_is_over());
  const int asked = till.batches;
  const auto let_in_before = rig.connect(bob);
  EXPECT_EQ(rig.cut(let_in_before), EndReason::node_lost);
  rig.run_for(1h);
  EXPECT_EQ(numbers_kept().size(), 2U) << "he owes nothing";
  EXPECT_EQ(till.batches, asked) << "there is no use in asking again";
}

TEST_F(BillerSpool, TheFirstChargeIsKeptWithLabelAndExit) {
  till.mood = MapTill::Mood::away;
  rig.connect(alice, "blue");
  rig.run_for(10s);
  ASSERT_EQ(rig.spool.kept.size(), 1U);
  EXPECT_EQ(rig.spool.kept.begin()->second.label, "blue");
  EXPECT_EQ(rig.spool.kept.begin()->second.exit, "direct");
}

TEST_F(BillerSpool, WhatWasAnsweredWhileItWasBeingWrittenIsNotKept) {
  rig.spool.mood = ListSpool::Mood::silent;
  till.mood = MapTill::Mood::away;
  rig.connect(alice);
  rig.run_for(10s);
  EXPECT_EQ(rig.spool.writes, 1);
  till.mood = MapTill::Mood::answering;
  rig.run_for(5s);
  EXPECT_EQ(till.charges.size(), 1U);
  rig.biller.on_recorded(Biller::Recorded::safe, rig.moment());
  const auto settled = rig.biller.take_settled();
  ASSERT_EQ(settled.size(), 1U);
  EXPECT_EQ(settled[0].number, 1U);
  EXPECT_EQ(rig.biller.counters().charges_spooled, 0U);
}

TEST_F(BillerSpool, AShortGrantSettlesWhatWasKeptBehindIt) {
  till.balances[alice] = Credits::from_units(48'000 + 24'000);
  rig.connect(alice);
  rig.run_for(30s);
  till.mood = MapTill::Mood::away;
  rig.run_for(3min);
  EXPECT_EQ(numbers_kept(), (std::vector<std::uint32_t>{2, 3, 4}));
  till.mood = MapTill::Mood::answering;
  rig.run_dry();
  EXPECT_TRUE(rig.spool.kept.empty());
  EXPECT_EQ(rig.biller.counters().charges_spooled, 0U);
}

TEST_F(BillerSpool, WhatIsOwedAgainByANumberThatWasSettledIsKept) {
  struct OneAnswer final : Till {
    Charged charge(const std::vector<billing::ChargeRequest>& requests) override {
      const Charged answer = till.charge(requests);
      till.mood = MapTill::Mood::away;
      return answer;
    }
    Ended end(const std::vector<billing::EndRequest>& requests) override { return till.end(requests); }
    MapTill till;
  } once;
  once.till.balances[alice] = Credits::from_units(24'000);
  MeterRig starting{once};
  once.till.mood = MapTill::Mood::away;
  const auto session = starting.connect(alice);
  starting.run_for(3min - 10s);
  ASSERT_EQ(starting.spool.kept.size(), 3U);
  // Number 1 buys half of its minute, and 2 and 3 are owed from there on.
  once.till.mood = MapTill::Mood::answering;
  starting.run_for(5s);
  ASSERT_EQ(once.till.charges.size(), 1U);
  starting.run_for(1s);
  const auto& left = starting.table.find(session)->meter;
  std::vector<std::uint32_t> owed, kept;
  for (std::uint32_t number = left->next_number(); number <= left->last_number(); ++number)
    owed.push_back(number);
  for (const auto& [key, charge] : starting.spool.kept) kept.push_back(key.number);
  EXPECT_EQ(kept, owed);
}

TEST_F(BillerSpool, WhatACutSessionOwesIsKeptAsWell) {
  const auto session = rig.connect(alice);
  till.mood = MapTill::Mood::away;
  rig.run_for(1min);
  rig.biller.end(rig.id_of(session), EndReason::requested, rig.moment());
  rig.run_for(10s);
  EXPECT_EQ(numbers_kept(), (std::vector<std::uint32_t>{2}));
  till.mood = MapTill::Mood::answering;
  rig.run_dry();
  EXPECT_TRUE(rig.spool.kept.empty());
  EXPECT_EQ(till.charges.size(), 2U);
}

TEST_F(BillerSpool, WhatIsNeitherPaidNorKeptIsNotRelayedForLong) {
  rig.spool.mood = ListSpool::Mood::full;
  const auto session = rig.connect(alice);
  rig.run_for(30s);
  till.mood = MapTill::Mood::away;
  rig.run_for(2min);
  EXPECT_EQ(rig.cut(session), EndReason::unavailable);
  EXPECT_EQ(rig.cut_at(session), FakeClock::start + 1min + unrecorded_limit);
  rig.disconnect(session);
  rig.spool.mood = ListSpool::Mood::writing;
  rig.run_for(1s);
  EXPECT_EQ(numbers_kept(), std::vector<std::uint32_t>{2}) << "it began, so it is owed";
}

TEST_F(BillerSpool, AFullDiskCutsNobodyWhileTheLedgerAnswersInTime) {
  rig.spool.mood = ListSpool::Mood::full;
  till.mood = MapTill::Mood::away;
  const auto session = rig.connect(alice);
  rig.run_for(500ms);
  EXPECT_GT(rig.spool.writes, 0);
  till.mood = MapTill::Mood::answering;
  rig.run_for(2min);
  EXPECT_EQ(rig.cut(session), std::nullopt);
}

TEST_F(BillerSpool, ADiskThatHangsHoldsForAMomentAndThenCuts) {
  const auto session = rig.connect(alice);
  rig.run_for(30s);
  till.mood = MapTill::Mood::away;
  rig.spool.mood = ListSpool::Mood::silent;
  rig.run_for(30s + 5s);
  EXPECT_EQ(rig.cut(session), std::nullopt);
  const auto later = rig.connect(bob);
  rig.run_for(3min);
  const auto written_from = FakeClock::start + 1min + BillerSettings{}.record_after;
  EXPECT_EQ(rig.cut(session), EndReason::unavailable);
  EXPECT_EQ(rig.cut_at(session), written_from + BillerSettings{}.longest_hold);
  EXPECT_EQ(rig.cut(later), EndReason::unavailable) << "who falls due meanwhile waits no longer";
  EXPECT_LE(*rig.cut_at(later), *rig.cut_at(session));
  till.mood = MapTill::Mood::answering;
  rig.run_for(1min);
  EXPECT_EQ(till.charges.size(), 3U) << "nobody pays for more than had begun";
}

// ---- until when bytes may be relayed

TEST_F(BillerSpool, PaidTimeIsRelayedToItsEndAndAMomentBeyond) {
  const auto session = rig.connect(alice);
  EXPECT_EQ(relayed_until(session), 1min + slack);
  rig.run_for(1min);
  EXPECT_EQ(relayed_until(session), 2min + slack);
}

TEST_F(BillerSpool, AShortGrantIsRelayedNoLonger) {
  till.balances[alice] = Credits::from_units(24'000);
  const auto session = rig.connect(alice);
  EXPECT_EQ(relayed_until(session), 30s + slack);
}

TEST_F(BillerSpool, OwedTimeIsRelayedAsFarAsItIsKept) {
  till.mood = MapTill::Mood::away;
  const auto session = rig.connect(alice);
  EXPECT_EQ(relayed_until(session), unrecorded_limit);
  rig.run_for(1s);
  EXPECT_EQ(relayed_until(session), 1min + slack);
  rig.spool.mood = ListSpool::Mood::silent;
  rig.run_for(1min);
  EXPECT_EQ(relayed_until(session), 1min + unrecorded_limit);
  EXPECT_EQ(rig.cut(session), std::nullopt) << "it is being written: held, not cut";
  rig.biller.on_recorded(Biller::Recorded::safe, rig.moment());
  EXPECT_EQ(relayed_until(session), 2min + slack);
}

TEST_F(BillerSpool, NothingIsRelayedBehindTheGrace) {
  BillerSettings settings;
  settings.outage_grace = 90s;
  MeterRig node{till, minute_at_eighty_cents, settings};
  const auto session = node.connect(alice);
  node.run_for(30s);
  till.mood = MapTill::Mood::away;
  node.run_for(90s + 1s);
  EXPECT_EQ(node.table.find(session)->traffic.relay_until.load(), FakeClock::start + 1min + 90s + slack);
}

TEST_F(BillerSpool, ACutSessionIsRelayedNoMore) {
  const auto session = rig.connect(alice);
  const plugin::SessionTraffic& traffic = rig.table.find(session)->traffic;
  rig.biller.end_user(alice, EndReason::disabled, rig.moment());
  EXPECT_EQ(traffic.relay_until.load(), MonotonicTime::min());
}

// ---- a node that slept

BillerSettings with_a_lease_of_seven_minutes() {
  BillerSettings settings;
  settings.lease = 7min;
  return settings;
}

/// A session that has begun half a minute before the node sleeps.
plugin::SessionHandle connect_and_sleep(MeterRig& node, std::chrono::minutes time) {
  const auto session = node.connect(alice);
  node.run_for(30s);
  node.clock.advance(time);
  node.step();
  return session;
}

TEST_F(BillerSpool, WhoSleptLongerThanHisLeaseChargesNothingAndRelaysNothing) {
  MeterRig node{till, minute_at_eighty_cents, with_a_lease_of_seven_minutes()};
  const auto session = connect_and_sleep(node, 8min);
  EXPECT_EQ(node.cut(session), EndReason::node_lost);
  EXPECT_EQ(till.charges.size(), 1U);
  ASSERT_EQ(till.ends.size(), 1U);
  EXPECT_EQ(till.ends[0].why, EndReason::node_lost);
}

TEST_F(BillerSpool, WhoSleptForLessThanHisLeaseGoesOnAndPaysForIt) {
  MeterRig node{till, minute_at_eighty_cents, with_a_lease_of_seven_minutes()};
  const auto session = connect_and_sleep(node, 3min);
  EXPECT_EQ(node.cut(session), std::nullopt);
  EXPECT_EQ(till.charges.size(), 4U);
}

TEST_F(BillerSpool, WhoHadNothingToDoBeforeHeSleptHasSleptNoLonger) {
  BillerSettings settings;
  settings.lease = 7min;
  MeterRig node{till, minute_at_eighty_cents, settings};
  const auto session = node.connect(alice);
  node.run_for(59s);
  node.clock.advance(settings.outage_grace + 90s);
  node.step();
  EXPECT_EQ(node.cut(session), EndReason::unavailable);
  EXPECT_EQ(till.charges.size(), 6U) << "what fell due within the grace is charged";
}

TEST_F(BillerSpool, NobodyIsRelayedForLongerThanTheOthersWaitForHim) {
  BillerSettings settings;
  settings.lease = 3min + 1s;
  MeterRig node{till, minute_at_eighty_cents, settings};
  node.biller.set_outage_grace(1h);
  const auto session = node.connect(alice);
  node.run_for(30s);
  till.mood = MapTill::Mood::away;
  node.run_for(4min);
  EXPECT_EQ(node.cut_at(session), FakeClock::start + 1min + 2min);
  node.biller.set_lease(1h + 2min);
  till.mood = MapTill::Mood::answering;
  const auto again = node.connect(alice);
  till.mood = MapTill::Mood::away;
  node.run_for(30min);
  EXPECT_EQ(node.cut(again), std::nullopt) << "the ledger knows the longer lease now";
}

TEST_F(BillerSpool, WhatWasSoldByTheLongerIncrementCountsForTheGraceThatTheLeaseAllows) {
  BillerSettings settings;
  settings.lease = 15min + 30s;
  constexpr Terms ten_minutes{
      .price = Credits::from_units(480'000), .increment = 10min, .rate = minute_at_eighty_cents.rate};
  MeterRig node{till, ten_minutes, settings};
  const auto session = node.connect(alice);
  till.mood = MapTill::Mood::away;
  node.biller.set_terms(minute_at_eighty_cents);
  node.biller.set_outage_grace(14min);
  node.run_for(30min);
  EXPECT_LT(*node.cut_at(session), FakeClock::start + *settings.lease);
}

TEST_F(BillerSpool, AGraceThatIsMadeLongerInAnOutageIsRelayedToItsEnd) {
  rig.biller.set_outage_grace(90s);
  const auto session = rig.connect(alice);
  rig.run_for(30s);
  till.mood = MapTill::Mood::away;
  rig.run_for(110s);
  EXPECT_EQ(relayed_until(session), 2min + 30s + slack);
  rig.biller.set_outage_grace(1h);
  rig.run_for(11s);
  EXPECT_EQ(relayed_until(session), 3min + slack);
}

// ---- asking again

TEST_F(BillerSpool, ALedgerThatIsAwayIsAskedLessAndLessOften) {
  till.mood = MapTill::Mood::away;
  rig.connect(alice);
  rig.run_for(4min);
  EXPECT_LT(till.batches, 4 * 60) << "less than once a second";
  const int before = till.batches;
  till.mood = MapTill::Mood::answering;
  rig.run_for(2s);
  EXPECT_GT(till.batches, before) << "at least once in two seconds";
  EXPECT_EQ(rig.biller.counters().charges_owed, 0U);
}

}  // namespace
}  // namespace payg::test
