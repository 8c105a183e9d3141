#include "billing/core/meter.h"

#include <gtest/gtest.h>

namespace payg::billing {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime start{1000h};
constexpr Terms minute{
    .price = Credits::from_units(48'000), .increment = 1min, .rate = Rate::from_thousandths(800)};
constexpr Terms dearer{
    .price = Credits::from_units(60'000), .increment = 30s, .rate = Rate::from_thousandths(2'000)};

Meter running() {
  Meter meter(start, minute);
  meter.granted(1min);
  return meter;
}

/// A meter whose ledger has been silent for `increments` whole increments.
Meter owing(int increments) {
  Meter meter = running();
  for (int i = 0; i < increments; ++i) meter.reach_deadline(AtDeadline::connected, minute);
  return meter;
}

TEST(Meter, StartingOwesTheFirstIncrement) {
  const Meter meter(start, minute);
  EXPECT_EQ(meter.state(), Meter::State::buying);
  EXPECT_EQ(meter.owed(), 1U);
  EXPECT_EQ(meter.next_number(), 1U);
  EXPECT_EQ(meter.next_begin(), start);
}

TEST(Meter, AGrantedSessionRunsUntilTheEndOfItsIncrement) {
  const Meter meter = running();
  EXPECT_EQ(meter.state(), Meter::State::running);
  EXPECT_EQ(meter.owed(), 0U);
  EXPECT_EQ(meter.deadline(), start + 1min);
}

TEST(Meter, WhenThePaidTimeRunsOutWithAConnectionOpenTheNextIncrementIsBought) {
  Meter meter = running();
  meter.reach_deadline(AtDeadline::connected, minute);
  EXPECT_EQ(meter.state(), Meter::State::buying);
  EXPECT_EQ(meter.next_number(), 2U);
  EXPECT_EQ(meter.next_begin(), start + 1min);
}

TEST(Meter, WhenThePaidTimeRunsOutWithNobodyThereItEndsAndNothingIsCharged) {
  Meter meter = running();
  meter.reach_deadline(AtDeadline::alone, minute);
  EXPECT_EQ(meter.state(), Meter::State::ended);
  EXPECT_EQ(meter.why(), EndReason::idle);
  EXPECT_EQ(meter.owed(), 0U);
}

TEST(Meter, ASessionThatRunsDryIsEnded) {
  Meter meter = owing(1);
  meter.exhausted();
  EXPECT_EQ(meter.state(), Meter::State::ended);
  EXPECT_EQ(meter.why(), EndReason::exhausted);
}

TEST(Meter, APartialGrantIsUsedUpToTheMillisecond) {
  Meter meter = owing(1);
  meter.granted(59'998ms);
  EXPECT_EQ(meter.state(), Meter::State::running);
  EXPECT_EQ(meter.deadline(), start + 1min + 59'998ms);
}

TEST(Meter, ATopUpDuringAPartialGrantLetsTheSessionGoOnFromItsEnd) {
  Meter meter = owing(1);
  meter.granted(5ms);
  meter.reach_deadline(AtDeadline::connected, minute);
  meter.granted(1min);
  EXPECT_EQ(meter.state(), Meter::State::running);
  EXPECT_EQ(meter.deadline(), start + 1min + 5ms + 1min);
}

TEST(Meter, TenThousandIncrementsDoNotDrift) {
  Meter meter = running();
  for (int i = 1; i < 10'000; ++i) {
    meter.reach_deadline(AtDeadline::connected, minute);
    meter.granted(1min);
  }
  EXPECT_EQ(meter.deadline(), start + 10'000min);
  EXPECT_EQ(meter.next_number(), 10'001U);
}

TEST(Meter, IncrementsThatFallDueWithoutAnAnswerAreOwedAndPaidInOrder) {
  Meter meter = owing(3);
  EXPECT_EQ(meter.owed(), 3U);
  EXPECT_EQ(meter.deadline(), start + 4min);
  for (std::uint32_t number = 2; number <= 4; ++number) {
    EXPECT_EQ(meter.state(), Meter::State::buying);
    EXPECT_EQ(meter.next_number(), number);
    EXPECT_EQ(meter.next_begin(), start + (number - 1) * 1min);
    meter.granted(1min);
  }
  EXPECT_EQ(meter.state(), Meter::State::running);
  EXPECT_EQ(meter.deadline(), start + 4min);
}

TEST(Meter, TheOutageLimitCountsFromTheFirstUnpaidDeadline) {
  Meter meter = owing(3);
  EXPECT_EQ(meter.outage_limit(5min), start + 1min + 5min);
  meter.granted(1min);
  EXPECT_EQ(meter.outage_limit(5min), start + 2min + 5min);
  EXPECT_EQ(running().outage_limit(5min), MonotonicTime::max());
}

TEST(Meter, WhatACutSessionOwesIsStillPaidBeforeItEnds) {
  Meter meter = owing(2);
  meter.cut(EndReason::unavailable);
  EXPECT_EQ(meter.state(), Meter::State::settling);
  meter.granted(1min);
  EXPECT_EQ(meter.state(), Meter::State::settling);
  meter.granted(1min);
  EXPECT_EQ(meter.state(), Meter::State::ended);
  EXPECT_EQ(meter.why(), EndReason::unavailable);
}

TEST(Meter, LeavingDuringAnOutageEndsTheSessionAndLeavesItsDebt) {
  Meter meter = owing(2);
  meter.reach_deadline(AtDeadline::alone, minute);
  EXPECT_EQ(meter.state(), Meter::State::settling);
  EXPECT_EQ(meter.why(), EndReason::idle);
  EXPECT_EQ(meter.owed(), 2U);
}

TEST(Meter, APartialGrantForAnOwedChargeEndsTheSessionWhenThatTimeIsOver) {
  Meter meter = owing(3);
  meter.granted(10s);
  EXPECT_EQ(meter.deadline(), start + 1min + 10s);
  EXPECT_EQ(meter.owed(), 0U) << "nothing behind an empty balance was bought";
  meter.reach_deadline(AtDeadline::connected, minute);
  meter.exhausted();
  EXPECT_EQ(meter.state(), Meter::State::ended);
}

TEST(Meter, APartialGrantIsTheLastThingASettlingSessionPays) {
  Meter meter = owing(3);
  meter.cut(EndReason::drained);
  meter.granted(10s);
  EXPECT_EQ(meter.state(), Meter::State::ended);
  EXPECT_EQ(meter.why(), EndReason::drained);
}

TEST(Meter, ASettlingSessionThatIsRefusedKeepsItsReason) {
  Meter meter = owing(2);
  meter.cut(EndReason::disabled);
  meter.fenced(EndReason::requested);
  EXPECT_EQ(meter.state(), Meter::State::ended);
  EXPECT_EQ(meter.why(), EndReason::disabled);
  EXPECT_EQ(meter.owed(), 0U);
}

TEST(Meter, AFencedSessionIsOver) {
  Meter meter = owing(2);
  meter.fenced(EndReason::requested);
  EXPECT_EQ(meter.state(), Meter::State::ended);
  EXPECT_EQ(meter.owed(), 0U);
}

TEST(Meter, AnEndIsAnEnd) {
  Meter meter = running();
  meter.cut(EndReason::requested);
  meter.cut(EndReason::drained);
  EXPECT_EQ(meter.why(), EndReason::requested);
}

TEST(Meter, ANewRateCountsFromTheNextChargeOn) {
  Meter meter = running();
  EXPECT_EQ(meter.deadline(), start + 1min) << "what is paid stays paid";
  meter.reach_deadline(AtDeadline::connected, dearer);
  EXPECT_EQ(meter.terms(), dearer);
  EXPECT_EQ(meter.deadline(), start + 1min + 30s);
}

TEST(Meter, WhatIsOwedAlreadyKeepsItsRate) {
  Meter meter = owing(1);
  meter.reach_deadline(AtDeadline::connected, dearer);
  EXPECT_EQ(meter.terms(), minute);
  meter.granted(1min);
  meter.granted(1min);
  meter.reach_deadline(AtDeadline::connected, dearer);
  EXPECT_EQ(meter.terms(), dearer);
}

TEST(Meter, IsSmall) {
  EXPECT_LE(sizeof(Meter), 40U);
}

}  // namespace
}  // namespace payg::billing
