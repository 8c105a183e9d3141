// PROXY_RULES, the guard list under "Dialling". Runs in a network of its own: there, an address that the
// guard lets through cannot be reached (502) and one that it holds back is forbidden (403), so that the two
// are told apart and a guard that fails sends nothing anywhere.

#include <utility>

#include "tests/integration/plain_proxy.h"
#include "tests/support/harness/fake_dns.h"
#include "tests/support/harness/private_network.h"

namespace payg::test {
namespace {

/// No allow_targets: the guard as it comes.
class Guard : public testing::Test {
 protected:
  Guard()
      : proxy_(ProxySettings{.allow_targets = {},
                             .nameservers = {dns_.address()},
                             .proxy_lines = {"connect_timeout = \"5s\""}}) {}

  HttpResponse connect_to(const std::string& authority) const {
    RawClient client = proxy_.connect();
    client.send("CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n\r\n");
    HttpResponse response = read_response(client, "CONNECT");
    return response;
  }
  HttpResponse fetch(const std::string& authority) const {
    RawClient client = proxy_.connect();
    client.send("GET http://" + authority + "/ HTTP/1.1\r\nHost: " + authority + "\r\n\r\n");
    return read_response(client);
  }
  int socks_reply(const std::string& literal) const {
    RawClient client = proxy_.connect();
    return socks::open(client, socks::connect_to(SocketAddress(IpAddress::parse(literal).value(), 80))).code;
  }

