// The configuration as an operator meets it: checked without starting, reloaded while running.

#include <signal.h>

#include <nlohmann/json.hpp>

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

Finished check_config(const std::string& toml) {
  const TempFolder folder;
  const std::string path = folder.write("proxy.toml", toml);
  return run_program({built("payg-proxy"), "--check-config", path});
}

TEST(CheckConfig, AcceptsAGoodFileWithoutStarting) {
  const TempFolder folder;
  ProxySettings settings{.billing = BillingSettings{}};
  const std::string path = folder.write("proxy.toml", settings.toml(folder.path()));
  const auto finished = run_program({built("payg-proxy"), "--check-config", path});
  EXPECT_EQ(finished.status, (ExitStatus{0, 0})) << finished.errors;
  EXPECT_EQ((finished.output + finished.errors).find("listening on"), std::string::npos);
  EXPECT_THROW(read_file(folder.path() + "/ledger.db"), HarnessError) << "checking makes no ledger";
}

TEST(CheckConfig, AcceptsEveryShippedFile) {
  for (const std::string file : {"config/demo.toml", "config/plain.toml", "config/payg-proxy.toml"}) {
    const auto finished = run_program({built("payg-proxy"), "--check-config", source_file(file)});
    EXPECT_EQ(finished.status.code, 0) << file << ": " << finished.errors;
  }
}

TEST(CheckConfig, NamesFileLineColumnAndKeyOfAMistake) {
  const auto finished = check_config("[proxy]\nidle_timeout = 5\n[[listener]]\naddress = \"127.0.0.1:0\"\n");
  EXPECT_NE(finished.status.code, 0);
  EXPECT_EQ(finished.status.signal, 0);
  EXPECT_NE(finished.errors.find("proxy.toml:2:16: proxy.idle_timeout"), std::string::npos)
      << finished.errors;
}

TEST(CheckConfig, ReportsThePluginsMistakesToo) {
  ProxySettings settings{.billing = BillingSettings{.rate_per_hour = "cheap"}};
  const auto finished = check_config(settings.toml("/tmp"));
  EXPECT_NE(finished.status.code, 0);
  EXPECT_NE(finished.errors.find("rate_per_hour"), std::string::npos) << finished.errors;
}

TEST(CheckConfig, RefusesAFileThatIsNotThere) {
  const auto finished = run_program({built("payg-proxy"), "--check-config", "/no/such/file.toml"});
  EXPECT_NE(finished.status.code, 0);
  EXPECT_NE(finished.errors.find("/no/such/file.toml"), std::string::npos) << finished.errors;
}

TEST(Start, WithABadFileListensNowhere) {
  const TempFolder folder;
  const std::string path =
      folder.write("proxy.toml", "[proxy]\nworkerz = 1\n[[listener]]\naddress = \"127.0.0.1:0\"\n");
  const auto finished = run_program({built("payg-proxy"), "--config", path});
  EXPECT_NE(finished.status.code, 0);
  EXPECT_EQ(finished.status.signal, 0);
  EXPECT_NE(finished.errors.find("workerz"), std::string::npos) << finished.errors;
  EXPECT_EQ(finished.errors.find("listening on"), std::string::npos);
}

TEST(Start, OnATakenPortIsRefusedWithTheAddress) {
  const ProxyProcess first;
  const TempFolder folder;
  ProxySettings settings;
  settings.listeners = {first.address().to_string()};
  const std::string path = folder.write("proxy.toml", settings.toml(folder.path()));
  const auto finished = run_program({built("payg-proxy"), "--config", path});
  EXPECT_NE(finished.status.code, 0);
  EXPECT_NE(finished.errors.find(first.address().to_string()), std::string::npos) << finished.errors;
}

/// A running proxy with billing whose file is changed under it.
class Reload : public testing::Test {
 protected:
  Reload() : proxy_(ProxySettings{.billing = BillingSettings{}}) {}

