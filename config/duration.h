#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace payg::config {

/// The longest length of time that a file may name: a year.
inline constexpr std::chrono::milliseconds longest_duration = std::chrono::hours(8760);

/// A whole number and its unit, without a blank: "250ms", "10s", "5m", "1h". nullopt when malformed or longer
/// than longest_duration.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// The same back, in the largest unit that is exact.
std::string format_duration(std::chrono::milliseconds duration);

}  // namespace payg::config
