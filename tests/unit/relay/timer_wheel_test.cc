#include "proxy/timer_wheel.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace payg::proxy {
namespace {

using std::chrono::milliseconds;

const MonotonicTime origin{std::chrono::hours(1)};

class TestTimer final : public Timer {
 public:
  std::function<void()> action = [] {};
  int fired = 0;

 private:
  void on_timeout() noexcept override {
    ++fired;
    action();
  }
};

TEST(TimerWheel, FiresOnceAndNeverEarly) {
  TimerWheel wheel(origin);
  TestTimer timer;
  const auto deadline = origin + milliseconds(333);
  wheel.arm(timer, deadline);
  for (auto now = origin; now < deadline; now += milliseconds(1)) {
    wheel.advance(now);
    ASSERT_EQ(timer.fired, 0) << "at " << (now - origin).count() << " ns";
  }
  wheel.advance(deadline + TimerWheel::tick);
  EXPECT_EQ(timer.fired, 1);
  wheel.advance(deadline + milliseconds(100'000));
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, FiresWhatIsFurtherAwayThanOneTurn) {
  TimerWheel wheel(origin);
  TestTimer timer;
  const auto deadline = origin + std::chrono::minutes(10);
  wheel.arm(timer, deadline);
  for (auto now = origin; now < deadline; now += milliseconds(40)) wheel.advance(now);
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(deadline + TimerWheel::tick);
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, ArmedAgainForgetsItsFirstDeadline) {
  TimerWheel wheel(origin);
  TestTimer timer;
  wheel.arm(timer, origin + milliseconds(100));
  wheel.arm(timer, origin + milliseconds(1000));
  wheel.advance(origin + milliseconds(900));
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(origin + milliseconds(1100));
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, DoesNotFireWhatWasDisarmedOrDestroyed) {
  TimerWheel wheel(origin);
  TestTimer disarmed;
  wheel.arm(disarmed, origin + milliseconds(100));
  disarmed.disarm();
  {
    TestTimer destroyed;
    wheel.arm(destroyed, origin + milliseconds(100));
  }
  wheel.advance(origin + milliseconds(200));
  EXPECT_EQ(disarmed.fired, 0);
}

TEST(TimerWheel, LetsACallbackDestroyAndArmItsNeighbours) {
  TimerWheel wheel(origin);
  TestTimer first;
  auto second = std::make_unique<TestTimer>();
  TestTimer third;
  for (Timer* timer :
       {static_cast<Timer*>(&first), static_cast<Timer*>(second.get()), static_cast<Timer*>(&third)}) {
    wheel.arm(*timer, origin + milliseconds(100));
  }
  first.action = [&] {
    second.reset();
    wheel.arm(third, origin + milliseconds(500));
    wheel.arm(first, origin + milliseconds(300));
  };
  wheel.advance(origin + milliseconds(200));
  EXPECT_EQ(first.fired, 1);
  EXPECT_EQ(third.fired, 0);
  first.action = [] {};
  wheel.advance(origin + milliseconds(600));
  EXPECT_EQ(first.fired, 2);
  EXPECT_EQ(third.fired, 1);
}

TEST(TimerWheel, AgreesWithASimpleModelOverRandomDeadlines) {
  std::mt19937 random(7);
  TimerWheel wheel(origin);
  constexpr int count = 500;
  std::vector<TestTimer> timers(count);
  std::vector<MonotonicTime> deadlines(count);
  for (std::size_t i = 0; i < count; ++i) {
    deadlines[i] = origin + milliseconds(random() % 200'000);
    wheel.arm(timers[i], deadlines[i]);
  }
  for (auto now = origin; now < origin + milliseconds(210'000); now += milliseconds(1 + random() % 3000)) {
    wheel.advance(now);
    for (std::size_t i = 0; i < count; ++i) {
      if (deadlines[i] > now) {
        ASSERT_EQ(timers[i].fired, 0);
      }
      if (deadlines[i] + TimerWheel::tick <= now) {
        ASSERT_EQ(timers[i].fired, 1);
      }
    }
  }
}

}  // namespace
}  // namespace payg::proxy
