#include "proxy/net/guard.h"

#include <gtest/gtest.h>

namespace payg::proxy {
namespace {

using Verdict = Guard::Verdict;

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}
SocketAddress at(const char* text) {
  return SocketAddress::parse(text).value();
}
Guard allowing(const char* block) {
  return Guard({Cidr::parse(block).value()});
}

/// The first and the last address of each block that is guarded.
TEST(Guard, RefusesTheFirstAndTheLastAddressOfEveryGuardedBlock) {
  const Guard guard;
  for (const char* address : {"0.0.0.0",
                              "0.255.255.255",
                              "10.0.0.0",
                              "10.255.255.255",
                              "100.64.0.0",
                              "100.127.255.255",
                              "127.0.0.0",
                              "127.0.0.1",
                              "127.255.255.255",
                              "169.254.0.0",
                              "169.254.169.254",
                              "169.254.255.255",
                              "172.16.0.0",
                              "172.31.255.255",
                              "192.0.0.0",
                              "192.0.0.255",
                              "192.0.2.0",
                              "192.0.2.255",
                              "192.88.99.0",
                              "192.88.99.255",
                              "192.168.0.0",
                              "192.168.255.255",
                              "198.18.0.0",
                              "198.19.255.255",
                              "198.51.100.0",
                              "198.51.100.255",
                              "203.0.113.0",
                              "203.0.113.255",
                              "224.0.0.0",
                              "239.255.255.255",
                              "240.0.0.0",
                              "255.255.255.255",
                              "::",
                              "::1",
                              "::ffff:0.0.0.0",
                              "::ffff:127.0.0.1",
                              "::ffff:7f00:1",
                              "::ffff:10.1.2.3",
                              "::ffff:192.168.0.1",
                              "64:ff9b::",
                              "64:ff9b::7f00:1",
                              "64:ff9b::ffff:ffff",
                              "64:ff9b:1::",
                              "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
                              "100::",
                              "100::ffff:ffff:ffff:ffff",
                              "2001::",
                              "2001:0:ffff:ffff:ffff:ffff:ffff:ffff",
                              "2001:db8::",
                              "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                              "2002::",
                              "2002:7f00:1::",
                              "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                              "fc00::",
                              "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                              "fe80::",
                              "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                              "ff00::",
                              "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    EXPECT_FALSE(guard.is_allowed(ip(address))) << address;
    EXPECT_EQ(guard.check(SocketAddress(ip(address), 80)), Verdict::guarded) << address;
  }
}

TEST(Guard, AllowsTheNeighboursOfEveryGuardedBlock) {
  const Guard guard;
  for (const char* address : {"1.0.0.0",
                              "9.255.255.255",
                              "11.0.0.0",
                              "100.63.255.255",
                              "100.128.0.0",
                              "126.255.255.255",
                              "128.0.0.0",
                              "169.253.255.255",
                              "169.255.0.0",
                              "172.15.255.255",
                              "172.32.0.0",
                              "191.255.255.255",
                              "192.0.1.0",
                              "192.0.1.255",
                              "192.0.3.0",
                              "192.88.98.255",
                              "192.88.100.0",
                              "192.167.255.255",
                              "192.169.0.0",
                              "198.17.255.255",
                              "198.20.0.0",
                              "198.51.99.255",
                              "198.51.101.0",
                              "203.0.112.255",
                              "203.0.114.0",
                              "223.255.255.255",
                              "8.8.8.8",
                              "::ffff:8.8.8.8",
                              "::2",
                              "64:ff9a::1",
                              "64:ff9b::1:0:0",
                              "64:ff9b:2::",
                              "64:ff9b:0:ffff::",
                              "ff:ffff::",
                              "100:0:0:1::",
                              "2000::",
                              "2001:1::",
                              "2001:db7:ffff::",
                              "2001:db9::",
                              "2001:ffff::",
                              "2003::",
                              "2606:4700::1111",
                              "fbff:ffff::",
                              "fe00::",
                              "fe7f:ffff::",
                              "fec0::",
                              "feff:ffff::"}) {
    EXPECT_TRUE(guard.is_allowed(ip(address))) << address;
  }
}

TEST(Guard, LetsThroughWhatTheOperatorLists) {
  const Guard guard = allowing("10.1.0.0/16");
  EXPECT_TRUE(guard.is_allowed(ip("10.1.255.255")));
  EXPECT_TRUE(guard.is_allowed(ip("::ffff:10.1.0.1")));
  EXPECT_FALSE(guard.is_allowed(ip("10.2.0.0")));
  EXPECT_TRUE(allowing("fd00::/8").is_allowed(ip("fd00::1")));
  EXPECT_FALSE(allowing("fd00::/8").is_allowed(ip("fc00::1")));
}

TEST(Guard, GoesByTheIpv4RuleForMappedAddresses) {
  EXPECT_FALSE(allowing("::/0").is_allowed(ip("::ffff:127.0.0.1")));
  EXPECT_TRUE(allowing("127.0.0.0/8").is_allowed(ip("::ffff:127.0.0.1")));
}

TEST(Guard, NeverAllowsAnAddressOfItsOwn) {
  Guard guard = allowing("0.0.0.0/0");
  guard.protect(at("127.0.0.1:8080"));
  guard.protect(at("198.51.100.7:8081"));
  for (const char* own : {"127.0.0.1:8080", "[::ffff:127.0.0.1]:8080", "0.0.0.0:8080",
                          "[::ffff:0.0.0.0]:8080", "[::]:8080", "198.51.100.7:8081"}) {
    EXPECT_EQ(guard.check(at(own)), Verdict::own_address) << own;
    EXPECT_FALSE(guard.is_allowed(at(own))) << own;
  }
  for (const char* other : {"127.0.0.1:8081", "127.0.0.2:8080", "198.51.100.7:8080", "198.51.100.8:8081"})
    EXPECT_EQ(guard.check(at(other)), Verdict::allowed) << other;
}

TEST(Guard, NeverAllowsAnIpv6AddressOfItsOwn) {
  Guard guard = allowing("::/0");
  guard.protect(at("[::1]:8080"));
  EXPECT_EQ(guard.check(at("[::1]:8080")), Verdict::own_address);
  EXPECT_EQ(guard.check(at("[::]:8080")), Verdict::own_address);
  EXPECT_EQ(guard.check(at("[::1]:8081")), Verdict::allowed);
}

TEST(Guard, ProtectsTheAddressInWhateverFormItIsTold) {
  Guard guard = allowing("127.0.0.0/8");
  guard.protect(at("[::ffff:127.0.0.1]:8080"));
  EXPECT_EQ(guard.check(at("127.0.0.1:8080")), Verdict::own_address);
}

TEST(Guard, ProtectsAWildcardsPortOnEveryLocalAddress) {
  Guard guard({Cidr::parse("0.0.0.0/0").value(), Cidr::parse("::/0").value()});
  const IpAddress local[] = {ip("192.168.1.5"), ip("2606:4700::5")};
  guard.protect_wildcard(8080, local);
  for (const char* own : {"127.0.0.1:8080", "127.9.9.9:8080", "[::1]:8080", "0.0.0.0:8080", "[::]:8080",
                          "192.168.1.5:8080", "[::ffff:192.168.1.5]:8080", "[2606:4700::5]:8080"})
    EXPECT_EQ(guard.check(at(own)), Verdict::own_address) << own;
  for (const char* other : {"127.0.0.1:80", "192.168.1.5:80", "192.168.1.6:8080", "[2606:4700::6]:8080"})
    EXPECT_EQ(guard.check(at(other)), Verdict::allowed) << other;
}

}  // namespace
}  // namespace payg::proxy
