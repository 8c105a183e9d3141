// What a user sees is the same by every way in: refused for money, refused for his token, refused for a location,
// cut for money, and let in again when he has paid.

#include "tests/integration/metered_proxy.h"
#include "tests/support/harness/udp_end.h"

namespace payg::test {
namespace {

enum class Protocol { forward, connect, socks5, udp };

struct WayIn {
  const char* name;
  Protocol protocol;
  Transport transport;
};

void PrintTo(const WayIn& way, std::ostream* out) {
  *out << way.name;
}

/// What came of asking to be let in, in the words of DESIGN.md, "Names on the wire".
enum class Seen { let_in, payment_required, bad_credentials, location_unavailable, something_else };

void PrintTo(Seen seen, std::ostream* out) {
  constexpr const char* names[] = {"let in", "payment required", "bad credentials", "location unavailable",
                                   "something else"};
  *out << names[static_cast<int>(seen)];
}

Seen seen_in(const HttpResponse& response) {
  switch (response.status) {
    case 200: return Seen::let_in;
    case 402: return Seen::payment_required;
    case 407: return Seen::bad_credentials;
    case 503: return Seen::location_unavailable;
    default: return Seen::something_else;
  }
}

Seen seen_in(const socks::Reply& reply) {
  constexpr int of_credentials = 1;  // RFC 1929
  if (reply.version == of_credentials) return reply.code == 0 ? Seen::something_else : Seen::bad_credentials;
  switch (reply.code) {
    case 0: return Seen::let_in;
    case 2: return Seen::payment_required;
    case 4: return Seen::location_unavailable;
    default: return Seen::something_else;
  }
}

/// One client that was let in, or was not.
class Visit {
 public:
  Visit(MeteredProxy& metered, const WayIn& way, const Account& account)
      : way_(way), client_(metered.proxy().connect(way.transport == Transport::tls ? 1 : 0)) {
    switch (way.protocol) {
      case Protocol::forward:
        client_.send(get_as(account, web_));
        seen_ = seen_in(read_response(client_));
        break;
      case Protocol::connect:
        seen_ = seen_in(http_connect(client_, echo_.authority(), account.name, account.token));
        break;
      case Protocol::socks5:
        seen_ = seen_in(open(socks::connect_to(echo_.address()), account));
        break;
      case Protocol::udp: {
        const auto reply = open(socks::associate(), account);
        seen_ = seen_in(reply);
        if (seen_ == Seen::let_in) relay_ = socks::bound_in(reply);
        break;
      }
    }
  }

  Seen seen() const { return seen_; }
  /// A byte goes to the target and something comes back.
  bool carries_bytes() {
    switch (way_.protocol) {
      case Protocol::forward: return web_.requests().size() == 1;
      case Protocol::connect:
      case Protocol::socks5: client_.send("x"); return client_.read_exactly(1) == "x";
      case Protocol::udp:
        end_.send_to(relay_, socks::datagram_to(target_.address(), "x"));
        target_.send_to(target_.receive().from, "y");
        return end_.receive().bytes.back() == 'y';
    }
    return false;
  }
  /// Waits until the proxy has closed it.
  bool is_over() { return client_.at_end(); }

 private:
  socks::Reply open(const std::string& request, const Account& account) {
    return socks::open(client_, request, account.name, account.token);
  }

  const WayIn way_;
  const Origin echo_{scripts::echo()};
  Origin web_{scripts::answer_ok()};
  const UdpEnd target_, end_;
  RawClient client_;
  SocketAddress relay_;
  Seen seen_ = Seen::something_else;
};

class EveryWayIn : public testing::TestWithParam<WayIn> {
 protected:
  EveryWayIn()
      : metered_(LedgerKind::sqlite, {},
                 ProxySettings{.listeners = {"127.0.0.1:0", "127.0.0.1:0"},
                               .transports = {Transport::plain, Transport::tls}}) {}

  Seen visit(const Account& account) { return Visit(metered_, GetParam(), account).seen(); }

  MeteredProxy metered_;
};

INSTANTIATE_TEST_SUITE_P(By, EveryWayIn,
                         testing::Values(WayIn{"Forward", Protocol::forward, Transport::plain},
                                         WayIn{"Connect", Protocol::connect, Transport::plain},
                                         WayIn{"Socks5", Protocol::socks5, Transport::plain},
                                         WayIn{"Udp", Protocol::udp, Transport::plain},
                                         WayIn{"ForwardInTls", Protocol::forward, Transport::tls},
                                         WayIn{"ConnectInTls", Protocol::connect, Transport::tls},
                                         WayIn{"Socks5InTls", Protocol::socks5, Transport::tls},
                                         WayIn{"UdpInTls", Protocol::udp, Transport::tls}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(EveryWayIn, WhoCannotPayIsRefusedAndNotCharged) {
  const Account poor = metered_.user("poor", "0.0009");
  EXPECT_EQ(visit(poor), Seen::payment_required);
  EXPECT_EQ(metered_.balance_units(poor), 3240);
  EXPECT_EQ(metered_.live_sessions(poor), 0);
}

TEST_P(EveryWayIn, AWrongTokenIsRefusedWhateverTheBalance) {
  const Account poor = metered_.user("poor", "0.0009");
  const Account rich = metered_.user("rich", "1");
  for (const std::string& name : {poor.name, rich.name, std::string("nobody")})
    EXPECT_EQ(visit({name, "a wrong token"}), Seen::bad_credentials);
}

TEST_P(EveryWayIn, APlaceWithoutAnExitIsRefusedAndNotCharged) {
  const Account alice = metered_.user("alice", "1");
  EXPECT_EQ(visit({alice.name + "-country-zz", alice.token}), Seen::location_unavailable);
  EXPECT_EQ(metered_.balance_units(alice), 3'600'000);
  EXPECT_EQ(metered_.live_sessions(alice), 0);
}

TEST_P(EveryWayIn, WhoseMoneyIsUsedUpIsCutAndIsLetInAgainWhenHeHasPaid) {
  const Account alice = metered_.user("alice", "0.002");
  {
    Visit visit(metered_, GetParam(), alice);
    ASSERT_EQ(visit.seen(), Seen::let_in);
    EXPECT_TRUE(visit.carries_bytes());
    EXPECT_TRUE(visit.is_over());
  }
  EXPECT_EQ(metered_.balance_units(alice), 0);
  EXPECT_EQ(visit(alice), Seen::payment_required);
  metered_.top_up(alice, "1");
  Visit paid(metered_, GetParam(), alice);
  EXPECT_EQ(paid.seen(), Seen::let_in);
  EXPECT_TRUE(paid.carries_bytes());
}

}  // namespace
}  // namespace payg::test
