#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "config/billing_config.h"
#include "config/duration.h"
#include "config/proxy_config.h"

namespace payg::config {
namespace {

using namespace std::chrono_literals;
using billing::Credits;
using billing::Rate;

std::string joined(const Errors& errors) {
  std::string out;
  for (const auto& error : errors) out += error + "\n";
  return out;
}

ProxyConfig proxy_of(const std::string& text) {
  auto config = read_proxy_config("f.toml", text);
  if (config.ok()) return std::move(config).value();
  ADD_FAILURE() << joined(config.error());
  return {};
}

BillingConfig billing_of(const std::string& text, const std::string& table = "billing") {
  auto config = read_billing_config("f.toml", text, table);
  if (config.ok()) return std::move(config).value();
  ADD_FAILURE() << joined(config.error());
  return {};
}

TEST(ProxyConfigFile, OneListenerIsEnough) {
  const ProxyConfig config = proxy_of("[[listener]]\naddress = '127.0.0.1:8080'\n");
  ProxyConfig expected;
  expected.listeners = {{.address = "127.0.0.1:8080"}};
  expected.exits.emplace_back().name = "direct";
  EXPECT_EQ(config, expected);
}

TEST(ProxyConfigFile, EveryKeyIsHeard) {
  const ProxyConfig config = proxy_of(R"(
[proxy]
workers = 3
idle_timeout = "1h"
handshake_timeout = "2s"
connect_timeout = "1500ms"
drain_timeout = "7m"
max_connections = 1000
max_connections_per_user = 1
max_connections_per_client_address = 9
allow_targets = ["10.0.0.0/8", "::1", "fd00::/8"]
nameservers = ["192.0.2.53", "192.0.2.54:5353", "2001:db8::1", "[2001:db8::2]:53"]
log_level = "warning"
[[listener]]
address = "[::1]:0"
protocols = ["socks5"]
tls = { certificate = "cert.pem", key = "key.pem" }
proxy_protocol_from = ["10.0.0.0/8", "::1"]
udp_address = "203.0.113.5"
[[exit]]
name = "berlin-1"
kind = "direct"
source_address = "2001:db8::1"
weight = 7
country = "DE"
state = "Be"
city = "berlin"
isp = "example_net"
[[plugin]]
name = "hello"
module = "./hello.so"
[hello]
what = "the plugin wants"
)");
  ProxyConfig expected;
  expected.workers = 3;
  expected.idle_timeout = 1h;
  expected.handshake_timeout = 2s;
  expected.connect_timeout = 1500ms;
  expected.drain_timeout = 7min;
  expected.max_connections = 1000;
  expected.max_connections_per_user = 1;
  expected.max_connections_per_client_address = 9;
  expected.allow_targets = {"10.0.0.0/8", "::1", "fd00::/8"};
  expected.nameservers = {"192.0.2.53", "192.0.2.54:5353", "2001:db8::1", "[2001:db8::2]:53"};
  expected.log_level = LogLevel::warning;
  expected.listeners = {{.address = "[::1]:0",
                         .http = false,
                         .socks5 = true,
                         .tls = TlsConfig{.certificate = {.path = "cert.pem"}, .key = {.path = "key.pem"}},
                         .proxy_protocol_from = {"10.0.0.0/8", "::1"},
                         .udp_address = "203.0.113.5"}};
  ExitConfig& berlin = expected.exits.emplace_back();
  berlin.name = "berlin-1";
  berlin.source_address = "2001:db8::1";
  berlin.country = "de";
  berlin.state = "be";
  berlin.city = "berlin";
  berlin.isp = "example_net";
  berlin.weight = 7;
  expected.plugins = {{.name = "hello", .module = "./hello.so"}};
  EXPECT_EQ(config, expected);
}

TEST(ProxyConfigFile, ManyListenersMayAskForAFreePort) {
  const ProxyConfig config =
      proxy_of("[[listener]]\naddress = '127.0.0.1:0'\n[[listener]]\naddress = '127.0.0.1:0'\n");
  EXPECT_EQ(config.listeners.size(), 2u);
}

TEST(ProxyConfigFile, DrainingMayBeSwitchedOff) {
  const ProxyConfig config =
      proxy_of("[proxy]\ndrain_timeout = '0s'\n[[listener]]\naddress = '127.0.0.1:0'\n");
  EXPECT_EQ(config.drain_timeout, 0ms);
}

TEST(BillingConfigFile, AnEmptyTableMeansTheDefaults) {
  const BillingConfig config = billing_of("[billing]\n");
  BillingConfig expected;
  expected.pricing.increment_price = Credits::from_units(48'000);
  expected.pricing.packages = {{.price = *Credits::parse("10"), .credits = *Credits::parse("10")},
                               {.price = *Credits::parse("25"), .credits = *Credits::parse("27")},
                               {.price = *Credits::parse("50"), .credits = *Credits::parse("57")}};
  EXPECT_EQ(config, expected);
}

TEST(BillingConfigFile, EveryKeyIsHeard) {
  setenv("PAYG_TEST_OPERATOR", "operator-secret", 1);
  const BillingConfig config = billing_of(R"(
[[listener]]
address = "127.0.0.1:8080"
[till]
ledger = "postgresql:///payg?host=/run/postgresql"
node = "Node-7.example"
spool = "/var/lib/payg/spool"
outage_grace = "90s"
node_lease = "2m"
max_sessions = 5
wrong_tokens_per_minute = 7
max_sessions_per_user = 3
widest_client_network_v4 = 16
widest_client_network_v6 = 32
[till.pricing]
rate_per_hour = "3.6"
increment = "1s"
minimum_to_start = "0"
resume_window = "0s"
currency = "EUR"
packages = [ { price = "0.50", credits = "0.75" } ]
[till.admin]
address = "[::1]:0"
socket = "/run/payg/admin.sock"
operator_token_env = "PAYG_TEST_OPERATOR"
anonymous_user = "jo.doe_1"
[till.demo]
user = "demo"
token = "demo-token"
[till.payments.simulated]
enabled = true
)",
                                          "till");
  BillingConfig expected;
  expected.ledger = "postgresql:///payg?host=/run/postgresql";
  expected.node = "Node-7.example";
  expected.spool = "/var/lib/payg/spool";
  expected.outage_grace = 90s;
  expected.node_lease = 120s;
  expected.max_sessions = 5;
  expected.wrong_tokens_per_minute = 7;
  expected.max_sessions_per_user = 3;
  expected.widest_client_network_v4 = 16;
  expected.widest_client_network_v6 = 32;
  expected.pricing = {.rate = Rate::from_thousandths(3600),
                      .increment = 1s,
                      .increment_price = Credits::from_units(3600),
                      .minimum_to_start = Credits(),
                      .resume_window = 0ms,
                      .currency = "EUR",
                      .packages = {{.price = *Credits::parse("0.5"), .credits = *Credits::parse("0.75")}}};
  expected.admin = {.address = "[::1]:0",
                    .socket = "/run/payg/admin.sock",
                    .operator_token = "operator-secret",
                    .anonymous_user = "jo.doe_1"};
  expected.demo = {.user = "demo", .token = "demo-token"};
  expected.simulated_payments = true;
  EXPECT_EQ(config, expected);
}

TEST(BillingConfigFile, TheSpoolIsNamedAfterItsNode) {
  EXPECT_EQ(billing_of("[billing]\nnode = 'berlin-2'\n").spool, "var/berlin-2.spool");
}

TEST(BillingConfigFile, ALeaseFollowsFromHowLongANodeMayRelayUnlessItIsGiven) {
  EXPECT_EQ(billing_of("[billing]\n").node_lease, 60s + 300s + 30s);
  EXPECT_EQ(billing_of("[billing]\noutage_grace = '10s'\n[billing.pricing]\nincrement = '3m'\n").node_lease,
            180s + 10s + 30s);
  EXPECT_EQ(billing_of("[billing]\noutage_grace = '10s'\nnode_lease = '71s'\n").node_lease, 71s);
}

TEST(BillingConfigFile, AnUnsetOperatorVariableTurnsOperatorCallsOff) {
  unsetenv("PAYG_TEST_UNSET");
  EXPECT_EQ(billing_of("[billing.admin]\noperator_token_env = 'PAYG_TEST_UNSET'\n").admin.operator_token, "");
  setenv("PAYG_TEST_EMPTY", "", 1);
  EXPECT_EQ(billing_of("[billing.admin]\noperator_token_env = 'PAYG_TEST_EMPTY'\n").admin.operator_token, "");
}

TEST(BillingConfigFile, ASecretFileIsReadWithoutTheNewlineAtItsEnd) {
  const std::string path = testing::TempDir() + "payg-ledger-secret";
  std::ofstream(path) << "postgresql://payg:hunter2@db.example/payg\r\n";
  EXPECT_EQ(billing_of("[billing]\nnode = 'a'\nledger_file = '" + path + "'\n").ledger,
            "postgresql://payg:hunter2@db.example/payg");
}

TEST(BillingConfigFile, AShortOperatorTokenIsFineOnALoopbackAddressAndALongOneEverywhere) {
  setenv("PAYG_TEST_SHORT", "short", 1);
  EXPECT_EQ(billing_of("[billing.admin]\noperator_token_env = 'PAYG_TEST_SHORT'\n").admin.operator_token,
            "short");
  setenv("PAYG_TEST_LONG", "sixteen-letters.", 1);
  EXPECT_EQ(billing_of("[billing.admin]\naddress = '0.0.0.0:1'\noperator_token_env = 'PAYG_TEST_LONG'\n")
                .admin.operator_token,
            "sixteen-letters.");
}

TEST(BillingConfigFile, OpenAddressesAreFineWithoutTheDemo) {
  const BillingConfig config =
      billing_of("[[listener]]\naddress = '0.0.0.0:8080'\n[billing.admin]\naddress = '0.0.0.0:8082'\n");
  EXPECT_EQ(config.admin.address, "0.0.0.0:8082");
}

TEST(BillingConfigFile, SimulatedPaymentsThatAreOffMayStandAnywhere) {
  const BillingConfig config = billing_of(
      "[billing.admin]\naddress = '0.0.0.0:8082'\n[billing.payments.simulated]\nenabled = false\n");
  EXPECT_FALSE(config.simulated_payments);
}

TEST(Duration, IsAWholeNumberAndAUnit) {
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("10s"), 10s);
  EXPECT_EQ(parse_duration("5m"), 5min);
  EXPECT_EQ(parse_duration("8760h"), 8760h);
  for (const auto* bad : {"", "5", "m", "-5m", "+5m", " 5m", "5m ", "5 m", "5M", "5min", "1h30m", "1e3s",
                          "0x5s", "99999999999999999999s", "9223372036854775807ms", "8761h"})
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
}

TEST(Duration, IsShownInTheLargestUnitThatIsExact) {
  EXPECT_EQ(format_duration(250ms), "250ms");
  EXPECT_EQ(format_duration(1500ms), "1500ms");
  EXPECT_EQ(format_duration(90s), "90s");
  EXPECT_EQ(format_duration(60min), "1h");
  EXPECT_EQ(format_duration(0ms), "0s");
}

}  // namespace
}  // namespace payg::config
