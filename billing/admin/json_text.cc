#include "billing/admin/json_text.h"

#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace payg::billing {
namespace {

std::string quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string without_trailing_zeros(std::string digits) {
  if (digits.find('.') == std::string::npos) return digits;
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.back() == '.') digits.pop_back();
  return digits == "-0" ? "0" : digits;
}

// value ÷ whole, rounded down to two decimals. REQUIRES: value >= 0.
std::string quotient_text(std::int64_t value, std::int64_t whole) {
  const std::int64_t hundredths = value % whole * 100 / whole;
  std::string text = std::to_string(value / whole) + '.';
  if (hundredths < 10) text += '0';
  return without_trailing_zeros(text + std::to_string(hundredths));
}

// Collects the members of the outermost object, nlohmann's SAX way: the parser hands over each number's text.
class MemberCollector final : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonObject members;
  std::string error;

  bool null() override { return put(JsonValue::Kind::null, "null"); }
  bool boolean(bool value) override { return put(JsonValue::Kind::boolean, value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override {
    return put(JsonValue::Kind::number, std::to_string(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return put(JsonValue::Kind::number, std::to_string(value));
  }
  bool number_float(number_float_t, const string_t& digits) override {
    return put(JsonValue::Kind::number, digits);
  }
  bool string(string_t& value) override { return put(JsonValue::Kind::string, value); }
  bool binary(binary_t&) override { return fail("binary data has no place here"); }

  bool start_object(std::size_t) override {
    if (depth_ == 1 && !put(JsonValue::Kind::nested, "")) return false;
    ++depth_;
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ != 1) return true;
    if (members.contains(name)) return fail("\"" + name + "\" stands there twice");
    key_ = name;
    return true;
  }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t) override {
    if (depth_ == 0) return fail("an object is expected, in braces");
    if (depth_ == 1 && !put(JsonValue::Kind::nested, "")) return false;
    ++depth_;
    return true;
  }
  bool end_array() override { return leave(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    return fail("it is not JSON from character " + std::to_string(position) + " on");
  }

 private:
  bool put(JsonValue::Kind kind, std::string text) {
    if (depth_ == 0) return fail("an object is expected, in braces");
    if (depth_ == 1) members.insert_or_assign(key_, JsonValue{kind, std::move(text)});
    return true;
  }
  bool leave() {
    --depth_;
    return true;
  }
  bool fail(std::string why) {
    if (error.empty()) error = std::move(why);
    return false;
  }

  int depth_ = 0;
  std::string key_;
};

// Digits of a fixed width; nullopt when anything else stands there.
std::optional<int> fixed_digits(std::string_view text, std::size_t from, std::size_t count) {
  if (from + count > text.size()) return std::nullopt;
  int value = 0;
  for (char c : text.substr(from, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

bool is_fraction(std::string_view text) {
  return text.empty() || (text.size() > 1 && text.front() == '.' &&
                          text.find_first_not_of("0123456789", 1) == std::string_view::npos);
}

std::optional<std::chrono::sys_days> parse_day(std::string_view text) {
  using namespace std::chrono;
  const auto y = fixed_digits(text, 0, 4), m = fixed_digits(text, 5, 2), d = fixed_digits(text, 8, 2);
  if (!y || !m || !d || text[4] != '-' || text[7] != '-') return std::nullopt;
  const year_month_day day{year(*y), month(static_cast<unsigned>(*m)),
                           std::chrono::day(static_cast<unsigned>(*d))};
  if (!day.ok()) return std::nullopt;
  return sys_days(day);
}

}  // namespace

std::string money_text(Credits amount) {
  return without_trailing_zeros(amount.to_string(2));
}

std::string rate_text(Rate rate) {
  std::string digits = std::to_string(rate.thousandths());
  if (digits.size() < 4) digits.insert(0, 4 - digits.size(), '0');
  digits.insert(digits.size() - 3, 1, '.');
  return without_trailing_zeros(digits);
}

std::string hours_text(std::chrono::milliseconds time) {
  return quotient_text(time.count(), 3'600'000);
}

std::string minutes_text(std::chrono::milliseconds time) {
  return quotient_text(time.count(), 60'000);
}

std::optional<WallTime> parse_time(std::string_view text) {
  using namespace std::chrono;
  const auto day = parse_day(text);
  if (!day) return std::nullopt;
  if (text.size() == 10) return WallTime(*day);
  if (text.size() < 20 || (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':')
    return std::nullopt;
  const auto h = fixed_digits(text, 11, 2), m = fixed_digits(text, 14, 2), s = fixed_digits(text, 17, 2);
  if (!h || !m || !s || *h > 23 || *m > 59 || *s > 59) return std::nullopt;
  if (text.back() != 'Z' && text.back() != 'z') return std::nullopt;
  if (!is_fraction(text.substr(19, text.size() - 20))) return std::nullopt;
  return WallTime(*day + hours(*h) + minutes(*m) + seconds(*s));
}

JsonWriter& JsonWriter::text(std::string_view key, std::string_view value) {
  return name(key).raw(quoted(value));
}

JsonWriter& JsonWriter::text(std::string_view value) {
  separate();
  return raw(quoted(value));
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  out_ += bracket;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_ += bracket;
  return *this;
}

JsonWriter& JsonWriter::name(std::string_view key) {
  separate();
  out_ += quoted(key);
  out_ += ':';
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view text) {
  out_ += text;
  return *this;
}

// A comma is due behind a complete value, which never ends in one of these.
void JsonWriter::separate() {
  if (out_.empty()) return;
  const char last = out_.back();
  if (last != '{' && last != '[' && last != ':') out_ += ',';
}

Result<JsonObject, std::string> read_json_object(std::string_view text) {
  MemberCollector collector;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &collector))
    return collector.error.empty() ? std::string("it is not JSON") : collector.error;
  return std::move(collector.members);
}

}  // namespace payg::billing
