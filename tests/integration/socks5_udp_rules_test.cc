// PROXY_RULES, "SOCKS5", UDP ASSOCIATE: RFC 1928 §7, datagram by datagram. That something does not arrive is
// seen from what arrives behind it: on the loopback interface nothing overtakes.

#include <thread>

#include "tests/integration/plain_proxy.h"
#include "tests/support/harness/fake_dns.h"
#include "tests/support/harness/udp_end.h"

namespace payg::test {
namespace {

using namespace std::string_literals;

/// A client with an association of its own.
class UdpClient {
 public:
  UdpClient(const ProxyProcess& proxy, std::string_view address = "127.0.0.1", std::size_t listener = 0)
      : control_(proxy.connect(listener)), end_(address) {
    const auto reply = socks::open(control_, socks::associate());
    EXPECT_EQ(reply.code, 0);
    relay_ = socks::bound_in(reply);
  }

  RawClient& control() { return control_; }
  const UdpEnd& end() const { return end_; }
  const SocketAddress& relay() const { return relay_; }
  void send(std::string_view datagram) const { end_.send_to(relay_, datagram); }
  void send_to(const UdpEnd& target, std::string_view payload) const {
    send(socks::datagram_to(target.address(), payload));
  }

 private:
  RawClient control_;
  UdpEnd end_;
  SocketAddress relay_;
};

class SocksUdp : public EitherProxy {};

INSTANTIATE_TEST_SUITE_P(By, SocksUdp, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(SocksUdp, DatagramsGoBothWays) {
  const UdpEnd origin;
  const UdpClient client(proxy_);
  client.send_to(origin, "question");
  const auto question = origin.receive();
  EXPECT_EQ(question.bytes, "question");
  origin.send_to(question.from, "answer");
  const auto answer = client.end().receive();
  EXPECT_EQ(answer.bytes, socks::datagram_to(origin.address(), "answer"));
  EXPECT_EQ(answer.from, client.relay()) << "it comes from where the client sends to";
}

TEST_P(SocksUdp, TheReplyNamesTheAddressThatTheClientIsConnectedTo) {
  const UdpClient client(proxy_);
  EXPECT_EQ(client.relay().ip().to_string(), "127.0.0.1");
  EXPECT_NE(client.relay().port(), 0);
}

TEST_P(SocksUdp, EmptyAndLargestDatagramsArrive) {
  const UdpEnd origin;
  const UdpClient client(proxy_);
  client.send_to(origin, "");
  EXPECT_EQ(origin.receive().bytes, "");
  // What IPv4 carries at most, less the head of ten bytes.
  const std::string large(65507 - 10, 'x');
  client.send_to(origin, large);
  const auto arrived = origin.receive();
  EXPECT_EQ(arrived.bytes, large);
  origin.send_to(arrived.from, large);
  EXPECT_EQ(client.end().receive().bytes.size(), 65507U);
}

TEST_P(SocksUdp, TheLargestDatagramMayBeTheFirst) {
  const UdpEnd origin;
  const UdpClient client(proxy_);
  const std::string large(65507 - 10, 'x');
  client.send_to(origin, large);
  EXPECT_EQ(origin.receive().bytes, large) << "it waits while the target is asked about";
}

TEST_P(SocksUdp, OneAssociationReachesManyTargets) {
  const UdpEnd first, second("127.0.0.2"), third("::1");
  const UdpClient client(proxy_);
  for (int round = 0; round < 3; ++round) {
    client.send_to(first, "1");
    client.send_to(second, "2");
    client.send_to(third, "3");
  }
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(first.receive().bytes, "1");
    EXPECT_EQ(second.receive().bytes, "2");
    EXPECT_EQ(third.receive().bytes, "3");
  }
}

// ---- who may use it

TEST_P(SocksUdp, OnlyTheClientsAddressMayUseIt) {
  const UdpEnd origin;
  const UdpClient client(proxy_);
  const UdpEnd stranger("127.0.0.2");
  stranger.send_to(client.relay(), socks::datagram_to(origin.address(), "stranger"));
  client.send_to(origin, "client");
  EXPECT_EQ(origin.receive().bytes, "client");
}

TEST_P(SocksUdp, ThePortOfTheFirstDatagramIsTheClients) {
  const UdpEnd origin;
  const UdpClient client(proxy_);
  client.send_to(origin, "first");
  EXPECT_EQ(origin.receive().bytes, "first");
  const UdpEnd neighbour;
  neighbour.send_to(client.relay(), socks::datagram_to(origin.address(), "neighbour"));
  client.send_to(origin, "second");
  EXPECT_EQ(origin.receive().bytes, "second");
}

TEST_P(SocksUdp, ThePortThatTheClientNamesIsTheOnlyOne) {
  const UdpEnd origin, end, neighbour;
  RawClient control = connect();
  const auto reply = socks::open(
      control, socks::request(socks::udp_associate, socks::ipv4, "\x7f\0\0\1"s, end.address().port()));
  ASSERT_EQ(reply.code, 0);
  neighbour.send_to(socks::bound_in(reply), socks::datagram_to(origin.address(), "neighbour"));
  end.send_to(socks::bound_in(reply), socks::datagram_to(origin.address(), "named"));
  EXPECT_EQ(origin.receive().bytes, "named");
}

TEST_P(SocksUdp, WhatTheClientSaysOfItsAddressIsNotBelieved) {
  // Behind an address translator it does not know it.
  const UdpEnd origin, end;
  const std::string own_address = "\x7f\0\0\1"s, another = "\xc0\xa8\x01\x02"s, none(4, '\0');
  for (const auto& request : {socks::request(socks::udp_associate, socks::ipv4, another, 9),
                              socks::request(socks::udp_associate, socks::ipv4, none, 9),
                              socks::request(socks::udp_associate, socks::ipv4, own_address, 0),
                              socks::request(socks::udp_associate, socks::domain, "\x05"s + "my-pc", 9)}) {
    RawClient control = connect();
    const auto reply = socks::open(control, request);
    ASSERT_EQ(reply.code, 0);
    const UdpEnd fresh;
    fresh.send_to(socks::bound_in(reply), socks::datagram_to(origin.address(), "arrives"));
    EXPECT_EQ(origin.receive().bytes, "arrives");
  }
}

TEST_P(SocksUdp, NothingComesInFromWhomTheClientHasNotSentTo) {
  const UdpEnd origin, stranger;
  const UdpClient client(proxy_);
  client.send_to(origin, "hello");
  const auto exit = origin.receive().from;
  stranger.send_to(exit, "unasked");
  origin.send_to(exit, "asked");
  EXPECT_EQ(client.end().receive().bytes, socks::datagram_to(origin.address(), "asked"));
}

// ---- what is dropped

TEST_P(SocksUdp, WhatIsNoWholeDatagramIsDropped) {
  const UdpEnd origin;
  const UdpClient client(proxy_);
  const std::string good = socks::datagram_to(origin.address(), "bad");
  std::string fragment = good, reserved = good, unknown_type = good, port_zero = good;
  fragment[2] = 1;
  reserved[1] = 1;
  unknown_type[3] = 2;
  port_zero[8] = port_zero[9] = 0;
  for (const auto& bad : {fragment, reserved, unknown_type, port_zero, ""s, "\0"s, good.substr(0, 9)}) {
    client.send(bad);
    client.send(socks::datagram_to_name("", origin.address().port(), "bad"));
    client.send(socks::datagram_to_name("127.1", origin.address().port(), "bad"));
  }
  client.send_to(origin, "good");
  EXPECT_EQ(origin.receive().bytes, "good");
}

class GuardedUdp : public PlainProxy {
 protected:
  GuardedUdp()
      : PlainProxy(ProxySettings{.allow_targets = {"127.0.0.2/32"}, .nameservers = {dns().address()}}) {}
  static FakeDns& dns() {
    static FakeDns server;
    return server;
  }
};

TEST_F(GuardedUdp, EachDatagramGoesPastTheGuard) {
  const UdpEnd guarded("127.0.0.1"), guarded_v6("::1"), free("127.0.0.2");
  const UdpClient client(proxy_);
  client.send_to(guarded, "1");
  client.send_to(guarded_v6, "2");
  std::string mapped(3, '\0');
  mapped += "\x04"s + std::string(10, '\0') + "\xff\xff\x7f\x00\x00\x01"s;
  mapped += socks::datagram_to(guarded.address(), "3").substr(8);
  client.send(mapped);
  client.send_to(free, "4");
  EXPECT_EQ(free.receive().bytes, "4");
  EXPECT_FALSE(guarded.receive_now());
  EXPECT_FALSE(guarded_v6.receive_now());
}

TEST_F(GuardedUdp, ANameIsResolvedAndEachAddressGoesPastTheGuard) {
  const UdpEnd guarded("127.0.0.1"), free("127.0.0.2");
  dns().set("inside.test", {"127.0.0.1", "::1"});
  dns().set("both.test", {"127.0.0.1", "127.0.0.2"});
  const UdpClient client(proxy_);
  client.send(socks::datagram_to_name("inside.test", guarded.address().port(), "no"));
  client.send(socks::datagram_to_name("localhost", guarded.address().port(), "no"));
  client.send(socks::datagram_to_name("Both.Test.", free.address().port(), "yes"));
  const auto arrived = free.receive();
  EXPECT_EQ(arrived.bytes, "yes") << "sent on when the name was resolved";
  EXPECT_FALSE(guarded.receive_now());
  free.send_to(arrived.from, "back");
  EXPECT_EQ(client.end().receive().bytes, socks::datagram_to(free.address(), "back"));
}

TEST_F(GuardedUdp, WhileANameIsResolvedAFewDatagramsWaitAndOthersGoOn) {
  const UdpEnd free("127.0.0.2");
  dns().set_silent("silent.test");
  const UdpClient client(proxy_);
  client.send_to(free, "before");
  EXPECT_EQ(free.receive().bytes, "before");
  for (int count = 0; count < 100; ++count)
    client.send(socks::datagram_to_name("silent.test", free.address().port(), "lost"));
  client.send_to(free, "not held up");
  EXPECT_EQ(free.receive().bytes, "not held up");
}

TEST_F(GuardedUdp, ANameServerThatIsSilentHoldsUpNoOtherTarget) {
  const UdpEnd free("127.0.0.2"), another("127.0.0.2");
  dns().set_silent("silent.test");
  dns().set("quick.test", {"127.0.0.2"});
  const UdpClient client(proxy_);
  for (int count = 0; count < 100; ++count)
    client.send(socks::datagram_to_name("silent.test", free.address().port(), "lost"));
  client.send(socks::datagram_to_name("quick.test", free.address().port(), "by name"));
  EXPECT_EQ(free.receive().bytes, "by name");
  client.send_to(another, "by address");
  EXPECT_EQ(another.receive().bytes, "by address");
}

// ---- its life

TEST_P(SocksUdp, ItLivesAsLongAsItsConnection) {
  const UdpEnd origin;
  UdpClient client(proxy_);
  client.send_to(origin, "alive");
  const SocketAddress exit = origin.receive().from;
  client.control().send("whatever else is said on it means nothing");
  client.send_to(origin, "still alive");
  EXPECT_EQ(origin.receive().bytes, "still alive");
  client.control().finish_sending();
  EXPECT_TRUE(client.control().at_end());
  // Its port is nobody's any more: somebody else can have it.
  EXPECT_TRUE(eventually([&] {
    try {
      const UdpEnd taker(exit);
      return true;
    } catch (const HarnessError&) {
      return false;
    }
  }));
}

class IdleUdp : public PlainProxy {
 protected:
  IdleUdp() : PlainProxy(ProxySettings{.proxy_lines = {"idle_timeout = \"200ms\""}}) {}
};

TEST_F(IdleUdp, OnWhichNothingMovesIsClosed) {
  UdpClient client(proxy_);
  EXPECT_TRUE(client.control().at_end());
}

class UdpBehindATranslator : public PlainProxy {
 protected:
  UdpBehindATranslator() : PlainProxy(ProxySettings{.listener_lines = {"udp_address = \"203.0.113.5\""}}) {}
};

TEST_F(UdpBehindATranslator, TellsTheAddressThatClientsCanReach) {
  RawClient control = connect();
  const auto reply = socks::open(control, socks::associate());
  ASSERT_EQ(reply.code, 0);
  const SocketAddress told = socks::bound_in(reply);
  EXPECT_EQ(told.ip().to_string(), "203.0.113.5");
  const UdpEnd origin, end;
  end.send_to(SocketAddress(*IpAddress::parse("127.0.0.1"), told.port()),
              socks::datagram_to(origin.address(), "translated"));
  EXPECT_EQ(origin.receive().bytes, "translated");
}

class UdpAtAnotherAddressOfThisMachine : public PlainProxy {
 protected:
  UdpAtAnotherAddressOfThisMachine()
      : PlainProxy(ProxySettings{.listener_lines = {"udp_address = \"127.0.0.2\""}}) {}
};

TEST_F(UdpAtAnotherAddressOfThisMachine, IsBoundToTheAddressThatItTells) {
  const UdpEnd origin;
  const UdpClient client(proxy_);
  EXPECT_EQ(client.relay().ip().to_string(), "127.0.0.2");
  client.send_to(origin, "there");
  const auto arrived = origin.receive();
  EXPECT_EQ(arrived.bytes, "there");
  origin.send_to(arrived.from, "back");
  const auto back = client.end().receive();
  EXPECT_EQ(back.bytes, socks::datagram_to(origin.address(), "back"));
  EXPECT_EQ(back.from, client.relay());
}

class UdpOfTheOtherFamily : public PlainProxy {
 protected:
  UdpOfTheOtherFamily()
      : PlainProxy(ProxySettings{
            .listener_lines = {"udp_address = \"::1\"", "proxy_protocol_from = [\"127.0.0.1\"]"}}) {}
};

TEST_F(UdpOfTheOtherFamily, ReachesAClientWhoseBalancerSpeaksIpv4ToUs) {
  const UdpEnd origin, end("::1");
  RawClient control = connect();
  control.send("PROXY TCP6 ::1 ::1 4000 1080\r\n");
  const auto reply = socks::open(control, socks::associate());
  ASSERT_EQ(reply.code, 0);
  EXPECT_EQ(socks::bound_in(reply).ip().to_string(), "::1");
  end.send_to(socks::bound_in(reply), socks::datagram_to(origin.address(), "there"));
  const auto arrived = origin.receive();
  EXPECT_EQ(arrived.bytes, "there");
  origin.send_to(arrived.from, "back");
  EXPECT_EQ(end.receive().bytes, socks::datagram_to(origin.address(), "back"));
}

class UdpFromAnAddressThatIsNone : public PlainProxy {
 protected:
  UdpFromAnAddressThatIsNone()
      : PlainProxy(ProxySettings{.more = "[exit_health]\nfailures = 1\nprobe_interval = \"0s\"\n"
                                         "[[exit]]\nname = \"there\"\nkind = \"direct\"\n"
                                         "source_address = \"fe80::1\"\n"}) {}
};

TEST_F(UdpFromAnAddressThatIsNone, IsTheExitsFailureWhateverTheKernelCallsIt) {
  RawClient control = connect();
  EXPECT_EQ(socks::open(control, socks::associate()).code, 1);
  EXPECT_TRUE(proxy_.process().wait_for_errors([](const std::string& log) {
    return log.find("there is down: its source_address cannot be used") != log.npos;
  }));
}

class UdpOverIpv6 : public PlainProxy {
 protected:
  UdpOverIpv6() : PlainProxy(ProxySettings{.listeners = {"[::1]:0", "[::]:0"}}) {}
};

TEST_F(UdpOverIpv6, IsBoundWhereTheClientIsConnected) {
  const UdpEnd origin("::1");
  const UdpClient client(proxy_, "::1");
  EXPECT_EQ(client.relay().ip().to_string(), "::1");
  client.send_to(origin, "six");
  const auto arrived = origin.receive();
  EXPECT_EQ(arrived.bytes, "six");
  origin.send_to(arrived.from, "back");
  EXPECT_EQ(client.end().receive().bytes, socks::datagram_to(origin.address(), "back"));
}

}  // namespace
}  // namespace payg::test
