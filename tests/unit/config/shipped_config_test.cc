#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "config/billing_config.h"
#include "config/proxy_config.h"
#include "config/toml_table.h"

namespace payg::config {
namespace {

const std::filesystem::path folder = PAYG_CONFIG_FOLDER;

std::string content_of(const std::filesystem::path& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

void expect_clean(const std::string& name, const Errors& errors) {
  for (const auto& error : errors) ADD_FAILURE() << name << ": " << error;
}

/// The reference with every "#key" and "#[table]" switched on: those have no default, or exclude each other.
std::string reference_with_every_key() {
  std::istringstream lines(content_of(folder / "payg-proxy.toml"));
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    const bool off = line.size() > 1 && line[0] == '#' && (std::isalpha(line[1]) || line[1] == '[');
    out += (off ? line.substr(1) : line) + "\n";
  }
  return out;
}

void collect_keys(const Node& table, const std::string& path, std::set<std::string>& keys) {
  for (const Entry& entry : table.entries) {
    const std::string key = path.empty() ? entry.key : path + "." + entry.key;
    keys.insert(key);
    collect_keys(entry.value, key, keys);
    for (const Node& element : entry.value.elements) collect_keys(element, key, keys);
  }
}

TEST(ShippedConfig, EveryFileReadsWithoutAnError) {
  std::size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".toml") continue;
    ++files;
    const std::string name = file.path().filename();
    const std::string text = content_of(file.path());
    const auto proxy = read_proxy_config(name, text);
    if (!proxy.ok()) {
      expect_clean(name, proxy.error());
      continue;
    }
    for (const PluginConfig& plugin : proxy->plugins) {
      const auto billing = read_billing_config(name, text, plugin.name);
      if (!billing.ok()) expect_clean(name, billing.error());
    }
  }
  EXPECT_GE(files, 3u);
}

TEST(ShippedConfig, TheReferenceHasEveryKeyThatIsKnownAndNoOther) {
  const std::string text = reference_with_every_key();
  Reading proxy("payg-proxy.toml", text);
  ASSERT_TRUE(proxy.parsed()) << proxy.errors().front();
  read_proxy_tables(proxy);
  Reading billing("payg-proxy.toml", text);
  read_billing_table(billing, "billing");

  std::set<std::string> known = proxy.known_keys();
  known.insert(billing.known_keys().begin(), billing.known_keys().end());
  std::set<std::string> present;
  collect_keys(proxy.root(), "", present);
  EXPECT_EQ(present, known);
}

TEST(ShippedConfig, TheReferenceSaysTheDefaults) {
  const std::string text = content_of(folder / "payg-proxy.toml");
  const std::string least =
      "[[listener]]\naddress = '127.0.0.1:8080'\n[[plugin]]\nname = 'billing'\nmodule = "
      "'billing.so'\n[billing]\n";
  const auto proxy = read_proxy_config("reference", text);
  const auto billing = read_billing_config("reference", text, "billing");
  ASSERT_TRUE(proxy.ok());
  ASSERT_TRUE(billing.ok());
  EXPECT_EQ(*proxy, *read_proxy_config("least", least));
  EXPECT_EQ(*billing, *read_billing_config("least", least, "billing"));
}

TEST(ShippedConfig, TheDemoIsWhatTheTourNeeds) {
  const std::string text = content_of(folder / "demo.toml");
  const auto proxy = read_proxy_config("demo.toml", text);
  const auto billing = read_billing_config("demo.toml", text, "billing");
  ASSERT_TRUE(proxy.ok());
  ASSERT_TRUE(billing.ok());
  EXPECT_EQ(proxy->allow_targets, (std::vector<std::string>{"127.0.0.0/8", "::1"}));
  EXPECT_EQ(proxy->listeners.at(0).address, "127.0.0.1:8080");
  EXPECT_EQ(billing->ledger, "sqlite:var/demo.db");
  EXPECT_EQ(billing->admin.address, "127.0.0.1:8082");
  EXPECT_EQ(billing->admin.anonymous_user, "demo");
  EXPECT_EQ(billing->demo, (DemoConfig{.user = "demo", .token = "demo-token"}));
  EXPECT_TRUE(billing->simulated_payments);
}

TEST(ShippedConfig, ThePlainProxyHasNoPlugin) {
  const auto proxy = read_proxy_config("plain.toml", content_of(folder / "plain.toml"));
  ASSERT_TRUE(proxy.ok());
  EXPECT_TRUE(proxy->plugins.empty());
}

}  // namespace
}  // namespace payg::config
