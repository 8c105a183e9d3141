#include "billing/failure_limit.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace payg::test {
namespace {

using namespace billing;
using namespace std::chrono_literals;

IpAddress ip(std::string_view literal) {
  return *IpAddress::parse(literal);
}

class Failures : public ::testing::Test {
 protected:
  void fail(const IpAddress& client, int times) {
    for (int i = 0; i < times; ++i) limit.failed(client, FailureLimit::Stake::nothing, now);
  }
  std::chrono::seconds wait(std::string_view client) {
    const auto looked = limit.begin(ip(client), now);
    if (looked.wait == 0s) limit.did_not_fail(ip(client), looked.stake);
    return looked.wait;
  }

  MonotonicTime now = FakeClock::start;
  FailureLimit limit{6, 1};
};

TEST_F(Failures, UpToAMinutesWorthAreFreeAndTheNextHasToWait) {
  fail(ip("192.0.2.1"), 5);
  EXPECT_EQ(wait("192.0.2.1"), 0s);
  fail(ip("192.0.2.1"), 1);
  EXPECT_EQ(wait("192.0.2.1"), 10s);
  EXPECT_EQ(wait("192.0.2.2"), 0s) << "nobody else's";
}

TEST_F(Failures, AreForgivenOneByOne) {
  fail(ip("192.0.2.1"), 6);
  now += 9'500ms;
  EXPECT_EQ(wait("192.0.2.1"), 1s) << "rounded up";
  now += 500ms;
  EXPECT_EQ(wait("192.0.2.1"), 0s);
  fail(ip("192.0.2.1"), 1);
  EXPECT_EQ(wait("192.0.2.1"), 10s);
}

TEST_F(Failures, HoweverManyAreForgivenWithinAMinute) {
  fail(ip("192.0.2.1"), 1'000'000);
  EXPECT_EQ(wait("192.0.2.1"), 10s);
  now += 1min;
  fail(ip("192.0.2.1"), 5);
  EXPECT_EQ(wait("192.0.2.1"), 0s);
}

TEST_F(Failures, OfOneIpv6NetworkCountTogetherAndThoseOfTheNextDoNot) {
  fail(ip("2001:db8:0:1::1"), 3);
  fail(ip("2001:db8:0:1:ffff::2"), 3);
  EXPECT_EQ(wait("2001:db8:0:1::3"), 10s);
  EXPECT_EQ(wait("2001:db8:0:2::1"), 0s);
}

TEST_F(Failures, OfAMappedAddressAreThoseOfTheIpv4OneAndOfNoOther) {
  fail(ip("::ffff:192.0.2.1"), 6);
  EXPECT_EQ(wait("192.0.2.1"), 10s);
  EXPECT_EQ(wait("::ffff:192.0.2.2"), 0s);
  EXPECT_EQ(wait("::1"), 0s);
}

TEST_F(Failures, OfLoopbackCountToo) {
  fail(ip("::1"), 6);
  EXPECT_EQ(wait("::1"), 10s);
}

TEST_F(Failures, OfAMillionAddressesDoNotPushOutTheWorstOne) {
  fail(ip("192.0.2.1"), 6);
  for (std::uint32_t i = 0; i < 1'000'000; ++i) {
    in_addr address{.s_addr = htonl(0x0a000000U + i)};
    fail(IpAddress::v4(address), 1);
  }
  EXPECT_EQ(wait("192.0.2.1"), 10s);
}

TEST_F(Failures, OfManyAtOnceCountBeforeTheyAreKnownWhereSomebodyHasFailedLately) {
  fail(ip("192.0.2.1"), 1);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limit.begin(ip("192.0.2.1"), now).wait, 0s);
  EXPECT_EQ(limit.begin(ip("192.0.2.1"), now).wait, 10s);
  limit.failed(ip("192.0.2.1"), FailureLimit::Stake::a_failure, now);
  EXPECT_EQ(wait("192.0.2.1"), 10s) << "counted once";
  limit.did_not_fail(ip("192.0.2.1"), FailureLimit::Stake::a_failure);
  EXPECT_EQ(wait("192.0.2.1"), 0s);
}

TEST_F(Failures, AreNotExpectedOfManyWhoComeAtOnceFromACleanAddress) {
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(limit.begin(ip("192.0.2.1"), now).wait, 0s);
}

TEST_F(Failures, AreNotCountedWithoutALimit) {
  limit.set_per_minute(FailureLimit::no_limit);
  fail(ip("192.0.2.1"), 1'000);
  EXPECT_EQ(wait("192.0.2.1"), 0s);
}

}  // namespace
}  // namespace payg::test
