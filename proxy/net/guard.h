#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "plugin/base/address.h"

namespace payg::proxy {

/// Says which addresses the proxy may connect to. Asked with every address a name resolved to, right before
/// the connect, so that what was checked is what is connected to.
///
/// Refused are the ranges that are no public unicast address (IANA special-purpose registries, RFC 6890)
/// unless the operator's list lets them through, and always the addresses that this process itself listens
/// on.
///
/// Threads: immutable while workers read it; protect() and protect_wildcard() are for start-up, or for a copy
/// that is swapped in.
class Guard {
 public:
  enum class Verdict {
    allowed,
    guarded,      ///< private, loopback, multicast, …: `allow_targets` could let it through
    own_address,  ///< this process listens there: nothing lets it through
  };

  Guard() = default;
  /// `allowed` is let through although guarded by default. IPv4-mapped addresses go by the IPv4 blocks.
  explicit Guard(std::vector<Cidr> allowed) : allowed_(std::move(allowed)) {}

  /// `address` is one this process listens on. When it is a wildcard (0.0.0.0, ::), use protect_wildcard().
  void protect(const SocketAddress& address);
  /// A wildcard is listened on at `port`: that port is protected on every loopback address and on all of
  /// `local_addresses` (getifaddrs(3) of both families: a dual-stack :: takes IPv4 as well).
  void protect_wildcard(std::uint16_t port, std::span<const IpAddress> local_addresses);

  /// This process listens at `port` on every address of the machine.
  bool listens_on_wildcard(std::uint16_t port) const noexcept;
  Verdict check(const SocketAddress& target) const noexcept;
  bool is_allowed(const SocketAddress& target) const noexcept { return check(target) == Verdict::allowed; }
  /// The part of check() that needs no port.
  bool is_allowed(const IpAddress& address) const noexcept;

 private:
  bool is_own(const SocketAddress& target) const noexcept;

  std::vector<Cidr> allowed_;
  std::vector<SocketAddress> own_addresses_;  // IPv4-mapped ones as IPv4
  std::vector<std::uint16_t> wildcard_ports_;
};

}  // namespace payg::proxy
