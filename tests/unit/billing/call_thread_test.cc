#include "billing/call_thread.h"

#include <gtest/gtest.h>

#include <atomic>

#include "tests/support/harness/patience.h"

namespace payg::test {
namespace {

using namespace std::chrono_literals;

struct Callee {};
using Thread = billing::CallThread<Callee>;

std::unique_ptr<Callee> make() {
  return std::make_unique<Callee>();
}

TEST(CallThread, DoesItsChoreWhenNothingElseComes) {
  std::atomic<int> chores = 0;
  Thread thread("test", make, 10, {.every = 1ms, .task = [&](Callee&) { ++chores; }});
  EXPECT_TRUE(eventually([&] { return chores >= 3; }));
}

TEST(CallThread, DoesItsChoreAmongMuchElse) {
  std::atomic<int> chores = 0;
  Thread thread("test", make, 10'000, {.every = 1h, .task = [&](Callee&) { ++chores; }});
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(thread.post([](Callee&) {}));
  EXPECT_TRUE(eventually([&] { return chores >= 5; }));
}

TEST(CallThread, TakesWhatFollowsFromATaskHoweverMuchWaits) {
  Signal go;
  std::atomic<int> done = 0;
  Thread thread("test", make, 1);
  Signal busy;
  EXPECT_TRUE(thread.post([&](Callee&) {
    busy.set();
    go.wait();
  }));
  busy.wait();
  EXPECT_TRUE(thread.post([&](Callee&) { ++done; }));
  EXPECT_FALSE(thread.post([&](Callee&) { ++done; }));
  thread.post_at_any_length([&](Callee&) { ++done; });
  go.set();
  thread.stop();
  EXPECT_EQ(done, 2);
}

TEST(CallThread, DropsWhatWaitsWhenItIsToStopAtOnce) {
  Signal go, busy;
  std::atomic<int> done = 0;
  Thread thread("test", make, 10);
  EXPECT_TRUE(thread.post([&](Callee&) {
    busy.set();
    go.wait();
    ++done;
  }));
  busy.wait();
  EXPECT_TRUE(thread.post([&](Callee&) { done += 10; }));
  std::thread stopper([&] { thread.stop_now(); });
  EXPECT_TRUE(eventually([&] { return !thread.post([](Callee&) {}); }));
  go.set();
  stopper.join();
  EXPECT_EQ(done, 1);
}

}  // namespace
}  // namespace payg::test
