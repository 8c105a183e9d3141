#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/exit_config.h"
#include "plugin/base/result.h"

namespace payg::config {

class Reading;

/// A file that the configuration names; it is not looked at here.
struct NamedFile {
  std::string path{};   ///< relative to the working directory
  std::string place{};  ///< "file:line:column: key" of its name, for what is wrong with it

  bool operator==(const NamedFile& other) const noexcept { return path == other.path; }
};

struct TlsConfig {
  NamedFile certificate, key;  ///< PEM

  bool operator==(const TlsConfig&) const = default;
};

/// Everything the proxy itself is told by its TOML file. Plain data: what the keys mean stands in README.md.
/// Addresses and CIDRs are kept as text here and are known to be well-formed.
struct ListenerConfig {
  std::string address;  ///< "127.0.0.1:8080", "[::1]:0"
  bool http = true;
  bool socks5 = true;
  std::optional<TlsConfig> tls{};
  std::vector<std::string> proxy_protocol_from{};  ///< CIDRs
  std::string udp_address{};  ///< an address literal; empty: the one that the client is connected to

  bool operator==(const ListenerConfig&) const = default;
};

struct PluginConfig {
  std::string name;    ///< its table in the same file
  std::string module;  ///< file name or path

  bool operator==(const PluginConfig&) const = default;
};

enum class LogLevel { debug, info, warning, error };

struct ProxyConfig {
  unsigned workers = 0;  ///< 0: one for each core
  std::chrono::milliseconds idle_timeout{std::chrono::minutes(5)};
  std::chrono::milliseconds handshake_timeout{std::chrono::seconds(10)};
  std::chrono::milliseconds connect_timeout{std::chrono::seconds(10)};
  std::chrono::milliseconds drain_timeout{std::chrono::seconds(5)};
  unsigned max_connections = 0;  ///< over all users; 0: what the file-descriptor limit allows
  unsigned max_connections_per_user = 512;
  unsigned max_bytes_per_second_per_user = 0;       ///< up and down together; 0: no bound
  unsigned max_connections_per_client_address = 0;  ///< 0: any number
  std::vector<std::string> allow_targets;           ///< CIDRs
  std::vector<std::string> nameservers;             ///< "ip" or "ip:port"; empty: /etc/resolv.conf
  LogLevel log_level = LogLevel::info;
  std::string access_log;  ///< a file, or "-": standard output; empty: none

  std::vector<ListenerConfig> listeners;
  std::vector<ExitConfig> exits;  ///< empty in the file: one direct exit named "direct"
  ExitHealthConfig exit_health;
  std::vector<PluginConfig> plugins;  ///< at most max_plugins

  bool operator==(const ProxyConfig&) const = default;
};

inline constexpr std::size_t max_plugins = 4;

/// "file:line:column: key: what was wrong, what was expected", one for each mistake, in the order of the
/// file.
using Errors = std::vector<std::string>;

/// Reads `text` (the content of the file that messages call `path`). Tables named by a [[plugin]] are left to
/// that plugin; every other unknown key is an error.
Result<ProxyConfig, Errors> read_proxy_config(const std::string& path, const std::string& text);

/// The same over a Reading that the caller looks into afterwards. REQUIRES: reading.parsed().
ProxyConfig read_proxy_tables(Reading& reading);

}  // namespace payg::config
