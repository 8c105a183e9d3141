#include "plugin/base/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace payg {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::optional<unsigned> parse_decimal(std::string_view text, unsigned most) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || value > most)
    return std::nullopt;
  return value;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view literal) {
  char text[INET6_ADDRSTRLEN];
  if (literal.empty() || literal.size() >= sizeof text || literal.find('\0') != literal.npos)
    return std::nullopt;
  std::memcpy(text, literal.data(), literal.size());
  text[literal.size()] = '\0';
  if (in_addr address4; inet_pton(AF_INET, text, &address4) == 1) return v4(address4);
  if (in6_addr address6; inet_pton(AF_INET6, text, &address6) == 1) return v6(address6);
  return std::nullopt;
}

IpAddress IpAddress::v4(const in_addr& address) {
  IpAddress ip;
  std::memcpy(ip.bytes_.data(), &address, sizeof address);
  ip.family_ = Family::v4;
  return ip;
}

IpAddress IpAddress::v6(const in6_addr& address) {
  IpAddress ip;
  std::memcpy(ip.bytes_.data(), &address, sizeof address);
  ip.family_ = Family::v6;
  return ip;
}

bool IpAddress::is_loopback() const noexcept {
  const IpAddress plain = unmapped();
  if (plain.is_v4()) return plain.bytes_[0] == 127;
  return std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto byte) { return byte == 0; }) &&
         bytes_[15] == 1;
}

bool IpAddress::is_unspecified() const noexcept {
  return std::all_of(bytes_.begin(), bytes_.end(), [](auto byte) { return byte == 0; });
}

IpAddress IpAddress::unmapped() const noexcept {
  if (is_v4() || !std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes_.begin())) return *this;
  IpAddress ip;
  std::copy(bytes_.begin() + 12, bytes_.end(), ip.bytes_.begin());
  return ip;
}

IpAddress IpAddress::first_bits(int bits) const noexcept {
  IpAddress ip = *this;
  for (std::size_t at = static_cast<std::size_t>(bits) / 8; at < ip.bytes_.size(); ++at) {
    const bool is_cut = at == static_cast<std::size_t>(bits) / 8;
    ip.bytes_[at] &= is_cut ? static_cast<std::uint8_t>(0xff00 >> (bits % 8)) : std::uint8_t{0};
  }
  return ip;
}

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const auto port = parse_decimal(text.substr(colon + 1), 65535);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = IpAddress::parse(host);
  if (!ip || !port || bracketed == ip->is_v4()) return std::nullopt;
  return SocketAddress(*ip, static_cast<std::uint16_t>(*port));
}

std::optional<SocketAddress> SocketAddress::from(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof in);
    return SocketAddress(IpAddress::v4(in.sin_addr), ntohs(in.sin_port));
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 in6;
    std::memcpy(&in6, address, sizeof in6);
    return SocketAddress(IpAddress::v6(in6.sin6_addr), ntohs(in6.sin6_port));
  }
  return std::nullopt;
}

socklen_t SocketAddress::to(sockaddr_storage& out) const noexcept {
  std::memset(&out, 0, sizeof out);
  if (ip_.is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port_);
    std::memcpy(&in.sin_addr, ip_.bytes().data(), sizeof in.sin_addr);
    std::memcpy(&out, &in, sizeof in);
    return sizeof in;
  }
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port_);
  std::memcpy(&in6.sin6_addr, ip_.bytes().data(), sizeof in6.sin6_addr);
  std::memcpy(&out, &in6, sizeof in6);
  return sizeof in6;
}

std::string SocketAddress::to_string() const {
  const std::string port = std::to_string(port_);
  return ip_.is_v4() ? ip_.to_string() + ":" + port : "[" + ip_.to_string() + "]:" + port;
}

std::optional<Cidr> Cidr::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto network = IpAddress::parse(text.substr(0, slash));
  if (!network) return std::nullopt;
  const unsigned width = network->is_v4() ? 32 : 128;
  unsigned bits = width;
  if (slash != text.npos) {
    const auto parsed = parse_decimal(text.substr(slash + 1), width);
    if (!parsed) return std::nullopt;
    bits = *parsed;
  }
  const Cidr block = around(*network, static_cast<int>(bits));
  return block.network() == *network ? std::optional(block) : std::nullopt;
}

Cidr Cidr::around(const IpAddress& address, int bits) {
  return Cidr(address.first_bits(bits), bits);
}

std::string Cidr::to_string() const {
  return network_.to_string() + "/" + std::to_string(bits_);
}

bool Cidr::contains(const IpAddress& address) const noexcept {
  const IpAddress candidate = network_.is_v4() ? address.unmapped() : address;
  if (candidate.family() != network_.family()) return false;
  const auto whole = static_cast<std::size_t>(bits_ / 8);
  const auto& ours = network_.bytes();
  const auto& theirs = candidate.bytes();
  if (!std::equal(ours.begin(), ours.begin() + static_cast<std::ptrdiff_t>(whole), theirs.begin()))
    return false;
  const int rest = bits_ % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return ((ours[whole] ^ theirs[whole]) & mask) == 0;
}

std::optional<SocketAddress> local_address(int fd) {
  sockaddr_storage storage;
  socklen_t length = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (getsockname(fd, address, &length) != 0) return std::nullopt;
  return SocketAddress::from(address);
}

std::optional<SocketAddress> peer_address(int fd) {
  sockaddr_storage storage;
  socklen_t length = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (getpeername(fd, address, &length) != 0) return std::nullopt;
  return SocketAddress::from(address);
}

}  // namespace payg
