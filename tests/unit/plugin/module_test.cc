#include "plugin/host/module.h"

#include <gtest/gtest.h>

#include <fstream>

#include "plugin/host/gate_keeper.h"
#include "tests/unit/plugin/fake_plugin.h"

namespace payg::plugin {
namespace {

namespace fs = std::filesystem;

class SilentHost final : public Host {
 public:
  void end_session(SessionHandle, Denial) noexcept override {}
  void protect_address(const sockaddr*) override {}
  const Clock& clock() const noexcept override { return clock_; }
  void log(LogLevel, std::string_view, std::string_view message) noexcept override { last_line = message; }
  std::vector<Metric> metrics() const override { return {}; }
  std::vector<ExitReport> exits() const override { return {}; }

  std::string last_line;

 private:
  SystemClock clock_;
};

ConfigurationSource source_of(std::string text) {
  return {.path = "proxy.toml", .text = std::move(text), .table = "deny_hosts"};
}

std::string refusal_of(const char* file) {
  const auto module = Module::load(file);
  return module ? "no refusal" : module.error();
}

TEST(Module, OfAnotherApiVersionIsRefusedWithBothVersions) {
  EXPECT_EQ(refusal_of(PAYG_TEST_ANOTHER_VERSION), "another_version.so: made for plugin API " +
                                                       std::to_string(api_version + 1) +
                                                       ", this program has " + std::to_string(api_version));
}

TEST(Module, WithoutTheEntryIsRefused) {
  EXPECT_EQ(refusal_of(PAYG_TEST_NO_ENTRY),
            "no_entry.so: not a payg-proxy plugin: it exports no payg_plugin_module");
}

TEST(Module, ThatIsNoSharedObjectIsRefused) {
  const fs::path file = fs::path(testing::TempDir()) / "text.so";
  std::ofstream(file) << "not an ELF file";
  const auto module = Module::load(file);
  ASSERT_FALSE(module.ok());
  EXPECT_EQ(module.error().find("text.so: cannot be loaded: "), 0U) << module.error();
}

TEST(FindModule, TakesAnAbsolutePathAsItIs) {
  const auto found = find_module(PAYG_TEST_DENY_HOSTS, {});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.value(), PAYG_TEST_DENY_HOSTS);
}

TEST(FindModule, LooksInTheFoldersInTheirOrder) {
  const fs::path folder = fs::path(PAYG_TEST_DENY_HOSTS).parent_path();
  const auto found = find_module("deny_hosts.so", {"/nowhere", folder, "/elsewhere"});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.value(), PAYG_TEST_DENY_HOSTS);
}

TEST(FindModule, NamesEveryPlaceThatItLookedAt) {
  const auto found = find_module("billing.so", {"/nowhere", "/elsewhere"});
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error(),
            "billing.so: no such module; looked for /nowhere/billing.so, /elsewhere/billing.so");
}

TEST(FindModule, LooksBesideTheProgramFirst) {
  const auto folders = module_folders();
  ASSERT_EQ(folders.size(), 2U);
  EXPECT_EQ(folders[0], fs::read_symlink("/proc/self/exe").parent_path());
}

class DenyHostsTest : public testing::Test {
 protected:
  DenyHostsTest() : module(Module::load(PAYG_TEST_DENY_HOSTS)) {
    if (!module) throw std::runtime_error(module.error());
    plugin = std::move(module->create(host)).value();
    EXPECT_TRUE(chain.add(*plugin));
  }

  Diary ask_for(std::string_view target, Protocol protocol = Protocol::http_connect) {
    diary.clear();
    FakeConnection connection(keeper, 1, diary);
    connection.gate->authenticate(without_credentials());
    connection.gate->admit({protocol, target, 443});
    return diary;
  }

  SilentHost host;
  Result<Module, std::string> module;
  std::unique_ptr<Plugin> plugin;
  PluginChain chain;
  GateKeeper keeper{chain, [](auto) { FAIL() << "deny_hosts answers at once"; }};
  Diary diary;
  const Diary let_through{"connection authenticated", "connection admitted"};
  const Diary kept_out{"connection authenticated", "connection denied forbidden"};
};

