#include "proxy/net/target_host.h"

#include <gtest/gtest.h>

#include <string>

namespace payg::proxy {
namespace {

TEST(TargetHost, IsANameInLowerCaseWithoutItsTrailingDot) {
  for (const auto& [host, text] : {std::pair{"example.com", "example.com"},
                                   {"EXAMPLE.Com.", "example.com"},
                                   {"localhost.", "localhost"},
                                   {"a_b-c", "a_b-c"},
                                   {"1.example", "1.example"},
                                   {"xn--bcher-kva.example", "xn--bcher-kva.example"},
                                   {"1a", "1a"},
                                   {"0x7g", "0x7g"},
                                   {"0xdeadbeef.com", "0xdeadbeef.com"},
                                   {"-a-", "-a-"}}) {
    TargetHost out;
    EXPECT_EQ(classify_host(host, out), HostKind::name) << host;
    EXPECT_EQ(out.text, text);
    EXPECT_FALSE(out.address);
  }
}

TEST(TargetHost, IsAnAddressWhenItIsAStrictLiteral) {
  for (const auto& [host, text] : {std::pair{"127.0.0.1", "127.0.0.1"},
                                   {"255.255.255.255", "255.255.255.255"},
                                   {"::1", "::1"},
                                   {"2001:DB8:0::1", "2001:db8::1"},
                                   {"::ffff:127.0.0.1", "::ffff:127.0.0.1"}}) {
    TargetHost out;
    EXPECT_EQ(classify_host(host, out), HostKind::address) << host;
    EXPECT_EQ(out.text, text);
    EXPECT_EQ(out.address, IpAddress::parse(host));
  }
}

TEST(TargetHost, IsInvalidWhenSomebodyCouldTakeItForAnAddress) {
  for (const char* host :
       {"127.1",    "2130706433", "0x7f.1", "0x7f000001", "0X7F.0.0.1", "017700000001", "1.2.3.4.",
        "1.2.3.04", "01.2.3.4",   "1.2.3",  "256.1.1.1",  "1.2.3.4.5",  "a.1",          "example.0x1",
        "a.0x",     "0x",         "0",      "1.",         "1.2.3.4 ",   "a.0X7f."}) {
    TargetHost out;
    EXPECT_EQ(classify_host(host, out), HostKind::invalid) << host;
  }
}

TEST(TargetHost, IsInvalidWhenItIsNoName) {
  using namespace std::string_literals;
  for (const std::string& host : {""s,
                                  "."s,
                                  ".."s,
                                  "a..b"s,
                                  ".a"s,
                                  "a.."s,
                                  "[::1]"s,
                                  "[a]"s,
                                  "fe80::1%eth0"s,
                                  ":::"s,
                                  "a b"s,
                                  "a\0b"s,
                                  "127.0.0.1\0"s,
                                  "a%2e"s,
                                  "b\xc3\xbc"
                                  "cher"s,
                                  "a/b"s,
                                  "a:b"s,
                                  "a@b"s,
                                  "a\n"s,
                                  "*"s}) {
    TargetHost out;
    EXPECT_EQ(classify_host(host, out), HostKind::invalid) << host;
  }
}

TEST(TargetHost, IsAtMost253BytesInLabelsOf63) {
  TargetHost out;
  const std::string label(63, 'a');
  EXPECT_EQ(classify_host(label, out), HostKind::name);
  EXPECT_EQ(classify_host(label + "a", out), HostKind::invalid);
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  ASSERT_EQ(longest.size(), 253u);
  EXPECT_EQ(classify_host(longest, out), HostKind::name);
  EXPECT_EQ(classify_host(longest + ".", out), HostKind::name);
  EXPECT_EQ(classify_host(longest + "a", out), HostKind::invalid);
  EXPECT_EQ(classify_host(std::string(100000, 'a'), out), HostKind::invalid);
}

TEST(TargetHost, ForgetsWhatItHeldBefore) {
  TargetHost out;
  ASSERT_EQ(classify_host("127.0.0.1", out), HostKind::address);
  ASSERT_EQ(classify_host("a", out), HostKind::name);
  EXPECT_FALSE(out.address);
}

}  // namespace
}  // namespace payg::proxy
