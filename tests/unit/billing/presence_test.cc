#include "billing/core/presence.h"

#include <gtest/gtest.h>

namespace payg::billing {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime deadline{1h};

Presence with_one_open() {
  Presence presence;
  presence.admitted();
  presence.opened(deadline - 1min);
  presence.watch(deadline);
  return presence;
}

TEST(Presence, WhatIsOpenAtTheDeadlineCountsHoweverLateItIsAsked) {
  Presence presence = with_one_open();
  presence.closed(deadline + 1ns);
  EXPECT_TRUE(presence.open_at_watched());
  EXPECT_EQ(presence.open(), 0U);
}

TEST(Presence, AConnectionThatClosesAtTheDeadlineIsNotOpenThen) {
  Presence presence = with_one_open();
  presence.closed(deadline);
  EXPECT_FALSE(presence.open_at_watched());
}

TEST(Presence, AConnectionThatOpensAtTheDeadlineIsOpenThen) {
  Presence presence;
  presence.watch(deadline);
  presence.admitted();
  presence.opened(deadline);
  EXPECT_TRUE(presence.open_at_watched());
}

TEST(Presence, ComingBackAfterTheDeadlineIsNotHavingBeenThere) {
  Presence presence = with_one_open();
  presence.closed(deadline - 1s);
  presence.admitted();
  presence.opened(deadline + 5ms);
  presence.admitted();
  presence.opened(deadline + 6ms);
  EXPECT_FALSE(presence.open_at_watched());
  EXPECT_EQ(presence.opened_after_watched(), deadline + 5ms);
}

TEST(Presence, LeavingAndReturningBehindTheDeadlineChangesNothingAboutIt) {
  Presence presence = with_one_open();
  presence.closed(deadline + 1ms);
  presence.admitted();
  presence.opened(deadline + 2ms);
  presence.closed(deadline + 3ms);
  EXPECT_TRUE(presence.open_at_watched());
  EXPECT_EQ(presence.opened_after_watched(), std::nullopt);
}

TEST(Presence, WhoIsOnlyAdmittedIsNotThere) {
  Presence presence;
  presence.watch(deadline);
  presence.admitted();
  EXPECT_FALSE(presence.open_at_watched());
  EXPECT_FALSE(presence.empty());
  presence.abandoned();
  EXPECT_TRUE(presence.empty());
}

}  // namespace
}  // namespace payg::billing
