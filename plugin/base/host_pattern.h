#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace payg {

/// Hosts and ports that an operator names in one entry of a list.
struct HostPattern {
  enum class Names { itself, below };
  std::string host;  ///< in lower case, an address in its canonical form; of "*.HOST" what follows the "*."
  Names names = Names::itself;
  std::optional<std::uint16_t> port;  ///< nullopt: 80 and 443
  bool operator==(const HostPattern&) const = default;

  /// Reads "pay.example", "*.pay.example" (every name below it, not itself), "192.0.2.1" or "[2001:db8::1]",
  /// each with ":PORT" behind it or without. nullopt: it is none of these.
  static std::optional<HostPattern> parse(std::string_view text);

  /// REQUIRES: `target_host` in lower case, an address in its canonical form without brackets.
  bool matches(std::string_view target_host, std::uint16_t target_port) const noexcept;
};

/// Whether one of them does; REQUIRES as there.
bool any_matches(std::span<const HostPattern> patterns, std::string_view host, std::uint16_t port) noexcept;

}  // namespace payg
