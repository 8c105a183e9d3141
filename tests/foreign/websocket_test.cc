// WebSocket: inside a tunnel, and by an Upgrade that the proxy forwards.

#include "tests/foreign/foreign_world.h"

namespace payg::test {
namespace {

struct Way {
  const char* name;
  const char* agent;
  const char* proxy;   ///< the scheme of its URL
  const char* target;  ///< of the WebSocket's
  const char* unpaid;
  const char* wrong_token;
  const char* no_such_location;
  Door door = Door::plain;
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << way.name;
}

class WebSocket : public ForeignWorld, public testing::WithParamInterface<Way> {
 protected:
  WebSocket() : ForeignWorld(GetParam().door) {}

  ProgramCall talk(const Account& account, const std::vector<std::string>& more = {}) const {
    const Way& way = GetParam();
    const bool secure = std::string_view(way.target) == "wss";
    const auto scheme = secure ? ForeignOrigin::Scheme::https : ForeignOrigin::Scheme::http;
    std::vector<std::string> arguments{
        node_program,
        source_file("tests/foreign/clients/websocket.js"),
        way.agent,
        std::string(way.proxy) + "://" + credentials(account) + "@" + proxy_address(),
        certificate_.path,
        std::string(way.target) + "://" + origin_.authority(scheme, ForeignOrigin::Host::by_name) + "/echo"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return ProgramCall{
        .arguments = arguments, .environment = {node_path()}, .working_folder = {}, .open_files = {}};
  }
};

TEST_P(WebSocket, CarriesMessagesOfEverySizeAndCloses) {
  const Finished talked = run(talk(alice_));
  EXPECT_EQ(talked.output, "7 messages\nclosed 1000\n") << told_by(talked);
  EXPECT_EQ(origin_.requests().at(0).kind, "upgrade");
}

TEST_P(WebSocket, SaysWhatItIsRefusedFor) {
  const std::pair<Account, const char*> all[] = {
      {metered_.user("penniless", ""), GetParam().unpaid},
      {Account{alice_.name, "wrong-token"}, GetParam().wrong_token},
      {Account{alice_.name + "-country-zz", alice_.token}, GetParam().no_such_location}};
  for (const auto& [account, shown] : all) {
    const Finished refused = run(talk(account));
    EXPECT_EQ(refused.errors, std::string(shown) + "\n") << told_by(refused);
  }
  EXPECT_TRUE(origin_.requests().empty());
}

TEST_P(WebSocket, IsCutWhileItIsIdleWhenTheMoneyIsSpent) {
  const Finished cut = run_out_of_money(talk(alice_, {"hold"}), alice_, [](const Process& client) {
    return client.output() == "7 messages\n";
  });
  EXPECT_NE(cut.output.find("closed 1006\n"), std::string::npos) << told_by(cut);
  EXPECT_EQ(metered_.balance_units(alice_), 0);
}

// What ws says of an answer that is none to its Upgrade, or of one that the agent hands it in place of a
// tunnel.
constexpr const char* said_402 = "Unexpected server response: 402";
constexpr const char* said_407 = "Unexpected server response: 407";
constexpr const char* said_503 = "Unexpected server response: 503";

constexpr Way ways[] = {
    {"tunnel", "https-proxy-agent", "http", "ws", said_402, said_407, said_503},
    {"tunnel_and_tls", "https-proxy-agent", "http", "wss", said_402, said_407, said_503},
    {"tunnel_by_tls", "https-proxy-agent", "https", "ws", said_402, said_407, said_503, Door::tls},
    {"tunnel_by_tls_and_tls", "https-proxy-agent", "https", "wss", said_402, said_407, said_503, Door::tls},
    {"forwarded", "http-proxy-agent", "http", "ws", said_402, said_407, said_503},
    {"forwarded_by_tls", "http-proxy-agent", "https", "ws", said_402, said_407, said_503, Door::tls},
    {"socks5", "socks-proxy-agent", "socks5h", "ws", "Socks5 proxy rejected connection - NotAllowed",
     "Socks5 Authentication failed", "Socks5 proxy rejected connection - HostUnreachable"},
    {"socks5_and_tls", "socks-proxy-agent", "socks5h", "wss", "Socks5 proxy rejected connection - NotAllowed",
     "Socks5 Authentication failed", "Socks5 proxy rejected connection - HostUnreachable"}};
INSTANTIATE_TEST_SUITE_P(EachWay, WebSocket, testing::ValuesIn(ways),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace payg::test