  void reload_with_rate(const std::string& rate) {
    ProxySettings settings{.billing = BillingSettings{.rate_per_hour = rate}};
    proxy_.rewrite_config(settings.toml(proxy_.folder()));
    proxy_.process().signal(SIGHUP);
  }
  double rate_per_hour(const std::string& token) const {
    return proxy_.user_client(token).get("/api/credits/balance").json().at("rate_per_hour").get<double>();
  }

  ProxyProcess proxy_;
};

TEST_F(Reload, BringsNewPricesIntoForce) {
  const std::string token = proxy_.operator_client().create_user("alice");
  EXPECT_EQ(rate_per_hour(token), 3.6);
  reload_with_rate("7.2");
  EXPECT_TRUE(eventually([&] { return rate_per_hour(token) == 7.2; })) << proxy_.log();
}

TEST_F(Reload, ChargesASessionThatIsRunningByTheNewPrice) {
  const Origin echo(scripts::echo());
  const std::string token = proxy_.operator_client().create_user("alice");
  proxy_.operator_client().add_credits("alice", "1");
  const AdminClient alice = proxy_.user_client(token);
  RawClient tunnel = proxy_.connect();
  ASSERT_EQ(http_connect(tunnel, echo.authority(), "alice", token).status, 200);
  ASSERT_TRUE(eventually([&] { return alice.balance_units() < 3'600'000; }));
  reload_with_rate("360");
  EXPECT_TRUE(eventually([&] { return alice.balance_units() <= 3'600'000 - 360'000; }))
      << "a second costs a hundred times as much";
  tunnel.send("goes on");
  EXPECT_EQ(tunnel.read_exactly(7), "goes on");
}

TEST_F(Reload, OfABadFileIsRefusedAndTheOldOneStaysInForce) {
  const std::string token = proxy_.operator_client().create_user("alice");
  reload_with_rate("cheap");
  EXPECT_TRUE(proxy_.process().wait_for_errors([](const std::string& log) {
    return log.find("proxy.toml:") != std::string::npos && log.find("rate_per_hour") != std::string::npos;
  })) << proxy_.log();
  EXPECT_EQ(rate_per_hour(token), 3.6);
  proxy_.rewrite_config("this is no TOML");
  proxy_.process().signal(SIGHUP);
  reload_with_rate("7.2");
  EXPECT_TRUE(eventually([&] { return rate_per_hour(token) == 7.2; }))
      << "and a good one is taken afterwards";
}

TEST_F(Reload, ChangesWhatIsLogged) {
  const std::string token = proxy_.operator_client().create_user("alice");
  const auto reload = [&](const std::string& level, const std::string& rate) {
    ProxySettings settings{.proxy_lines = {"log_level = \"" + level + "\""},
                           .billing = BillingSettings{.rate_per_hour = rate}};
    proxy_.rewrite_config(settings.toml(proxy_.folder()));
    proxy_.process().signal(SIGHUP);
  };
  const std::string line = "config: reloaded";
  reload("error", "7.2");
  ASSERT_TRUE(eventually([&] { return rate_per_hour(token) == 7.2; }));
  reload("info", "3.6");
  ASSERT_TRUE(proxy_.process().wait_for_errors(
      [&](const std::string& log) { return log.find(line) != std::string::npos; }));
  EXPECT_EQ(proxy_.log().find(line), proxy_.log().rfind(line)) << "the first one was not worth a line";
}

TEST_F(Reload, DisturbsNoConnection) {
  const Origin echo(scripts::echo());
  const std::string token = proxy_.operator_client().create_user("alice");
  proxy_.operator_client().add_credits("alice", "1");
  RawClient tunnel = proxy_.connect();
  ASSERT_EQ(http_connect(tunnel, echo.authority(), "alice", token).status, 200);
  reload_with_rate("7.2");
  ASSERT_TRUE(eventually([&] { return rate_per_hour(token) == 7.2; }));
  tunnel.send("still open");
  EXPECT_EQ(tunnel.read_exactly(10), "still open");
}

}  // namespace
}  // namespace payg::test
