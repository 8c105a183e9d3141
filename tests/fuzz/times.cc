#include <optional>
#include <string>

#include "billing/admin/json_text.h"
#include "config/duration.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

using std::chrono::milliseconds;

/// Digits and a unit, by hand.
std::optional<milliseconds> plain_duration(std::string_view text) {
  std::int64_t count = 0;
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    count = std::min<std::int64_t>(count * 10 + (text[digits] - '0'), INT32_MAX * std::int64_t{1000});
    ++digits;
  }
  const std::string_view unit = text.substr(digits);
  const std::int64_t ms = unit == "ms"  ? 1
                          : unit == "s" ? 1000
                          : unit == "m" ? 60'000
                          : unit == "h" ? 3'600'000
                                        : 0;
  if (digits == 0 || ms == 0 || count * ms > 8760 * std::int64_t{3'600'000}) return std::nullopt;
  return milliseconds(count * ms);
}

}  // namespace

void times(std::string_view input) {
  const auto duration = config::parse_duration(input);
  must(duration == plain_duration(input), "a length of time is digits and a unit, up to a year");
  if (duration)
    must(config::parse_duration(config::format_duration(*duration)) == duration,
         "a length of time that is written is read again");

  const auto time = billing::parse_time(input);
  if (!time) return;
  const std::string text = time_text(*time);
  must(billing::parse_time(text) == time, "a time that is written is read again");
  must(text.substr(0, 10) == input.substr(0, 10), "the day is the one that was written");
  must(input.size() == 10 || text.substr(11, 8) == input.substr(11, 8),
       "the time of day is the one that was written");
}

}  // namespace payg::fuzz
