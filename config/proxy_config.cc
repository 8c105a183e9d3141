#include "config/proxy_config.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "config/address_checks.h"
#include "config/exit_reader.h"
#include "config/toml_table.h"
#include "plugin/base/address.h"
#include "plugin/base/text.h"

namespace payg::config {
namespace {

constexpr std::array<std::string_view, 5> own_tables{"proxy", "listener", "exit", "exit_health", "plugin"};
constexpr std::array<TomlTable::Choice, 4> log_levels{{
    {"debug", static_cast<int>(LogLevel::debug)},
    {"info", static_cast<int>(LogLevel::info)},
    {"warning", static_cast<int>(LogLevel::warning)},
    {"error", static_cast<int>(LogLevel::error)},
}};

std::string check_nameserver(std::string_view text) {
  if (IpAddress::parse(text) || SocketAddress::parse(text)) return "";
  return in_quotes(text) + R"( is no address, expected one such as "192.0.2.53" or "[2001:db8::53]:53")";
}

std::string check_listen_address(std::string_view text) {
  if (SocketAddress::parse(text)) return "";
  return in_quotes(text) +
         R"( is no address and port, expected one such as "127.0.0.1:8080" or "[::1]:8080")";
}

std::string check_plugin_name(std::string_view text) {
  if (std::find(own_tables.begin(), own_tables.end(), text) != own_tables.end())
    return in_quotes(text) + " is a table of the proxy itself, expected another name";
  if (is_name(text, "_-", 64)) return "";
  return in_quotes(text) + " is no name, expected 1 to 64 letters, digits, '_' or '-'";
}

std::string check_not_empty(std::string_view text) {
  return text.empty() ? "is empty, expected the file name of a module" : "";
}

void read_proxy_table(TomlTable& table, ProxyConfig& config) {
  constexpr unsigned many = 10'000'000;
  table.read_count("workers", config.workers, {.least = 0, .most = 1024});
  table.read_duration("idle_timeout", config.idle_timeout);
  table.read_duration("handshake_timeout", config.handshake_timeout);
  table.read_duration("connect_timeout", config.connect_timeout);
  // Zero closes at once what has not ended by itself.
  table.read_duration("drain_timeout", config.drain_timeout, std::chrono::milliseconds(0));
  table.read_count("max_connections", config.max_connections, {.least = 0, .most = many});
  table.read_count("max_connections_per_user", config.max_connections_per_user, {.least = 1, .most = many});
  table.read_count("max_bytes_per_second_per_user", config.max_bytes_per_second_per_user,
                   {.least = 0, .most = std::numeric_limits<unsigned>::max()});
  table.read_count("max_connections_per_client_address", config.max_connections_per_client_address,
                   {.least = 0, .most = many});
  table.read_texts("allow_targets", config.allow_targets, check_cidr);
  table.read_texts("nameservers", config.nameservers, check_nameserver);
  int level = static_cast<int>(config.log_level);
  table.read_choice("log_level", level, log_levels);
  config.log_level = static_cast<LogLevel>(level);
  table.read_text("access_log", config.access_log);
  table.refuse_unknown();
}

void read_protocols(TomlTable& table, ListenerConfig& listener) {
  std::vector<std::string> protocols;
  std::set<std::string, std::less<>> seen;
  const Node* list = table.read_texts("protocols", protocols, [&seen](std::string_view text) -> std::string {
    if (text != "http" && text != "socks5")
      return in_quotes(text) + R"( is no protocol, expected "http" or "socks5")";
    return seen.emplace(text).second ? "" : in_quotes(text) + " is repeated, expected each protocol once";
  });
  if (!list) return;
  if (protocols.empty())
    table.refuse(*list, "protocols", R"(the list is empty, expected "http", "socks5" or both)");
  listener.http = seen.contains("http");
  listener.socks5 = seen.contains("socks5");
}

void read_file_name(TomlTable& table, std::string_view key, std::string_view expected, NamedFile& file) {
  table.require(key, expected);
  const Node* value = table.read_text(key, file.path, [&](std::string_view text) -> std::string {
    return text.empty() ? "is empty, expected " + std::string(expected) : "";
  });
  if (value) file.place = table.place_of(*value, key);
}

void read_tls(TomlTable& listener, std::optional<TlsConfig>& tls) {
  auto table = listener.table("tls");
  if (!table) return;
  tls.emplace();
  read_file_name(*table, "certificate", R"(the file of a certificate chain in PEM, as in "cert.pem")",
                 tls->certificate);
  read_file_name(*table, "key", R"(the file of its private key in PEM, as in "key.pem")", tls->key);
  table->refuse_unknown();
}

ListenerConfig read_listener(TomlTable table, std::set<SocketAddress>& taken) {
  ListenerConfig listener;
  table.require("address", R"(an address and a port, as in "127.0.0.1:8080")");
  if (const Node* value = table.read_text("address", listener.address, check_listen_address)) {
    const auto address = SocketAddress::parse(listener.address);
    // Port 0 is a free port, another one each time.
    if (address->port() != 0 && !taken.insert(*address).second)
      table.refuse(*value, "address", in_quotes(listener.address) + " is taken by another [[listener]]");
  }
  read_protocols(table, listener);
  read_tls(table, listener.tls);
  table.read_texts("proxy_protocol_from", listener.proxy_protocol_from, check_cidr);
  table.read_text("udp_address", listener.udp_address, check_reachable_ip);
  table.refuse_unknown();
  return listener;
}

PluginConfig read_plugin(TomlTable table, std::set<std::string>& names) {
  PluginConfig plugin;
  table.require("name", "the name of the plugin's table");
  table.require("module", R"(the file of the module, as in "billing.so")");
  if (const Node* value = table.read_text("name", plugin.name, check_plugin_name)) {
    if (!names.insert(plugin.name).second)
      table.refuse(*value, "name", in_quotes(plugin.name) + " is the name of another [[plugin]] already");
  }
  table.read_text("module", plugin.module, check_not_empty);
  table.refuse_unknown();
  return plugin;
}

void read_plugins(TomlTable& root, ProxyConfig& config) {
  std::set<std::string> names;
  for (TomlTable& table : root.tables("plugin")) {
    if (config.plugins.size() == max_plugins) {
      table.refuse("one plugin too many, expected at most " + std::to_string(max_plugins));
      break;
    }
    config.plugins.push_back(read_plugin(table, names));
  }
}

/// A table without a module behind it would be silently without effect: the worst of mistakes for [billing].
void refuse_tables_of_nobody(TomlTable& root, const ProxyConfig& config) {
  for (const PluginConfig& plugin : config.plugins) root.leave(plugin.name);
  for (const Entry& entry : root.node().entries) {
    if (entry.key != "billing" || root.asked(entry.key)) continue;
    root.refuse(entry.value, entry.key,
                R"(no [[plugin]] reads this table, expected one with name = "billing")");
    root.leave(entry.key);
  }
  root.refuse_unknown();
}

}  // namespace

ProxyConfig read_proxy_tables(Reading& reading) {
  ProxyConfig config;
  TomlTable root(reading, reading.root(), "");
  if (auto table = root.table("proxy")) read_proxy_table(*table, config);

  std::set<SocketAddress> addresses;
  for (TomlTable& table : root.tables("listener"))
    config.listeners.push_back(read_listener(table, addresses));
  const Entry* listeners = reading.root().find("listener");
  if (!listeners || (listeners->value.kind == Node::Kind::array && listeners->value.elements.empty()))
    reading.refuse({}, "listener", "missing, expected at least one [[listener]]");

  std::set<std::string> names;
  for (TomlTable& table : root.tables("exit")) config.exits.push_back(read_exit(table, names));
  if (config.exits.empty()) config.exits.emplace_back().name = "direct";
  if (auto table = root.table("exit_health")) config.exit_health = read_exit_health(*std::move(table));

  read_plugins(root, config);
  refuse_tables_of_nobody(root, config);
  return config;
}

Result<ProxyConfig, Errors> read_proxy_config(const std::string& path, const std::string& text) {
  Reading reading(path, text);
  if (!reading.parsed()) return reading.errors();
  ProxyConfig config = read_proxy_tables(reading);
  if (!reading.clean()) return reading.errors();
  return config;
}

}  // namespace payg::config
