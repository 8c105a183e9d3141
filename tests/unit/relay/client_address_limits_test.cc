#include "proxy/client_address_limits.h"

#include <gtest/gtest.h>

#include <vector>

namespace payg::proxy {
namespace {

using Verdict = ClientAddressLimits::Verdict;

IpAddress ip(std::string_view literal) {
  return IpAddress::parse(literal).value();
}

TEST(ClientAddressLimits, RefuseTheOneTooManyAndSoonHearNobodyAnyMore) {
  ClientAddressLimits limits(2);
  std::vector<ClientAddressLimits::Place> places;
  std::vector<Verdict> verdicts;
  for (int i = 0; i < 8; ++i) {
    places.push_back(limits.enter(ip("192.0.2.1")));
    verdicts.push_back(places.back().verdict());
  }
  using enum Verdict;
  EXPECT_EQ(verdicts,
            (std::vector{admitted, admitted, refused, refused, refused, refused, unheard, unheard}));
  EXPECT_EQ(limits.enter(ip("192.0.2.2")).verdict(), admitted) << "another address has places of its own";
}

TEST(ClientAddressLimits, GiveAPlaceBackWhenItIsDestroyed) {
  ClientAddressLimits limits(1);
  auto first = limits.enter(ip("192.0.2.1"));
  auto second = limits.enter(ip("192.0.2.1"));
  EXPECT_EQ(second.verdict(), Verdict::refused);
  first = {};
  EXPECT_EQ(limits.enter(ip("192.0.2.1")).verdict(), Verdict::admitted)
      << "who is being refused has no place";
}

TEST(ClientAddressLimits, CountIpv6ByItsNetworkOf64Bits) {
  ClientAddressLimits limits(1);
  const auto place = limits.enter(ip("2001:db8:0:1::1"));
  EXPECT_EQ(limits.enter(ip("2001:db8:0:1:ffff::2")).verdict(), Verdict::refused);
  EXPECT_EQ(limits.enter(ip("2001:db8:0:2::1")).verdict(), Verdict::admitted);
}

TEST(ClientAddressLimits, CountAMappedAddressAsTheIpv4AddressThatItIs) {
  ClientAddressLimits limits(1);
  const auto place = limits.enter(ip("192.0.2.1"));
  EXPECT_EQ(limits.enter(ip("::ffff:192.0.2.1")).verdict(), Verdict::refused);
  EXPECT_EQ(limits.enter(ip("::ffff:192.0.2.2")).verdict(), Verdict::admitted);
}

TEST(ClientAddressLimits, OfZeroAdmitEverybodyAndCountHimAllTheSame) {
  ClientAddressLimits limits(0);
  std::vector<ClientAddressLimits::Place> places;
  for (int i = 0; i < 100; ++i) {
    places.push_back(limits.enter(ip("192.0.2.1")));
    EXPECT_EQ(places.back().verdict(), Verdict::admitted);
  }
  limits.set_most(100);
  EXPECT_EQ(limits.enter(ip("192.0.2.1")).verdict(), Verdict::refused);
  places.pop_back();
  EXPECT_EQ(limits.enter(ip("192.0.2.1")).verdict(), Verdict::admitted);
}

}  // namespace
}  // namespace payg::proxy
