#include "billing/recent_refusals.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace payg::test {
namespace {

using namespace billing;
using namespace std::chrono_literals;

class Refusals : public ::testing::Test {
 protected:
  void refuse(const std::string& name) { refusals.remember(name, refusals.ask(now), Refusal::no_money); }
  bool holds(const std::string& name) const { return refusals.find(name, now).has_value(); }

  MonotonicTime now = FakeClock::start;
  RecentRefusals refusals;
};

TEST_F(Refusals, HoldForASecondFromTheQuestionOn) {
  const auto question = refusals.ask(now);
  now += 400ms;
  refusals.remember("alice", question, Refusal::no_money);
  EXPECT_TRUE(holds("alice"));
  EXPECT_FALSE(holds("bob"));
  now += 599ms;
  EXPECT_TRUE(holds("alice"));
  now += 1ms;
  EXPECT_FALSE(holds("alice"));
}

TEST_F(Refusals, OfWhomSomethingWasChangedAreForgotten) {
  refuse("alice");
  refuse("bob");
  refusals.forget("alice");
  EXPECT_FALSE(holds("alice"));
  EXPECT_TRUE(holds("bob"));
}

TEST_F(Refusals, ThatMayBeOlderThanAChangeAreNotRemembered) {
  const auto question = refusals.ask(now);
  refusals.forget("alice");
  refusals.remember("alice", question, Refusal::no_money);
  EXPECT_FALSE(holds("alice"));
  refuse("alice");
  EXPECT_TRUE(holds("alice")) << "this one was asked for after the change";
}

TEST_F(Refusals, SayWhyAndTheLastReasonCounts) {
  const auto question = refusals.ask(now);
  refusals.remember("alice", question, Refusal::disabled);
  EXPECT_EQ(refusals.find("alice", now), Refusal::disabled);
  refusals.remember("alice", question, Refusal::no_money);
  EXPECT_EQ(refusals.find("alice", now), Refusal::no_money);
}

TEST_F(Refusals, ThatTheEndOfASessionMayMendHoldUntilThereIsOne) {
  for (const Refusal why : {Refusal::too_little_to_start, Refusal::too_many_sessions}) {
    refusals.remember("alice", refusals.ask(now, 7), why);
    EXPECT_EQ(refusals.find("alice", now, 7), why);
    EXPECT_EQ(refusals.find("alice", now, 8), std::nullopt);
  }
  for (const Refusal why : {Refusal::disabled, Refusal::no_money}) {
    refusals.remember("bob", refusals.ask(now, 7), why);
    EXPECT_EQ(refusals.find("bob", now, 8), why);
  }
}

TEST_F(Refusals, OfEverybodyAreForgottenTogether) {
  refuse("alice");
  const auto question = refusals.ask(now);
  refusals.forget_all();
  refusals.remember("bob", question, Refusal::no_money);
  EXPECT_FALSE(holds("alice"));
  EXPECT_FALSE(holds("bob"));
}

TEST_F(Refusals, ThatAreOverTakeNoRoom) {
  refuse("alice");
  now += 1s;
  refuse("bob");
  EXPECT_EQ(refusals.size(), 1U);
}

TEST_F(Refusals, PushOutTheOldestOnesWhenThereAreTooMany) {
  for (std::size_t i = 0; i <= RecentRefusals::max_names; ++i) refuse("user" + std::to_string(i));
  EXPECT_EQ(refusals.size(), RecentRefusals::max_names);
  EXPECT_FALSE(holds("user0"));
  EXPECT_TRUE(holds("user1"));
}

TEST_F(Refusals, OfOneNameByManyAtTheSameTimeAreOne) {
  const auto question = refusals.ask(now);
  for (std::size_t i = 0; i < 2 * RecentRefusals::max_names; ++i)
    refusals.remember("alice", question, Refusal::no_money);
  refuse("bob");
  EXPECT_TRUE(holds("alice"));
  EXPECT_TRUE(holds("bob"));
}

}  // namespace
}  // namespace payg::test
