#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace payg {

/// ASCII only, whatever the locale: what arrives from the network is bytes.
constexpr char ascii_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
std::string ascii_lower(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;

/// Without spaces and tabs at both ends (OWS of RFC 9110 §5.6.3).
std::string_view trim_ows(std::string_view text) noexcept;

/// RFC 4648 §4, padding required, no line breaks; nullopt-like: returns false when malformed.
bool decode_base64(std::string_view text, std::string& out);

std::string to_hex(const unsigned char* bytes, std::size_t count);
/// All 16 digits.
std::string to_hex(std::uint64_t number);

}  // namespace payg
