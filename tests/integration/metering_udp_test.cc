// UDP associations under the meter: refused, charged and cut as every other connection of a session.

#include <nlohmann/json.hpp>

#include "tests/integration/metered_proxy.h"
#include "tests/support/harness/udp_end.h"

namespace payg::test {
namespace {

class MeteredUdp : public testing::Test {
 protected:
  socks::Reply associate(RawClient& control, const std::string& name, const std::string& token) const {
    return socks::open(control, socks::associate(), name, token);
  }
  socks::Reply associate(RawClient& control, const Account& account) const {
    return associate(control, account.name, account.token);
  }

  MeteredProxy metered_{
      LedgerKind::sqlite, {}, ProxySettings{.proxy_lines = {"access_log = \"access.log\""}}};
};

TEST_F(MeteredUdp, AnAssociationIsASessionThatIsChargedAndCounted) {
  const Account alice = metered_.user("alice", "1");
  const UdpEnd origin, end;
  RawClient control = metered_.proxy().connect();
  const auto reply = associate(control, alice);
  ASSERT_EQ(reply.code, 0);
  end.send_to(socks::bound_in(reply), socks::datagram_to(origin.address(), "12345"));
  const auto arrived = origin.receive();
  origin.send_to(arrived.from, "1234567");
  end.receive();

  // It is counted when the kernel has taken it, and the other end may have it before that.
  nlohmann::json session;
  constexpr int downward = 10 + 10 + 7;  // the reply, the head of the datagram, and what that carries
  EXPECT_TRUE(eventually([&] {
    const auto sessions = metered_.client(alice).get("/api/sessions").json().at("sessions");
    if (sessions.size() != 1) return false;
    session = sessions.at(0);
    return session.at("bytes_up") == 5 && session.at("bytes_down") == downward;
  })) << session;
  ASSERT_TRUE(session.is_object());
  EXPECT_EQ(session.at("connections"), 1);
  EXPECT_EQ(session.at("exit"), "direct");
  EXPECT_TRUE(eventually([&] { return metered_.balance_units(alice) < 3'600'000; }));

  RawClient tunnel = metered_.proxy().connect();
  const Origin echo(scripts::echo());
  ASSERT_EQ(socks::open(tunnel, socks::connect_to(echo.address()), alice.name, alice.token).code, 0);
  EXPECT_EQ(metered_.live_sessions(alice), 1) << "it is the same session";
}

TEST_F(MeteredUdp, AnAssociationOfASessionThatRunsDryIsCut) {
  const Account alice = metered_.user("alice", "0.002");
  const UdpEnd origin, end;
  RawClient control = metered_.proxy().connect();
  const auto reply = associate(control, alice);
  ASSERT_EQ(reply.code, 0);
  const SocketAddress relay = socks::bound_in(reply);
  end.send_to(relay, socks::datagram_to(origin.address(), "paid"));
  EXPECT_EQ(origin.receive().bytes, "paid");
  EXPECT_TRUE(control.at_end()) << "idle or not";
  EXPECT_EQ(metered_.balance_units(alice), 0);

  end.send_to(relay, socks::datagram_to(origin.address(), "unpaid"));
  EXPECT_FALSE(origin.receive_now());
  RawClient again = metered_.proxy().connect();
  EXPECT_EQ(associate(again, alice).code, 2) << "payment required";

  metered_.top_up(alice, "1");
  RawClient paid = metered_.proxy().connect();
  const auto back = associate(paid, alice);
  ASSERT_EQ(back.code, 0) << "and goes on without anybody restarting anything";
  end.send_to(socks::bound_in(back), socks::datagram_to(origin.address(), "paid again"));
  EXPECT_EQ(origin.receive().bytes, "paid again");
}

TEST_F(MeteredUdp, WhoMayNotIsRefusedAndNotCharged) {
  const Account poor = metered_.user("poor", "0.0001");
  const Account alice = metered_.user("alice", "1");
  RawClient unpaid = metered_.proxy().connect();
  EXPECT_EQ(associate(unpaid, poor).code, 2);
  RawClient unknown = metered_.proxy().connect();
  const auto refused = associate(unknown, "alice", "a wrong token");
  EXPECT_EQ(refused.version, 1);
  EXPECT_NE(refused.code, 0) << "RFC 1929";
  RawClient nowhere = metered_.proxy().connect();
  EXPECT_EQ(associate(nowhere, "alice-country-zz", alice.token).code, 4) << "no such location";
  EXPECT_EQ(metered_.balance_units(alice), 3'600'000);
  EXPECT_EQ(metered_.balance_units(poor), 360);
}

TEST_F(MeteredUdp, TheAccessLogHasAnAssociationAsOneConnection) {
  const Account alice = metered_.user("alice", "1");
  const UdpEnd origin, other("127.0.0.2"), end;
  {
    RawClient control = metered_.proxy().connect();
    const auto reply = associate(control, alice);
    ASSERT_EQ(reply.code, 0);
    end.send_to(socks::bound_in(reply), socks::datagram_to(origin.address(), "1"));
    origin.receive();
    end.send_to(socks::bound_in(reply), socks::datagram_to(other.address(), "2"));
    other.receive();
  }
  const std::string path = metered_.proxy().folder() + "/access.log";
  ASSERT_TRUE(eventually([&] { return read_file(path).find('\n') != std::string::npos; }));
  const auto line = nlohmann::json::parse(read_file(path));
  EXPECT_EQ(line.at("protocol"), "socks5_udp");
  EXPECT_EQ(line.at("target"), other.address().to_string());
  EXPECT_EQ(line.at("requests"), 3) << "the association, and two targets";
  EXPECT_EQ(line.at("user"), "alice");
  EXPECT_EQ(line.at("end"), "client_closed");
}

}  // namespace
}  // namespace payg::test
