#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "config/exit_config.h"
#include "plugin/api/plugin.h"
#include "plugin/base/address.h"
#include "proxy/exit_health.h"
#include "proxy/net/target_host.h"

namespace payg::proxy {

/// What is to leave by an exit.
enum class ExitUse {
  tcp,
  udp,  ///< the datagrams of a SOCKS5 association: parents are not asked for these
};

/// A way out to the internet. Immutable but for its health, and shared: connections hold on to the exit that
/// they left by, and a reload of the configuration keeps each exit that stays as it is.
class Exit : public std::enable_shared_from_this<Exit> {
 public:
  /// REQUIRES: a configuration that was checked.
  explicit Exit(const config::ExitConfig& config);

  const std::string& name() const noexcept { return config_.name; }
  config::ExitKind kind() const noexcept { return config_.kind; }
  const plugin::Location& location() const noexcept { return location_; }
  unsigned weight() const noexcept { return config_.weight; }
  /// What connections are bound to; nullopt: the kernel chooses.
  const std::optional<IpAddress>& source() const noexcept { return source_; }
  bool can_carry(ExitUse use) const noexcept {
    return use == ExitUse::tcp || config_.kind == config::ExitKind::direct;
  }
  /// The same on every node.
  std::uint64_t name_hash() const noexcept { return name_hash_; }

  // Of a parent. REQUIRES: kind() is not direct.
  const TargetHost& parent_host() const noexcept { return parent_host_; }
  std::uint16_t parent_port() const noexcept { return parent_port_; }
  const std::string& username() const noexcept { return config_.username; }  ///< empty: no credentials
  const std::string& password() const noexcept { return config_.password; }
  config::NameResolution resolve() const noexcept { return config_.resolve; }

  ExitHealth& health() const noexcept { return health_; }
  plugin::ExitReport report() const;
  bool is_made_of(const config::ExitConfig& config) const { return config_ == config; }

 private:
  const config::ExitConfig config_;
  plugin::Location location_;
  std::optional<IpAddress> source_;
  TargetHost parent_host_;
  std::uint16_t parent_port_ = 0;
  const std::uint64_t name_hash_;
  mutable ExitHealth health_;
};

using ExitRef = std::shared_ptr<const Exit>;

/// A host and a port as the configuration writes them. REQUIRES: they were checked.
struct HostAndPort {
  TargetHost host;
  std::uint16_t port = 0;
};
HostAndPort parse_host_and_port(const std::string& text);

}  // namespace payg::proxy
