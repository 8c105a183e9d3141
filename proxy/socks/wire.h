#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// What both sides of SOCKS5 read and write alike (RFC 1928, RFC 1929). Included by their sources only.
namespace payg::socks::wire {

inline constexpr std::uint8_t socks5_version = 5;
inline constexpr std::uint8_t credentials_version = 1;
inline constexpr std::uint8_t address_v4 = 1;
inline constexpr std::uint8_t address_domain = 3;
inline constexpr std::uint8_t address_v6 = 4;

inline std::uint8_t byte_at(std::string_view bytes, std::size_t index) {
  return static_cast<std::uint8_t>(bytes[index]);
}

inline bool is_known_address_type(std::uint8_t type) {
  return type == address_v4 || type == address_domain || type == address_v6;
}

/// The length of a whole request or reply, or of the head of a datagram, which are laid out alike: three
/// bytes, ATYP, address, port. 0: not to be told yet. REQUIRES: four bytes, with a known ATYP.
inline std::size_t addressed_bytes(std::string_view buffered) {
  constexpr std::size_t without_address = 4 + 2;
  switch (byte_at(buffered, 3)) {
    case address_v4: return without_address + 4;
    case address_v6: return without_address + 16;
    default: return buffered.size() < 5 ? 0 : without_address + 1 + byte_at(buffered, 4);
  }
}

}  // namespace payg::socks::wire
