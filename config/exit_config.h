#pragma once

#include <chrono>
#include <string>

namespace payg::config {

enum class ExitKind {
  direct,  ///< connections begin on this machine
  http,    ///< through a parent proxy, by CONNECT
  socks5,  ///< through a parent proxy, by SOCKS5
};

/// As the file writes it, e.g. "socks5".
const char* name_of(ExitKind kind) noexcept;

/// Who finds the address of a name that a client asks for.
enum class NameResolution {
  proxy,   ///< this proxy; the parent is asked for an address that the guard has seen
  parent,  ///< the parent, which gets the name as it is
};

/// One [[exit]]. What is set fits together: see read_exit().
struct ExitConfig {
  std::string name;
  ExitKind kind = ExitKind::direct;
  std::string address;             ///< of the parent: "name:port", "1.2.3.4:80", "[::1]:80"; direct: empty
  std::string username, password;  ///< for the parent; both or none
  NameResolution resolve = NameResolution::proxy;
  std::string source_address;  ///< an address literal; empty: the kernel chooses
  std::string country, state, city, isp;
  unsigned weight = 1;

  bool operator==(const ExitConfig&) const = default;
};

/// [exit_health]: when an exit counts as down, and how it is looked after.
struct ExitHealthConfig {
  unsigned failures = 3;  ///< of the exit itself, one after the other, that make it down
  std::string
      probe_target{};  ///< "host:port" that is connected to through each exit; empty: the parent alone
  std::chrono::milliseconds probe_interval{std::chrono::seconds(30)};  ///< 0: only exits that are down
  std::chrono::milliseconds backoff{std::chrono::seconds(1)};  ///< until one that is down is tried; doubles
  std::chrono::milliseconds longest_backoff{std::chrono::minutes(5)};

  bool operator==(const ExitHealthConfig&) const = default;
};

}  // namespace payg::config
