#include "config/duration.h"

#include <array>
#include <charconv>
#include <cstdint>

namespace payg::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t ms;
};
constexpr std::array<Unit, 4> units{{{"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || count < 0 || text.front() == '-') return std::nullopt;
  const std::string_view name(end, text.data() + text.size());
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    if (count > longest_duration.count() / unit.ms) return std::nullopt;
    return std::chrono::milliseconds(count * unit.ms);
  }
  return std::nullopt;
}

std::string format_duration(std::chrono::milliseconds duration) {
  for (const Unit& unit : units) {
    if (duration.count() != 0 && duration.count() % unit.ms == 0)
      return std::to_string(duration.count() / unit.ms) + std::string(unit.name);
  }
  return "0s";
}

}  // namespace payg::config