TEST_F(DenyHostsTest, HasItsNameAndVersion) {
  EXPECT_EQ(module->name(), "deny_hosts");
  EXPECT_EQ(module->version(), "1");
}

TEST_F(DenyHostsTest, DeniesTheHostsOfItsListAndAllBelowThem) {
  ASSERT_EQ(plugin->start(source_of("[deny_hosts]\nhosts = [\"example.com\"]\n")), ConfigurationErrors{});
  EXPECT_EQ(ask_for("example.com"), kept_out);
  EXPECT_EQ(ask_for("www.example.com"), kept_out);
  EXPECT_EQ(ask_for("example.com."), kept_out);
  EXPECT_EQ(ask_for("anexample.com"), let_through);
  EXPECT_EQ(ask_for("example.org"), let_through);
}

// As a UDP association asks: once as a whole, and then for each target.
TEST_F(DenyHostsTest, LetsThroughWhatHasNoTargetYet) {
  ASSERT_EQ(plugin->start(source_of("[deny_hosts]\nhosts = [\"example.com\"]\n")), ConfigurationErrors{});
  EXPECT_EQ(ask_for("", Protocol::socks5_udp), let_through);
  EXPECT_EQ(ask_for("example.com", Protocol::socks5_udp), kept_out);
}

TEST_F(DenyHostsTest, CountsWhatItDenied) {
  ASSERT_EQ(plugin->start(source_of("[deny_hosts]\nhosts = [\"example.com\"]\n")), ConfigurationErrors{});
  ask_for("example.com");
  ask_for("example.com");
  plugin->stop();
  EXPECT_EQ(host.last_line, "2 requests were denied");
}

TEST_F(DenyHostsTest, KeepsItsListWhenTheNewOneIsWrong) {
  ASSERT_EQ(plugin->start(source_of("[deny_hosts]\nhosts = [\"example.com\"]\n")), ConfigurationErrors{});
  EXPECT_FALSE(plugin->reload(source_of("[deny_hosts]\nhosts = 5\n")).empty());
  EXPECT_EQ(ask_for("example.com"), kept_out);
}

TEST_F(DenyHostsTest, TakesANewListWhenItIsReloaded) {
  ASSERT_EQ(plugin->start(source_of("[deny_hosts]\nhosts = [\"example.com\"]\n")), ConfigurationErrors{});
  ASSERT_EQ(plugin->reload(source_of("[deny_hosts]\nhosts = [\"example.org\"]\n")), ConfigurationErrors{});
  EXPECT_EQ(ask_for("example.com"), let_through);
  EXPECT_EQ(ask_for("example.org"), kept_out);
}

TEST_F(DenyHostsTest, SaysWhereItsConfigurationIsWrong) {
  const auto check = [&](const char* text) { return module->check_configuration(source_of(text)); };
  EXPECT_EQ(check("x = 1\n"), ConfigurationErrors{"proxy.toml:1:1: deny_hosts: expected a table"});
  EXPECT_EQ(check("[deny_hosts]\nhosts = 5\n"),
            ConfigurationErrors{"proxy.toml:2:9: deny_hosts.hosts: expected a list of names"});
  EXPECT_EQ(check("[deny_hosts]\nhosts = []\nhost = 1\n"),
            ConfigurationErrors{"proxy.toml:3:8: deny_hosts.host: unknown, expected hosts"});
  EXPECT_EQ(check("[deny_hosts]\nhosts = [\n  \"a\",\n  7]\n"),
            ConfigurationErrors{"proxy.toml:4:3: deny_hosts.hosts: expected a host name in lower case"});
  EXPECT_EQ(check("[deny_hosts]\nhosts = [\"A\"]\n"),
            ConfigurationErrors{"proxy.toml:2:10: deny_hosts.hosts: expected a host name in lower case"});
}

}  // namespace
}  // namespace payg::plugin
