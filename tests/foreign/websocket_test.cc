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
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << way.name;
}

class WebSocket : public ForeignWorld, public testing::WithParamInterface<Way> {
 protected:
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

TEST_P(WebSocket, IsRefusedWithoutMoney) {
  const Finished refused = run(talk(metered_.user("penniless", "")));
  EXPECT_NE(refused.errors.find(GetParam().unpaid), std::string::npos) << told_by(refused);
  EXPECT_TRUE(origin_.requests().empty());
}

TEST_P(WebSocket, IsCutWhileItIsIdleWhenTheMoneyIsSpent) {
  const Finished cut = run_out_of_money(talk(alice_, {"hold"}), alice_, [](const Process& client) {
    return client.output() == "7 messages\n";
  });
  EXPECT_NE(cut.output.find("closed 1006\n"), std::string::npos) << told_by(cut);
  EXPECT_EQ(metered_.balance_units(alice_), 0);
}

INSTANTIATE_TEST_SUITE_P(EachWay, WebSocket,
                         testing::Values(Way{"tunnel", "https-proxy-agent", "http", "ws", "402"},
                                         Way{"tunnel_and_tls", "https-proxy-agent", "http", "wss", "402"},
                                         Way{"forwarded", "http-proxy-agent", "http", "ws",
                                             "Unexpected server response: 402"},
                                         Way{"socks5", "socks-proxy-agent", "socks5h", "wss", "NotAllowed"}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace payg::test
