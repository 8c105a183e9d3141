#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace payg {

/// An IPv4 or IPv6 address. An IPv4-mapped IPv6 address stays what it is until unmapped() is asked for.
class IpAddress {
 public:
  enum class Family : std::uint8_t { v4, v6 };
  /// 0 or 1, for what there is one of for each family.
  friend constexpr std::size_t index_of(Family family) noexcept { return static_cast<std::size_t>(family); }

  /// 0.0.0.0
  constexpr IpAddress() = default;
  /// A literal as RFC 4291 §2.2 and dotted-quad notation write it, without brackets, zone or port. Never
  /// resolves a name; "127.1" and "0x7f.1" are no literals.
  static std::optional<IpAddress> parse(std::string_view literal);
  static IpAddress v4(const in_addr& address);
  static IpAddress v6(const in6_addr& address);

  Family family() const noexcept { return family_; }
  bool is_v4() const noexcept { return family_ == Family::v4; }
  bool is_loopback() const noexcept;     ///< 127.0.0.0/8, ::1, and the former mapped
  bool is_unspecified() const noexcept;  ///< 0.0.0.0, ::
  /// The IPv4 address inside ::ffff:0:0/96; itself otherwise.
  IpAddress unmapped() const noexcept;
  /// Its first `bits` bits, the others zero. REQUIRES: 0 <= bits <= 32, or 128 for IPv6.
  IpAddress first_bits(int bits) const noexcept;
  /// Network byte order; the first 4 bytes for IPv4.
  const std::array<std::uint8_t, 16>& bytes() const noexcept { return bytes_; }
  std::string to_string() const;

  auto operator<=>(const IpAddress&) const noexcept = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
  Family family_ = Family::v4;
};

/// An IP address and a TCP port, as bind(2) and connect(2) take them.
class SocketAddress {
 public:
  SocketAddress() = default;
  SocketAddress(IpAddress ip, std::uint16_t port) : ip_(ip), port_(port) {}
  /// "127.0.0.1:8080" or "[::1]:8080". No names.
  static std::optional<SocketAddress> parse(std::string_view text);
  /// nullopt unless AF_INET or AF_INET6.
  static std::optional<SocketAddress> from(const sockaddr* address);

  const IpAddress& ip() const noexcept { return ip_; }
  std::uint16_t port() const noexcept { return port_; }
  /// Fills `out` and returns the length for bind(2) and connect(2).
  socklen_t to(sockaddr_storage& out) const noexcept;
  std::string to_string() const;

  auto operator<=>(const SocketAddress&) const noexcept = default;

 private:
  IpAddress ip_;
  std::uint16_t port_ = 0;
};

/// A block of addresses, "10.0.0.0/8". IPv4 blocks also hold the IPv4-mapped form of their addresses.
class Cidr {
 public:
  /// Also takes a bare address, which is a block of one. nullopt when malformed or when bits are set behind
  /// the prefix.
  static std::optional<Cidr> parse(std::string_view text);
  /// The block of that many bits that holds the address. REQUIRES: 0 <= bits <= 32, or 128 for IPv6.
  static Cidr around(const IpAddress& address, int bits);

  bool contains(const IpAddress& address) const noexcept;
  /// Either holds the other one.
  bool overlaps(const Cidr& other) const noexcept {
    return contains(other.network_) || other.contains(network_);
  }
  /// The lowest address in it.
  const IpAddress& network() const noexcept { return network_; }
  int bits() const noexcept { return bits_; }
  /// "203.0.113.0/24"; always with the prefix, and each block in one way only.
  std::string to_string() const;

  auto operator<=>(const Cidr&) const noexcept = default;

 private:
  Cidr(IpAddress network, int bits) : network_(network), bits_(bits) {}
  IpAddress network_;
  int bits_;
};

/// The address that a socket is bound to, or that its peer has; nullopt when the kernel does not say.
std::optional<SocketAddress> local_address(int fd);
std::optional<SocketAddress> peer_address(int fd);

}  // namespace payg
