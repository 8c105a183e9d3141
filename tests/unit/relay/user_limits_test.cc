#include "proxy/user_limits.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/support/fake_clock.h"

namespace payg::proxy {
namespace {

constexpr MonotonicTime now = test::FakeClock::start;

TEST(UserLimits, RefusesTheOneTooMany) {
  UserLimits limits({.most_connections = 2});
  const auto first = limits.enter(7, now);
  const auto second = limits.enter(7, now);
  EXPECT_TRUE(first);
  EXPECT_TRUE(second);
  EXPECT_FALSE(limits.enter(7, now));
  EXPECT_TRUE(limits.enter(8, now)) << "another user has places of his own";
}

TEST(UserLimits, GivesAPlaceBackWhenItIsDestroyed) {
  UserLimits limits({.most_connections = 1});
  {
    const auto place = limits.enter(7, now);
    EXPECT_FALSE(limits.enter(7, now));
  }
  EXPECT_TRUE(limits.enter(7, now));
}

TEST(UserLimits, ThatAreLoweredKeepWhoIsThereAndLetNobodyIn) {
  UserLimits limits({.most_connections = 2});
  auto first = limits.enter(7, now);
  auto second = limits.enter(7, now);
  limits.set({.most_connections = 1});
  EXPECT_TRUE(first);
  first = {};
  EXPECT_FALSE(limits.enter(7, now));
  second = {};
  EXPECT_TRUE(limits.enter(7, now));
}

TEST(UserLimits, KeepThePaceOfAUserWhoComesBack) {
  UserLimits limits({.most_connections = 1, .bytes_per_second = 1000});
  limits.enter(7, now).pace()->moved(1000, now);
  for (std::uint64_t other = 64; other < 64 * 1000; other += 64) limits.enter(7 + other, now);
  const auto again = limits.enter(7, now);
  EXPECT_FALSE(again.pace()->has_room(now)) << "leaving makes nobody faster";
}

TEST(UserLimits, GiveAllConnectionsOfAUserOnePace) {
  UserLimits limits({.most_connections = 2, .bytes_per_second = 1000});
  const auto one = limits.enter(7, now);
  const auto another = limits.enter(7, now);
  const auto somebody_elses = limits.enter(8, now);
  EXPECT_EQ(one.pace(), another.pace());
  EXPECT_NE(one.pace(), somebody_elses.pace());
  EXPECT_EQ(UserLimits::Place().pace(), nullptr);
}

TEST(UserLimits, OfZeroLetNobodyIn) {
  UserLimits limits({.most_connections = 0});
  EXPECT_FALSE(limits.enter(7, now));
}

TEST(UserLimits, CountExactlyOverThreads) {
  constexpr unsigned most = 100;
  UserLimits limits({.most_connections = most});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&limits] {
      for (int round = 0; round < 2000; ++round) {
        std::vector<UserLimits::Place> places;
        for (int n = 0; n < 10; ++n) places.push_back(limits.enter(3, now));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<UserLimits::Place> places;
  for (unsigned n = 0; n < most; ++n) {
    places.push_back(limits.enter(3, now));
    ASSERT_TRUE(places.back());
  }
  EXPECT_FALSE(limits.enter(3, now));
}

}  // namespace
}  // namespace payg::proxy
