// The plugin host, through the real program: a module that works, and every kind that must be refused.

#include <signal.h>

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

std::string with_module(const std::string& module, const std::string& name = "deny_hosts") {
  return "[[plugin]]\nname = \"" + name + "\"\nmodule = \"" + module + "\"\n";
}

ProxySettings denying(const std::string& hosts) {
  ProxySettings settings;
  settings.more = with_module("deny_hosts.so") + "[deny_hosts]\nhosts = [" + hosts + "]\n";
  return settings;
}

TEST(ExamplePlugin, DeniesItsHostsAndLetsTheOthersThrough) {
  const Origin origin(scripts::answer_ok());
  const ProxyProcess proxy(denying(R"("127.0.0.2", "example.com")"));
  const std::string port = std::to_string(origin.address().port());
  for (const std::string host : {"127.0.0.2", "example.com", "www.Example.COM"}) {
    RawClient client = proxy.connect();
    client.send("GET http://" + host + ":" + port + "/ HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto refused = read_response(client);
    EXPECT_EQ(refused.status, 403) << host;
    EXPECT_NE(refused.body.content.find("This host is not reachable here."), std::string::npos)
        << refused.body.content;
    RawClient tunnel = proxy.connect();
    EXPECT_EQ(http_connect(tunnel, host + ":" + port).status, 403) << host;
    RawClient socks_client = proxy.connect();
    EXPECT_EQ(socks::open(socks_client, socks::connect_to_name(host, origin.address().port())).code, 2)
        << host;
  }
  EXPECT_EQ(origin.connections(), 0);
  RawClient client = proxy.connect();
  client.send(get(origin));
  EXPECT_EQ(read_response(client).body.content, "ok");
}

TEST(ExamplePlugin, TakesANewListWhenTheFileIsReloaded) {
  const Origin origin(scripts::answer_ok());
  ProxyProcess proxy(denying(""));
  const auto status = [&] {
    RawClient client = proxy.connect();
    client.send(get(origin));
    return read_response(client).status;
  };
  EXPECT_EQ(status(), 200);
  proxy.rewrite_config(denying("\"127.0.0.1\"").toml(proxy.folder()));
  proxy.process().signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return status() == 403; })) << proxy.log();
}

TEST(ExamplePlugin, WorksTogetherWithBilling) {
  const Origin origin(scripts::answer_ok());
  ProxySettings settings = denying("\"127.0.0.2\"");
  settings.billing = BillingSettings{};
  const ProxyProcess proxy(settings);
  const std::string token = proxy.operator_client().create_user("alice");
  proxy.operator_client().add_credits("alice", "1");
  RawClient denied = proxy.connect();
  EXPECT_EQ(http_connect(denied, "127.0.0.2:80", "alice", token).status, 403);
  RawClient stranger = proxy.connect();
  EXPECT_EQ(http_connect(stranger, origin.authority(), "alice", "wrong").status, 407);
  RawClient client = proxy.connect();
  EXPECT_EQ(http_connect(client, origin.authority(), "alice", token).status, 200);
}

struct BadModule {
  const char* name;
  std::string module;
  std::string expected;  // a part of what is said
};

void PrintTo(const BadModule& bad, std::ostream* out) {
  *out << bad.name;
}

class AModuleThatIsRefused : public testing::TestWithParam<BadModule> {};

TEST_P(AModuleThatIsRefused, KeepsTheProxyFromStartingAndIsNamed) {
  const TempFolder folder;
  ProxySettings settings;
  settings.more = with_module(GetParam().module);
  const std::string config = folder.write("bad.toml", settings.toml(folder.path()));
  for (const std::string flag : {"--config", "--check-config"}) {
    const auto finished = run_program({built("payg-proxy"), flag, config});
    EXPECT_NE(finished.status.code, 0) << flag;
    EXPECT_EQ(finished.status.signal, 0) << flag << finished.errors;
    const std::string said = finished.output + finished.errors;
    EXPECT_NE(said.find(GetParam().expected), std::string::npos) << flag << " said: " << said;
    EXPECT_EQ(said.find("listening on"), std::string::npos) << said;
  }
}

INSTANTIATE_TEST_SUITE_P(Of, AModuleThatIsRefused,
                         testing::Values(BadModule{"AnotherVersion", built("tests/another_version.so"),
                                                   "plugin API"},
                                         BadModule{"NoEntry", built("tests/no_entry.so"), "no_entry.so"},
                                         BadModule{"NoModuleAtAll", "/etc/passwd", "/etc/passwd"},
                                         BadModule{"Missing", "no-such-module.so", "no-such-module.so"}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(WithoutPlugins, PaygProxyIsAPlainProxyAndAsksForNoCredentials) {
  const Origin origin(scripts::answer_ok());
  const ProxyProcess proxy;
  RawClient client = proxy.connect();
  client.send(get(origin));
  EXPECT_EQ(read_response(client).body.content, "ok");
  RawClient with_credentials = proxy.connect();
  EXPECT_EQ(http_connect(with_credentials, origin.authority(), "anybody", "anything").status, 200);
}

}  // namespace
}  // namespace payg::test
