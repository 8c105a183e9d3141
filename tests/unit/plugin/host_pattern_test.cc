#include "plugin/base/host_pattern.h"

#include <gtest/gtest.h>

namespace payg {
namespace {

bool is_matched(std::string_view entry, std::string_view host, std::uint16_t port) {
  const auto target = HostPattern::parse(entry);
  EXPECT_TRUE(target) << entry;
  return target && target->matches(host, port);
}

TEST(HostPatternTest, IsTheHostItselfOnThePortsOfTheWeb) {
  EXPECT_TRUE(is_matched("Pay.Example", "pay.example", 443));
  EXPECT_TRUE(is_matched("pay.example", "pay.example", 80));
  EXPECT_FALSE(is_matched("pay.example", "pay.example", 22));
  EXPECT_FALSE(is_matched("pay.example", "xpay.example", 443));
  EXPECT_FALSE(is_matched("pay.example", "pay.example.evil", 443));
  EXPECT_FALSE(is_matched("pay.example", "www.pay.example", 443));
  EXPECT_FALSE(is_matched("pay.example", "", 443));
}

TEST(HostPatternTest, IsOnePortWhereItNamesOne) {
  EXPECT_TRUE(is_matched("pay.example:8443", "pay.example", 8443));
  EXPECT_FALSE(is_matched("pay.example:8443", "pay.example", 443));
}

TEST(HostPatternTest, OfAStarIsTheNamesBelowAndNotItself) {
  EXPECT_TRUE(is_matched("*.pay.example", "a.pay.example", 443));
  EXPECT_TRUE(is_matched("*.pay.example", "a.b.pay.example", 443));
  EXPECT_FALSE(is_matched("*.pay.example", "pay.example", 443));
  EXPECT_FALSE(is_matched("*.pay.example", ".pay.example", 443));
  EXPECT_FALSE(is_matched("*.pay.example", "evilpay.example", 443));
  EXPECT_TRUE(is_matched("*.pay.example:444", "a.pay.example", 444));
}

TEST(HostPatternTest, MayBeAnAddress) {
  EXPECT_TRUE(is_matched("192.0.2.1", "192.0.2.1", 443));
  EXPECT_TRUE(is_matched("192.0.2.1:8082", "192.0.2.1", 8082));
  EXPECT_TRUE(is_matched("[2001:DB8:0::1]", "2001:db8::1", 443));
  EXPECT_TRUE(is_matched("[2001:db8::1]:8082", "2001:db8::1", 8082));
}

TEST(HostPatternTest, OfAnyOtherFormIsRefused) {
  for (const std::string_view text : {"",
                                      "*",
                                      "*.",
                                      "*.*.example",
                                      "a.*.example",
                                      "*pay.example",
                                      "pay.example.",
                                      "https://pay.example",
                                      "pay.example:",
                                      "pay.example:0",
                                      "pay.example:65536",
                                      "pay.example:https",
                                      "pay example",
                                      ":443",
                                      "127.1",
                                      "0x7f.1",
                                      "192.0.2.0/24",
                                      "2001:db8::1",
                                      "[192.0.2.1]",
                                      "[2001:db8::1",
                                      "[]",
                                      "a:b:443",
                                      "user@pay.example",
                                      "*.192.0.2.1"})
    EXPECT_FALSE(HostPattern::parse(text)) << text;
}

TEST(HostPatternTest, OfAnEmptyListMatchesNobody) {
  EXPECT_FALSE(any_matches({}, "pay.example", 443));
}

}  // namespace
}  // namespace payg
