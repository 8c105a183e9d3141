#include "proxy/user_limits.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace payg::proxy {
namespace {

TEST(UserLimits, RefusesTheOneTooMany) {
  UserLimits limits(2);
  const auto first = limits.enter(7);
  const auto second = limits.enter(7);
  EXPECT_TRUE(first);
  EXPECT_TRUE(second);
  EXPECT_FALSE(limits.enter(7));
  EXPECT_TRUE(limits.enter(8)) << "another user has places of his own";
}

TEST(UserLimits, GivesAPlaceBackWhenItIsDestroyed) {
  UserLimits limits(1);
  {
    const auto place = limits.enter(7);
    EXPECT_FALSE(limits.enter(7));
  }
  EXPECT_TRUE(limits.enter(7));
}

TEST(UserLimits, ThatAreLoweredKeepWhoIsThereAndLetNobodyIn) {
  UserLimits limits(2);
  auto first = limits.enter(7);
  auto second = limits.enter(7);
  limits.set_most(1);
  EXPECT_TRUE(first);
  first = {};
  EXPECT_FALSE(limits.enter(7));
  second = {};
  EXPECT_TRUE(limits.enter(7));
}

TEST(UserLimits, OfZeroLetNobodyIn) {
  UserLimits limits(0);
  EXPECT_FALSE(limits.enter(7));
}

TEST(UserLimits, CountExactlyOverThreads) {
  constexpr unsigned most = 100;
  UserLimits limits(most);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&limits] {
      for (int round = 0; round < 2000; ++round) {
        std::vector<UserLimits::Place> places;
        for (int n = 0; n < 10; ++n) places.push_back(limits.enter(3));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<UserLimits::Place> places;
  for (unsigned n = 0; n < most; ++n) {
    places.push_back(limits.enter(3));
    ASSERT_TRUE(places.back());
  }
  EXPECT_FALSE(limits.enter(3));
}

}  // namespace
}  // namespace payg::proxy
