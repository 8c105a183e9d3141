// The first thing that a newcomer does: config/demo.toml, and curl.

#include <nlohmann/json.hpp>
#include <regex>

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

/// config/demo.toml as it is shipped, but on free ports and with its ledger in a folder of its own.
ProxyLaunch demo_launch() {
  ProxyLaunch launch;
  const std::string shipped = read_file(source_file("config/demo.toml"));
  const std::string with_free_ports =
      std::regex_replace(shipped, std::regex(R"((127\.0\.0\.1|\[::1\]):\d+")"), "$1:0\"");
  launch.toml = std::regex_replace(with_free_ports, std::regex("sqlite:var/"), "sqlite:");
  launch.admin = HasAdmin::yes;
  return launch;
}

class Demo : public testing::Test {
 protected:
  Demo() : proxy_(demo_launch()) {}

  std::string proxy_url() const { return "http://demo:demo-token@" + proxy_.address().to_string(); }
  std::string api(const std::string& path) const {
    return "http://" + proxy_.admin_address().to_string() + path;
  }

  static Finished curl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"/usr/bin/curl", "-sS"});
    return run_program(arguments);
  }
  std::int64_t balance_units() const {
    return nlohmann::json::parse(curl({api("/api/credits/balance")}).output)
        .at("balance_units")
        .get<std::int64_t>();
  }

  ProxyProcess proxy_;
};

TEST_F(Demo, RefusesUntilItIsPaidAndThenWorksInEveryWay) {
  const Origin origin(scripts::answer_ok("hello from the origin"));

  const auto refused = curl({"-i", "-x", proxy_url(), origin.url()});
  EXPECT_TRUE(refused.output.starts_with("HTTP/1.1 402 ")) << refused.output << refused.errors;
  EXPECT_NE(refused.output.find("Proxy-Status: "), std::string::npos) << refused.output;
  EXPECT_EQ(origin.connections(), 0);

  const auto bought = curl({"-i", "-X", "POST", api("/api/credits/purchase"), "-d", R"({"amount":10})"});
  EXPECT_TRUE(bought.output.starts_with("HTTP/1.1 201 ")) << bought.output;
  const auto order = nlohmann::json::parse(bought.output.substr(bought.output.find("\r\n\r\n") + 4));
  EXPECT_EQ(order.at("status"), "paid");
  EXPECT_EQ(balance_units(), 36'000'000);

  const auto plain = curl({"-x", proxy_url(), origin.url()});
  EXPECT_EQ(plain.output, "hello from the origin") << plain.errors;
  EXPECT_TRUE(eventually([&] { return balance_units() == 36'000'000 - 48'000; })) << balance_units();

  const auto tunnel = curl({"-p", "-x", proxy_url(), origin.url()});
  EXPECT_EQ(tunnel.output, "hello from the origin") << tunnel.errors;
  const auto socks =
      curl({"--socks5-hostname", "demo:demo-token@" + proxy_.address().to_string(), origin.url()});
  EXPECT_EQ(socks.output, "hello from the origin") << socks.errors;
  EXPECT_EQ(balance_units(), 36'000'000 - 48'000) << "all of that was one session and one minute";
}

TEST_F(Demo, RefusesATunnelAndSocksUntilItIsPaid) {
  const Origin origin(scripts::echo());
  RawClient client = proxy_.connect();
  const auto response = http_connect(client, origin.authority(), "demo", "demo-token");
  EXPECT_EQ(response.status, 402);
  EXPECT_TRUE(response.head.has("Proxy-Status")) << response.head.raw;
  RawClient socks_client = proxy_.connect();
  EXPECT_EQ(socks::open(socks_client, socks::connect_to(origin.address()), "demo", "demo-token").code, 2);
  EXPECT_EQ(origin.connections(), 0);
}

TEST_F(Demo, TellsWhereToBuy) {
  const auto refused = curl({"-H", "Accept: application/json", "-x", proxy_url(), "http://127.0.0.1:9/"});
  EXPECT_NE(refused.output.find(proxy_.admin_address().to_string()), std::string::npos) << refused.output;
}

TEST_F(Demo, DoesNotLetAWrongTokenIn) {
  const Origin origin(scripts::answer_ok());
  const auto wrong = curl({"-i", "-x", "http://demo:wrong@" + proxy_.address().to_string(), origin.url()});
  EXPECT_TRUE(wrong.output.starts_with("HTTP/1.1 407 ")) << wrong.output;
  EXPECT_NE(wrong.output.find("Proxy-Authenticate: Basic"), std::string::npos) << wrong.output;
  const auto none = curl({"-i", "-x", "http://" + proxy_.address().to_string(), origin.url()});
  EXPECT_TRUE(none.output.starts_with("HTTP/1.1 407 ")) << none.output;
  EXPECT_EQ(origin.connections(), 0);
}

}  // namespace
}  // namespace payg::test
