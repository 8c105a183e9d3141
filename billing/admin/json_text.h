#pragma once

#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "billing/core/credits.h"
#include "plugin/base/clock.h"
#include "plugin/base/result.h"
#include "plugin/base/time_text.h"

namespace payg::billing {

// JSON as text, on the way in and on the way out, so that an amount of money is never a binary fraction:
// numbers are read and written by their digits.

/// "9.98", "0.8", "10": rounded down to two decimals, without trailing zeros.
std::string money_text(Credits amount);
/// Credits per hour, exactly: "0.8", "1.125".
std::string rate_text(Rate rate);
/// A length of time in hours or minutes, rounded down to two decimals.
std::string hours_text(std::chrono::milliseconds time);
std::string minutes_text(std::chrono::milliseconds time);
/// Reads "2026-11-22" or "2026-11-22T13:21:19Z" (with any fraction, which is dropped); UTC only.
std::optional<WallTime> parse_time(std::string_view text);

/// Writes one JSON text. The caller sees to it that what is begun is ended.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& begin_object(std::string_view key) { return name(key).open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& begin_array(std::string_view key) { return name(key).open('['); }
  JsonWriter& end_array() { return close(']'); }

  /// Invalid UTF-8 is replaced, so that the result is always JSON.
  JsonWriter& text(std::string_view key, std::string_view value);
  JsonWriter& text(std::string_view value);
  /// `digits` is written as it is: a JSON number.
  JsonWriter& digits(std::string_view key, std::string_view digits) { return name(key).raw(digits); }
  template <std::integral Integer>
  JsonWriter& number(std::string_view key, Integer value) {
    return digits(key, std::to_string(value));
  }
  JsonWriter& money(std::string_view key, Credits amount) { return digits(key, money_text(amount)); }
  JsonWriter& truth(std::string_view key, bool value) { return digits(key, value ? "true" : "false"); }
  JsonWriter& time(std::string_view key, WallTime value) { return text(key, time_text(value)); }
  JsonWriter& null(std::string_view key) { return digits(key, "null"); }

  std::string take() && { return std::move(out_); }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  JsonWriter& name(std::string_view key);
  JsonWriter& raw(std::string_view text);
  void separate();

  std::string out_;
};

/// One member of a JSON object that was read: its kind, and for a string its characters, for a number its
/// digits as they were sent.
struct JsonValue {
  enum class Kind { null, boolean, number, string, nested };
  Kind kind = Kind::null;
  std::string text;
};

using JsonObject = std::map<std::string, JsonValue, std::less<>>;

/// Reads the members of one JSON object; what stands inside nested arrays and objects is checked but not
/// kept. The error says what is wrong with it: not JSON, not an object, a name twice.
Result<JsonObject, std::string> read_json_object(std::string_view text);

}  // namespace payg::billing
