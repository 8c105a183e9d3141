#include "proxy/exit_health.h"

#include <gtest/gtest.h>

#include <set>

namespace payg::proxy {
namespace {

using namespace std::chrono_literals;
using Change = ExitHealth::Change;
using Source = ExitHealth::Source;
using Evidence = ExitHealth::Evidence;

const HealthPolicy policy{.failures = 3, .backoff = 1s, .longest_backoff = 60s};
const MonotonicTime start{100s};

Change fail(ExitHealth& health, Source source = Source::traffic, MonotonicTime now = start) {
  return health.failed(source, "refused", policy, now);
}

TEST(ExitHealth, GoesDownByFailuresThatFollowEachOther) {
  ExitHealth health(1);
  EXPECT_EQ(fail(health), Change::none);
  EXPECT_EQ(fail(health), Change::none);
  EXPECT_TRUE(health.is_up());
  EXPECT_EQ(health.why_down(), "");
  EXPECT_EQ(fail(health), Change::went_down);
  EXPECT_FALSE(health.is_up());
  EXPECT_EQ(health.why_down(), "refused");
}

TEST(ExitHealth, ForgetsFailuresBeforeASuccess) {
  ExitHealth health(1);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(fail(health), Change::none);
    EXPECT_EQ(fail(health), Change::none);
    EXPECT_EQ(health.succeeded(Evidence::whole), Change::none);
  }
  EXPECT_TRUE(health.is_up());
}

TEST(ExitHealth, ComesUpByTheFirstSuccess) {
  ExitHealth health(1);
  for (int i = 0; i < 3; ++i) fail(health);
  EXPECT_EQ(health.succeeded(Evidence::whole), Change::came_up);
  EXPECT_TRUE(health.is_up());
  EXPECT_EQ(health.why_down(), "");
  EXPECT_EQ(health.succeeded(Evidence::whole), Change::none);
  EXPECT_EQ(fail(health), Change::none) << "it has three again";
}

TEST(ExitHealth, IsNotMadeUpForByBeingReached) {
  ExitHealth health(1);
  fail(health);
  fail(health);
  EXPECT_EQ(health.succeeded(Evidence::reached), Change::none);
  EXPECT_EQ(fail(health), Change::went_down) << "the third that no way has come between";
}

TEST(ExitHealth, ComesUpOnTrialWhenItIsReached) {
  ExitHealth health(1);
  for (int i = 0; i < 3; ++i) fail(health);
  const auto first_wait = health.retry_at() - start;
  EXPECT_EQ(health.succeeded(Evidence::reached), Change::came_up);
  EXPECT_TRUE(health.is_up());
  EXPECT_EQ(fail(health), Change::went_down) << "one failure is enough";
  EXPECT_GE(health.retry_at() - start, first_wait) << "and it waits longer";
  EXPECT_EQ(health.succeeded(Evidence::reached), Change::came_up);
  EXPECT_EQ(health.succeeded(Evidence::whole), Change::none);
  EXPECT_EQ(fail(health), Change::none) << "it has three again";
}

TEST(ExitHealth, WaitsTwiceAsLongAfterEachProbeUpToTheLongest) {
  ExitHealth health(1);
  for (int i = 0; i < 3; ++i) fail(health);
  MonotonicTime now = start;
  auto whole = 1s;
  for (int probes = 0; probes < 10; ++probes) {
    const auto wait = health.retry_at() - now;
    EXPECT_GE(wait, whole / 2);
    EXPECT_LE(wait, whole);
    now = health.retry_at();
    EXPECT_EQ(fail(health, Source::probe, now), Change::none);
    whole = std::min<std::chrono::seconds>(whole * 2, 60s);
  }
}

TEST(ExitHealth, BeginsWithTheShortestWaitEachTimeItGoesDown) {
  ExitHealth health(1);
  for (int i = 0; i < 3; ++i) fail(health);
  for (int i = 0; i < 5; ++i) fail(health, Source::probe);
  health.succeeded(Evidence::whole);
  for (int i = 0; i < 3; ++i) fail(health);
  EXPECT_LE(health.retry_at() - start, 1s);
}

TEST(ExitHealth, IsNotPutOffByTrafficThatFailsWhileItIsDown) {
  ExitHealth health(1);
  for (int i = 0; i < 3; ++i) fail(health);
  const auto retry_at = health.retry_at();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(fail(health, Source::traffic, start + 1s), Change::none);
  EXPECT_EQ(health.retry_at(), retry_at);
}

TEST(ExitHealth, SpreadsWhatGoesDownTogether) {
  std::set<MonotonicTime> retries;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    ExitHealth health(seed);
    for (int i = 0; i < 3; ++i) fail(health);
    retries.insert(health.retry_at());
  }
  EXPECT_GT(retries.size(), 50u);
}

}  // namespace
}  // namespace payg::proxy
