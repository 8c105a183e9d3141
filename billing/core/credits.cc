#include "billing/core/credits.h"

#include <algorithm>
#include <limits>

namespace payg::billing {
namespace {

using Wide = __int128;  // holds every product of two 64-bit numbers

constexpr std::size_t max_decimal_characters = 18;

std::optional<Credits> narrow(Wide units) {
  if (units > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  if (units < std::numeric_limits<std::int64_t>::min()) return std::nullopt;
  return Credits::from_units(static_cast<std::int64_t>(units));
}

/// A decimal number as text writes it: digits × 10^-decimals.
struct Decimal {
  std::int64_t digits = 0;  ///< signed; at most 18 digits, so it always fits
  int decimals = 0;
};

/// REQUIRES: c is a digit.
constexpr int digit_value(char c) {
  return c - '0';
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  if (text.empty() || text.size() > max_decimal_characters) return std::nullopt;
  const bool negative = text.front() == '-';
  if (negative) text.remove_prefix(1);

  Decimal number;
  std::size_t digit_count = 0;
  bool behind_point = false;
  for (const char c : text) {
    if (c == '.') {
      // A point stands between digits: neither ".5" nor "5." is a number.
      if (behind_point || digit_count == 0) return std::nullopt;
      behind_point = true;
      continue;
    }
    if (c < '0' || c > '9') return std::nullopt;
    number.digits = number.digits * 10 + digit_value(c);
    number.decimals += behind_point ? 1 : 0;
    ++digit_count;
  }
  if (digit_count == 0 || (behind_point && number.decimals == 0)) return std::nullopt;
  if (negative) number.digits = -number.digits;
  return number;
}

constexpr Wide power_of_ten(int exponent) {
  Wide power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

/// numerator / denominator towards minus infinity. REQUIRES: denominator > 0.
constexpr Wide divide_down(Wide numerator, Wide denominator) {
  const Wide quotient = numerator / denominator;
  return numerator % denominator < 0 ? quotient - 1 : quotient;
}

std::string to_decimal(std::int64_t units, int decimals) {
  const Wide scaled = divide_down(Wide{units} * power_of_ten(decimals), Credits::units_per_credit);
  const bool negative = scaled < 0;
  Wide rest = negative ? -scaled : scaled;
  std::string text;
  for (int place = 0; rest != 0 || place <= decimals; ++place) {
    if (place == decimals && decimals > 0) text.push_back('.');
    text.push_back(static_cast<char>('0' + static_cast<int>(rest % 10)));
    rest /= 10;
  }
  if (negative) text.push_back('-');
  std::reverse(text.begin(), text.end());
  return text;
}

}  // namespace

std::optional<Credits> Credits::parse(std::string_view decimal) {
  const auto number = parse_decimal(decimal);
  if (!number) return std::nullopt;
  const Wide scaled = Wide{number->digits} * units_per_credit;
  const Wide divisor = power_of_ten(number->decimals);
  if (scaled % divisor != 0) return std::nullopt;
  return narrow(scaled / divisor);
}

std::optional<Credits> Credits::plus(Credits other) const {
  return narrow(Wide{units_} + other.units_);
}

std::optional<Credits> Credits::minus(Credits other) const {
  return narrow(Wide{units_} - other.units_);
}

std::string Credits::to_string(int decimals) const {
  return to_decimal(units_, decimals);
}

std::string Credits::to_exact_string() const {
  constexpr int least_decimals = 2, most_decimals = 8;
  std::string text = to_decimal(units_, most_decimals);
  const std::size_t shortest = text.size() - (most_decimals - least_decimals);
  while (text.size() > shortest && text.back() == '0') text.pop_back();
  return text;
}

std::optional<Rate> Rate::parse(std::string_view credits_per_hour) {
  constexpr std::int64_t most_thousandths = 1'000'000'000;  // 1,000,000 credits per hour
  constexpr int exact_decimals = 3;
  const auto number = parse_decimal(credits_per_hour);
  if (!number || number->digits <= 0 || number->decimals > exact_decimals) return std::nullopt;
  const Wide thousandths = Wide{number->digits} * power_of_ten(exact_decimals - number->decimals);
  if (thousandths > most_thousandths) return std::nullopt;
  return from_thousandths(static_cast<std::int64_t>(thousandths));
}

std::optional<Credits> Rate::price_of(Milliseconds time) const {
  const Wide thousandths_of_units = Wide{thousandths_} * time.count();
  if (thousandths_of_units % 1000 != 0) return std::nullopt;
  return narrow(thousandths_of_units / 1000);
}

Rate::Milliseconds Rate::time_for(Credits amount) const {
  const Wide milliseconds = Wide{amount.units()} * 1000 / thousandths_;
  // Only an amount near the end of the range at a tiny rate gets here: that is longer than anyone lives.
  constexpr Wide longest = std::numeric_limits<std::int64_t>::max();
  return Milliseconds(static_cast<std::int64_t>(std::min(milliseconds, longest)));
}

Purchase purchase(Credits balance, Credits price, std::chrono::milliseconds increment, Rate rate) {
  if (balance >= price) return {price, increment};
  return {balance, std::min(rate.time_for(balance), increment)};
}

}  // namespace payg::billing
