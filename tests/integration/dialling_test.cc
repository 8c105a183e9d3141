// PROXY_RULES, "Dialling": RFC 8305, and what the client hears when nobody answers.

#include "tests/integration/plain_proxy.h"
#include "tests/support/harness/fake_dns.h"

namespace payg::test {
namespace {

class Dialling : public testing::Test {
 protected:
  Dialling()
      : proxy_(ProxySettings{.nameservers = {dns_.address()}, .proxy_lines = {"connect_timeout = \"3s\""}}) {}

  HttpResponse connect_to(const std::string& host, std::uint16_t port) const {
    RawClient client = proxy_.connect();
    return http_connect(client, host + ":" + std::to_string(port));
  }
  int socks_reply(const std::string& host, std::uint16_t port) const {
    RawClient client = proxy_.connect();
    return socks::open(client, socks::connect_to_name(host, port)).code;
  }

  FakeDns dns_;
  ProxyProcess proxy_;
};

SocketAddress same_port(const char* literal, const SocketAddress& other) {
  return SocketAddress(IpAddress::parse(literal).value(), other.port());
}

TEST_F(Dialling, ResolvesANameAndConnects) {
  const Origin origin(scripts::answer_ok("by name"));
  dns_.set("www.example", {"127.0.0.1"});
  RawClient client = proxy_.connect();
  const std::string authority = "www.example:" + std::to_string(origin.address().port());
  client.send("GET http://WWW.Example:" + std::to_string(origin.address().port()) +
              "/ HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(read_response(client).body.content, "by name");
  EXPECT_EQ(origin.wait_for_requests(1)[0].head.field("Host"), authority);
  EXPECT_EQ(socks_reply("www.example", origin.address().port()), 0);
}

TEST_F(Dialling, GoesOnToIpv4WhenTheIpv6AddressStaysSilent) {
  const Origin origin(scripts::echo());
  const BlackHole dead(same_port("::1", origin.address()));
  dns_.set("half.example", {"::1", "127.0.0.1"});
  RawClient client = proxy_.connect();
  ASSERT_EQ(http_connect(client, "half.example:" + std::to_string(origin.address().port())).status, 200);
  client.send("alive");
  EXPECT_EQ(client.read_exactly(5), "alive");
}

TEST(LateAnswers, OfDnsAreTriedAlthoughTheOtherFamilyIsBeingDialled) {
  FakeDns dns;
  const ProxyProcess proxy(ProxySettings{.nameservers = {dns.address()}});
  const Origin origin(scripts::echo(), "[::1]:0");
  const BlackHole dead(same_port("127.0.0.1", origin.address()));
  dns.set_silent_for_ipv6("late.example", {"127.0.0.1"});
  RawClient client = proxy.connect();
  client.send("CONNECT late.example:" + std::to_string(origin.address().port()) +
              " HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return dns.questions("late.example") >= 2; }));
  // From here on the repeated question for IPv6 is answered, long after the IPv4 address has been dialled in
  // vain.
  dns.set("late.example", {"127.0.0.1", "::1"});
  EXPECT_EQ(read_response(client, "CONNECT").status, 200);
}

TEST_F(Dialling, GoesOnToTheNextAddressWhenOneRefuses) {
  const Origin origin(scripts::echo());
  const ClosedPort refusing("[::1]:" + std::to_string(origin.address().port()));
  dns_.set("half.example", {"::1", "127.0.0.1"});
  EXPECT_EQ(connect_to("half.example", origin.address().port()).status, 200);
}

TEST_F(Dialling, TriesEveryAddressOfAName) {
  const Origin origin(scripts::echo(), "127.0.0.5:0");
  dns_.set("many.example", {"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"});
  EXPECT_EQ(connect_to("many.example", origin.address().port()).status, 200);
}

TEST_F(Dialling, ConnectsToANameWithIpv6Only) {
  const Origin origin(scripts::echo(), "[::1]:0");
  dns_.set("six.example", {"::1"});
  EXPECT_EQ(connect_to("six.example", origin.address().port()).status, 200);
}

TEST_F(Dialling, ANameThatDoesNotExistIs502AndReply4) {
  const auto response = connect_to("nowhere.example", 80);
  EXPECT_EQ(response.status, 502);
  EXPECT_EQ(proxy_error(response), "dns_error");
  EXPECT_EQ(socks_reply("nowhere.example", 80), 4);
}

TEST_F(Dialling, ANameWithoutAddressesIs502AndReply4) {
  dns_.set("empty.example", {});
  EXPECT_EQ(connect_to("empty.example", 80).status, 502);
  EXPECT_EQ(socks_reply("empty.example", 80), 4);
}

TEST_F(Dialling, ANameServerThatStaysSilentIsRefusedInTheEnd) {
  dns_.set_silent("lost.example");
  const auto response = connect_to("lost.example", 80);
  EXPECT_EQ(response.status, 502);
  EXPECT_EQ(proxy_error(response), "dns_error");
  EXPECT_EQ(socks_reply("lost.example", 80), 4);
}

TEST_F(Dialling, ARefusedConnectionIs502AndReply5) {
  const ClosedPort closed;
  dns_.set("closed.example", {"127.0.0.1"});
  const auto response = connect_to("closed.example", closed.address().port());
  EXPECT_EQ(response.status, 502);
  EXPECT_EQ(proxy_error(response), "connection_refused");
  EXPECT_EQ(socks_reply("closed.example", closed.address().port()), 5);
}

TEST_F(Dialling, AConnectionThatTimesOutIs504AndReply4) {
  const BlackHole dead(parse_address("127.0.0.1:0"));
  dns_.set("dead.example", {"127.0.0.1"});
  const auto response = connect_to("dead.example", dead.address().port());
  EXPECT_EQ(response.status, 504);
  EXPECT_EQ(proxy_error(response), "connection_timeout");
  EXPECT_EQ(socks_reply("dead.example", dead.address().port()), 4);
}

TEST_F(Dialling, AClientThatLeavesDuringADialDisturbsNobody) {
  const BlackHole dead(parse_address("127.0.0.1:0"));
  const Origin origin(scripts::echo());
  for (int i = 0; i < 20; ++i) {
    RawClient client = proxy_.connect();
    const std::string authority = dead.address().to_string();
    client.send("CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n\r\n");
    if (i % 2 == 0) client.reset();
  }
  EXPECT_EQ(connect_to("127.0.0.1", origin.address().port()).status, 200);
}

TEST_F(Dialling, AClientThatLeavesDuringAResolutionDisturbsNobody) {
  dns_.set_silent("lost.example");
  const Origin origin(scripts::echo());
  for (int i = 0; i < 20; ++i) {
    RawClient client = proxy_.connect();
    client.send("CONNECT lost.example:80 HTTP/1.1\r\nHost: lost.example:80\r\n\r\n");
    if (i % 2 == 0) client.reset();
  }
  EXPECT_EQ(connect_to("127.0.0.1", origin.address().port()).status, 200);
}

}  // namespace
}  // namespace payg::test
