#include "billing/recent_refusals.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace payg::test {
namespace {

using namespace billing;
using namespace std::chrono_literals;

class Refusals : public ::testing::Test {
 protected:
  void refuse(const std::string& name) { refusals.remember(name, refusals.ask(now)); }

  MonotonicTime now = FakeClock::start;
  RecentRefusals refusals;
};

TEST_F(Refusals, HoldForASecondFromTheQuestionOn) {
  const auto question = refusals.ask(now);
  now += 400ms;
  refusals.remember("alice", question);
  EXPECT_TRUE(refusals.holds("alice", now));
  EXPECT_FALSE(refusals.holds("bob", now));
  now += 599ms;
  EXPECT_TRUE(refusals.holds("alice", now));
  now += 1ms;
  EXPECT_FALSE(refusals.holds("alice", now));
}

TEST_F(Refusals, OfWhomSomethingWasChangedAreForgotten) {
  refuse("alice");
  refuse("bob");
  refusals.forget("alice");
  EXPECT_FALSE(refusals.holds("alice", now));
  EXPECT_TRUE(refusals.holds("bob", now));
}

TEST_F(Refusals, ThatMayBeOlderThanAChangeAreNotRemembered) {
  const auto question = refusals.ask(now);
  refusals.forget("alice");
  refusals.remember("alice", question);
  EXPECT_FALSE(refusals.holds("alice", now));
  refuse("alice");
  EXPECT_TRUE(refusals.holds("alice", now)) << "this one was asked for after the change";
}

TEST_F(Refusals, OfEverybodyAreForgottenTogether) {
  refuse("alice");
  const auto question = refusals.ask(now);
  refusals.forget_all();
  refusals.remember("bob", question);
  EXPECT_FALSE(refusals.holds("alice", now));
  EXPECT_FALSE(refusals.holds("bob", now));
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
  EXPECT_FALSE(refusals.holds("user0", now));
  EXPECT_TRUE(refusals.holds("user1", now));
}

TEST_F(Refusals, OfOneNameByManyAtTheSameTimeAreOne) {
  const auto question = refusals.ask(now);
  for (std::size_t i = 0; i < 2 * RecentRefusals::max_names; ++i) refusals.remember("alice", question);
  refuse("bob");
  EXPECT_TRUE(refusals.holds("alice", now));
  EXPECT_TRUE(refusals.holds("bob", now));
}

}  // namespace
}  // namespace payg::test