  FakeDns dns_;
  ProxyProcess proxy_;
};

/// One address at each end of each guarded block, and one inside where the ends say little.
const std::vector<std::string> guarded_v4 = {
    "0.0.0.0",         "0.255.255.255",   "10.0.0.0",      "10.255.255.255",  "100.64.0.0",
    "100.127.255.255", "127.0.0.0",       "127.0.0.1",     "127.255.255.255", "169.254.0.0",
    "169.254.169.254", "169.254.255.255", "172.16.0.0",    "172.31.255.255",  "192.0.0.0",
    "192.0.0.255",     "192.0.2.0",       "192.0.2.255",   "192.88.99.0",     "192.88.99.255",
    "192.168.0.0",     "192.168.255.255", "198.18.0.0",    "198.19.255.255",  "198.51.100.0",
    "198.51.100.255",  "203.0.113.0",     "203.0.113.255", "224.0.0.0",       "239.255.255.255",
    "240.0.0.0",       "255.255.255.255"};

const std::vector<std::string> open_v4 = {
    "1.0.0.0",    "9.255.255.255",   "11.0.0.0",     "100.63.255.255",  "100.128.0.0", "126.255.255.255",
    "128.0.0.0",  "169.253.255.255", "169.255.0.0",  "172.15.255.255",  "172.32.0.0",  "192.0.1.0",
    "192.0.3.0",  "192.88.98.255",   "192.88.100.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
    "198.20.0.0", "198.51.99.255",   "198.51.101.0", "203.0.112.255",   "203.0.114.0", "223.255.255.255"};

const std::vector<std::string> guarded_v6 = {"::",
                                             "::1",
                                             "::ffff:127.0.0.1",
                                             "::ffff:10.0.0.1",
                                             "::ffff:169.254.169.254",
                                             "64:ff9b::",
                                             "64:ff9b::7f00:1",
                                             "64:ff9b:1::",
                                             "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
                                             "100::",
                                             "100::ffff:ffff:ffff:ffff",
                                             "2001::",
                                             "2001:0:ffff::1",
                                             "2001:db8::",
                                             "2001:db8:ffff::1",
                                             "2002::",
                                             "2002:7f00:1::",
                                             "2002:ffff::1",
                                             "fc00::",
                                             "fdff::1",
                                             "fe80::",
                                             "fe80::1",
                                             "febf::1",
                                             "ff00::",
                                             "ff02::1",
                                             "ffff::1"};

const std::vector<std::string> open_v6 = {"64:ff9b:2::1", "100:1::", "2001:1::1",      "2001:db9::1",
                                          "2003::1",      "2606::1", "::ffff:9.9.9.9", "fbff::1"};

TEST_F(Guard, HoldsBackEveryGuardedIpv4Address) {
  for (const auto& literal : guarded_v4) {
    EXPECT_EQ(connect_to(literal + ":80").status, 403) << literal;
    EXPECT_EQ(socks_reply(literal), 2) << literal;
  }
}

TEST_F(Guard, LetsTheNeighboursOfEveryIpv4BlockThrough) {
  for (const auto& literal : open_v4) EXPECT_EQ(connect_to(literal + ":80").status, 502) << literal;
}

TEST_F(Guard, HoldsBackEveryGuardedIpv6Address) {
  for (const auto& literal : guarded_v6) {
    EXPECT_EQ(connect_to("[" + literal + "]:80").status, 403) << literal;
    EXPECT_EQ(socks_reply(literal), 2) << literal;
  }
}

TEST_F(Guard, LetsTheNeighboursOfEveryIpv6BlockThrough) {
  for (const auto& literal : open_v6) EXPECT_EQ(connect_to("[" + literal + "]:80").status, 502) << literal;
}

TEST_F(Guard, SaysInProxyStatusThatTheAddressIsProhibited) {
  const auto response = fetch("127.0.0.1:80");
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(proxy_error(response), "destination_ip_prohibited") << response.head.raw;
}

TEST_F(Guard, IsNotFooledByOtherWaysToWriteAnAddress) {
  const Origin origin(scripts::answer_ok(), "127.0.0.1:80");
  for (const std::string host :
       {"0x7f.1", "2130706433", "127.1", "0177.0.0.1", "0x7f000001", "127.0.0.1.", "127.000.000.001",
        "[::ffff:7f00:1]", "[::ffff:127.0.0.1]", "0", "017700000001", "%31%32%37.0.0.1"}) {
    for (const auto& response : {connect_to(host + ":80"), fetch(host + ":80")}) {
      EXPECT_TRUE(response.status == 400 || response.status == 403)
          << host << ": " << response.head.start_line;
    }
  }
  EXPECT_EQ(origin.connections(), 0);
}

TEST_F(Guard, IsNotFooledByNamesOfThisMachine) {
  const Origin origin(scripts::answer_ok(), "127.0.0.1:80");
  dns_.set("localhost", {"127.0.0.1", "::1"});
  for (const std::string name : {"localhost", "localhost.", "LOCALHOST", "LocalHost."}) {
    const auto response = connect_to(name + ":80");
    EXPECT_TRUE(response.status == 403 || response.status == 400) << name << ": " << response.head.start_line;
  }
  EXPECT_EQ(origin.connections(), 0);
}

TEST_F(Guard, LooksAtEveryAddressThatANameHas) {
  const Origin origin(scripts::answer_ok(), "127.0.0.1:80");
  dns_.set("inside.example", {"127.0.0.1"});
  dns_.set("mapped.example", {"::ffff:127.0.0.1"});
  dns_.set("mixed.example", {"10.0.0.1", "127.0.0.1", "::1"});
  for (const std::string name : {"inside.example", "mapped.example", "mixed.example"}) {
    EXPECT_EQ(connect_to(name + ":80").status, 403) << name;
    EXPECT_EQ(fetch(name + ":80").status, 403) << name;
  }
  EXPECT_EQ(origin.connections(), 0);
}

TEST_F(Guard, SkipsTheGuardedOnesAmongSeveralAddresses) {
  const Origin origin(scripts::answer_ok(), "127.0.0.1:80");
  dns_.set("both.example", {"127.0.0.1", "9.9.9.9"});
  EXPECT_EQ(connect_to("both.example:80").status, 502) << "9.9.9.9 was tried and cannot be reached here";
  EXPECT_EQ(origin.connections(), 0);
}

TEST_F(Guard, ConnectsToTheAddressThatItLookedAtAlthoughTheNameSoonHasAnother) {
  const Origin origin(scripts::answer_ok(), "127.0.0.1:80");
  dns_.set_rebinding("rebound.example", {"9.9.9.9"}, {"127.0.0.1"});
  EXPECT_EQ(fetch("rebound.example:80").status, 502) << "9.9.9.9 was tried";
  EXPECT_EQ(dns_.questions("rebound.example"), 2) << "one for each family";
  EXPECT_EQ(fetch("rebound.example:80").status, 403);
  EXPECT_EQ(origin.connections(), 0);
}

/// The list of what is let through opens what it names and nothing beside it.
class GuardWithAllowedTargets : public testing::Test {
 protected:
  GuardWithAllowedTargets() : proxy_(ProxySettings{.allow_targets = {"127.0.0.1/32", "::1/128"}}) {}

