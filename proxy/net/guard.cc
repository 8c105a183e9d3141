#include "proxy/net/guard.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace payg::proxy {
namespace {

struct Block4 {
  std::uint32_t network;
  std::uint32_t mask;
};

constexpr std::uint32_t quad(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return (a << 24) | (b << 16) | (c << 8) | d;
}

constexpr Block4 block4(std::uint32_t network, int bits) {
  return {network, ~std::uint32_t{0} << (32 - bits)};
}

constexpr std::array guarded4{
    block4(quad(0, 0, 0, 0), 8),        // this network
    block4(quad(10, 0, 0, 0), 8),       // private
    block4(quad(100, 64, 0, 0), 10),    // shared by carriers
    block4(quad(127, 0, 0, 0), 8),      // loopback
    block4(quad(169, 254, 0, 0), 16),   // link-local, cloud metadata
    block4(quad(172, 16, 0, 0), 12),    // private
    block4(quad(192, 0, 0, 0), 24),     // IETF protocols
    block4(quad(192, 0, 2, 0), 24),     // documentation
    block4(quad(192, 88, 99, 0), 24),   // 6to4 relays
    block4(quad(192, 168, 0, 0), 16),   // private
    block4(quad(198, 18, 0, 0), 15),    // benchmarks
    block4(quad(198, 51, 100, 0), 24),  // documentation
    block4(quad(203, 0, 113, 0), 24),   // documentation
    block4(quad(224, 0, 0, 0), 4),      // multicast
    block4(quad(240, 0, 0, 0), 4),      // reserved, broadcast
};

struct Block6 {
  std::uint64_t network;  // the upper half; every prefix but /96 and /128 ends there
  int bits;
};

constexpr std::array guarded6{
    Block6{0x0064'ff9b'0001'0000, 48},  // NAT64 of one's own (RFC 8215)
    Block6{0x0100'0000'0000'0000, 64},  // discard
    Block6{0x2001'0000'0000'0000, 32},  // Teredo: holds IPv4 addresses
    Block6{0x2001'0db8'0000'0000, 32},  // documentation
    Block6{0x2002'0000'0000'0000, 16},  // 6to4: holds IPv4 addresses
    Block6{0xfc00'0000'0000'0000, 7},   // unique local
    Block6{0xfe80'0000'0000'0000, 10},  // link-local
    Block6{0xff00'0000'0000'0000, 8},   // multicast
};

std::uint64_t read_big_endian(const std::uint8_t* bytes, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = (value << 8) | bytes[i];
  return value;
}

bool is_guarded4(const IpAddress& address) {
  const auto bits = static_cast<std::uint32_t>(read_big_endian(address.bytes().data(), 4));
  return std::any_of(guarded4.begin(), guarded4.end(),
                     [bits](const Block4& block) { return (bits & block.mask) == block.network; });
}

bool is_guarded6(const IpAddress& address) {
  const std::uint64_t upper = read_big_endian(address.bytes().data(), 8);
  const std::uint64_t lower = read_big_endian(address.bytes().data() + 8, 8);
  if (upper == 0 && lower <= 1) return true;                              // :: and ::1
  if (upper == 0x0064'ff9b'0000'0000 && (lower >> 32) == 0) return true;  // NAT64, 64:ff9b::/96
  return std::any_of(guarded6.begin(), guarded6.end(), [upper](const Block6& block) {
    return ((upper ^ block.network) >> (64 - block.bits)) == 0;
  });
}

/// Connecting to 0.0.0.0 or :: reaches the loopback address.
bool reaches_loopback(const IpAddress& address) {
  return address.is_loopback() || address.is_unspecified();
}

}  // namespace

void Guard::protect(const SocketAddress& address) {
  own_addresses_.emplace_back(address.ip().unmapped(), address.port());
}

void Guard::protect_wildcard(std::uint16_t port, std::span<const IpAddress> local_addresses) {
  wildcard_ports_.push_back(port);
  for (const IpAddress& local : local_addresses) protect(SocketAddress(local, port));
}

Guard::Verdict Guard::check(const SocketAddress& target) const noexcept {
  if (is_own(target)) return Verdict::own_address;
  return is_allowed(target.ip()) ? Verdict::allowed : Verdict::guarded;
}

bool Guard::is_allowed(const IpAddress& address) const noexcept {
  const IpAddress plain = address.unmapped();
  if (!(plain.is_v4() ? is_guarded4(plain) : is_guarded6(plain))) return true;
  return std::any_of(allowed_.begin(), allowed_.end(),
                     [&plain](const Cidr& block) { return block.contains(plain); });
}

bool Guard::is_own(const SocketAddress& target) const noexcept {
  const IpAddress plain = target.ip().unmapped();
  const bool loopback = reaches_loopback(plain);
  if (loopback &&
      std::find(wildcard_ports_.begin(), wildcard_ports_.end(), target.port()) != wildcard_ports_.end())
    return true;
  return std::any_of(own_addresses_.begin(), own_addresses_.end(), [&](const SocketAddress& own) {
    if (own.port() != target.port()) return false;
    return own.ip() == plain || (plain.is_unspecified() && reaches_loopback(own.ip()));
  });
}

bool Guard::listens_on_wildcard(std::uint16_t port) const noexcept {
  return std::find(wildcard_ports_.begin(), wildcard_ports_.end(), port) != wildcard_ports_.end();
}

}  // namespace payg::proxy
