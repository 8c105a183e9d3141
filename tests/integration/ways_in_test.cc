// What a user sees is the same by every way in: refused for money, refused for his token, refused for a
// location, cut for money, and let in again when he has paid.

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/integration/metered_proxy.h"
#include "tests/support/harness/udp_end.h"

namespace payg::test {
namespace {

using nlohmann::json;

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

/// By HTTP a refusal is known by its status, its code and what its Proxy-Status says. SOCKS5 has one reply
/// for several: there the access log has to tell them apart.
struct Look {
  Seen seen;
  const char* code;  ///< in the body, and in the access log
  int status;
  const char* proxy_error;
  int reply;
};
constexpr int no_reply = -1;
constexpr Look looks[] = {
    {Seen::payment_required, "payment_required", 402, "http_request_denied", 2},
    {Seen::bad_credentials, "bad_credentials", 407, "http_request_denied", no_reply},
    {Seen::location_unavailable, "location_unavailable", 503, "destination_unavailable", 4},
};

const char* code_of(Seen seen) {
  for (const Look& look : looks)
    if (look.seen == seen) return look.code;
  return seen == Seen::let_in ? "let in" : "something else";
}

void PrintTo(Seen seen, std::ostream* out) {
  *out << code_of(seen);
}

Seen seen_in(const HttpResponse& response) {
  if (response.status == 200) return Seen::let_in;
  const json body = json::parse(response.body.content, nullptr, false);
  for (const Look& look : looks)
    if (response.status == look.status && proxy_error(response) == look.proxy_error && body.is_object() &&
        body.value("code", "") == look.code)
      return look.seen;
  return Seen::something_else;
}

Seen seen_in(const socks::Reply& reply) {
  constexpr int of_credentials = 1;  // RFC 1929
  if (reply.version == of_credentials) return reply.code == 0 ? Seen::something_else : Seen::bad_credentials;
  if (reply.code == 0) return Seen::let_in;
  for (const Look& look : looks)
    if (reply.code == look.reply) return look.seen;
  return Seen::something_else;
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
      case Protocol::socks5: seen_ = seen_in(open(socks::connect_to(echo_.address()), account)); break;
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
                               .transports = {Transport::plain, Transport::tls},
                               .proxy_lines = {"access_log = \"access.log\""}}) {}

  void expect_refused(const Account& account, Seen why) {
    EXPECT_EQ(Visit(metered_, GetParam(), account).seen(), why);
    EXPECT_EQ(next_in_log().at("refusal"), code_of(why));
  }
  /// What the access log says of one connection more, when it is over.
  json next_in_log() {
    json line;
    EXPECT_TRUE(eventually([&] {
      std::istringstream text(read_file(metered_.proxy().folder() + "/access.log"));
      std::string last;
      int lines = 0;
      for (; std::getline(text, last); ++lines) {
        if (lines == logged_ && !text.eof()) line = json::parse(last);
      }
      return line.is_object();
    }));
    ++logged_;
    return line.is_object() ? line : json::object();
  }
  void expect_the_api_says_that_money_is_used_up(const Account& account) {
    const json balance = metered_.client(account).get("/api/credits/balance").json();
    EXPECT_EQ(balance.at("balance_units"), 0);
    EXPECT_EQ(balance.at("can_start"), false);
    EXPECT_EQ(balance.at("code"), "payment_required");
    EXPECT_EQ(balance.at("reason"), "The balance is used up; buy credits to go on.");
    const json locations = metered_.client(account).get("/api/locations").json();
    EXPECT_EQ(locations.at("code"), "payment_required");
    EXPECT_EQ(locations.at("reason"), balance.at("reason"));
    // The ledger hears of the end behind the cut.
    EXPECT_TRUE(eventually([&] { return metered_.live_sessions(account) == 0; }));
    const AdminClient operating = metered_.operator_client();
    EXPECT_EQ(operating.get("/api/sessions?user=" + account.name).json().at("sessions"), json::array());
    const json user = operating.get("/api/admin/users/" + account.name).json();
    EXPECT_EQ(user.at("balance_units"), 0);
    EXPECT_EQ(user.at("sessions"), 0);
    EXPECT_EQ(operating.metric("payg_proxy_cuts_total"), 1);
  }

  MeteredProxy metered_;
  int logged_ = 0;
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
  expect_refused(poor, Seen::payment_required);
  EXPECT_EQ(metered_.balance_units(poor), 3240);
  EXPECT_EQ(metered_.live_sessions(poor), 0);
}

TEST_P(EveryWayIn, AWrongTokenIsRefusedWhateverTheBalance) {
  const Account poor = metered_.user("poor", "0.0009");
  const Account rich = metered_.user("rich", "1");
  for (const std::string& name : {poor.name, rich.name, std::string("nobody")})
    expect_refused({name, "a wrong token"}, Seen::bad_credentials);
}

TEST_P(EveryWayIn, APlaceWithoutAnExitIsRefusedAndNotCharged) {
  const Account alice = metered_.user("alice", "1");
  expect_refused({alice.name + "-country-zz", alice.token}, Seen::location_unavailable);
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
  const json cut = next_in_log();
  EXPECT_EQ(cut.at("end"), "cut");
  EXPECT_EQ(cut.at("refusal"), "payment_required");
  expect_the_api_says_that_money_is_used_up(alice);
  expect_refused(alice, Seen::payment_required);
  metered_.top_up(alice, "1");
  Visit paid(metered_, GetParam(), alice);
  EXPECT_EQ(paid.seen(), Seen::let_in);
  EXPECT_TRUE(paid.carries_bytes());
}

}  // namespace
}  // namespace payg::test