  HttpResponse fetch(const std::string& authority) const {
    RawClient client = proxy_.connect();
    client.send("GET http://" + authority + "/ HTTP/1.1\r\nHost: " + authority + "\r\n\r\n");
    return read_response(client);
  }
  ProxyProcess proxy_;
};

TEST_F(GuardWithAllowedTargets, OpensExactlyWhatIsListed) {
  const Origin listed(scripts::answer_ok("listed"));
  const Origin beside(scripts::answer_ok("beside"), "127.0.0.2:0");
  EXPECT_EQ(fetch(listed.authority()).body.content, "listed");
  EXPECT_EQ(fetch(beside.authority()).status, 403);
  EXPECT_EQ(fetch("[::ffff:7f00:1]:" + std::to_string(listed.address().port())).body.content, "listed")
      << "the mapped form goes by the rule of the IPv4 address";
  EXPECT_EQ(beside.connections(), 0);
}

TEST_F(GuardWithAllowedTargets, NeverOpensTheProxysOwnListener) {
  const auto self = proxy_.address().to_string();
  EXPECT_EQ(fetch(self).status, 403);
  EXPECT_EQ(fetch("[::ffff:127.0.0.1]:" + std::to_string(proxy_.address().port())).status, 403);
}

TEST_F(GuardWithAllowedTargets, TakesAnEmptyPortAsPort80) {
  const Origin origin(scripts::answer_ok("eighty"), "127.0.0.1:80");
  EXPECT_EQ(fetch("127.0.0.1:").body.content, "eighty");
  EXPECT_EQ(fetch("127.0.0.1").body.content, "eighty");
  const auto seen = origin.wait_for_requests(2);
  EXPECT_EQ(seen[0].head.field("Host"), "127.0.0.1");
  EXPECT_EQ(seen[1].head.field("Host"), "127.0.0.1");
}

TEST(GuardOfAllAddresses, ProtectsAListenerThatIsBoundToAllOfThem) {
  ProxySettings settings;
  settings.listeners = {"0.0.0.0:0", "127.0.0.1:0"};
  const ProxyProcess proxy(settings);
  const std::string port = std::to_string(proxy.address(0).port());
  for (const auto& host : {"127.0.0.1", "127.9.9.9", "0.0.0.0"}) {
    RawClient client(proxy.address(1));
    EXPECT_EQ(http_connect(client, std::string(host) + ":" + port).status, 403) << host;
  }
}

TEST(GuardOfTheAdminPort, HoldsWhateverIsAllowed) {
  const ProxyProcess proxy(ProxySettings{.billing = BillingSettings{}});
  const std::string token = proxy.operator_client().create_user("alice");
  proxy.operator_client().add_credits("alice", "1");
  RawClient client = proxy.connect();
  EXPECT_EQ(http_connect(client, proxy.admin_address().to_string(), "alice", token).status, 403);
}

}  // namespace
}  // namespace payg::test

int main(int argc, char** argv) {
  payg::test::enter_private_network(argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
