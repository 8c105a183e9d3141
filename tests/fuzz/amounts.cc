// Amounts of money and rates, one on each line.

#include <optional>
#include <string>
#include <vector>

#include "billing/admin/json_text.h"
#include "billing/core/credits.h"
#include "tests/fuzz/lines.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

using billing::Credits;
using billing::Rate;
using Wide = __int128;

/// Digits, at most one point with digits on both sides, a minus in front; 18 characters. In billionths of a
/// billionth, which every accepted number is a whole number of.
std::optional<Wide> plain_number(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  const bool negative = text[0] == '-';
  if (negative) text.remove_prefix(1);
  const auto point = text.find('.');
  std::string whole(text.substr(0, point));
  std::string fraction(point == text.npos ? "" : text.substr(point + 1));
  if (whole.empty() || (point != text.npos && fraction.empty())) return std::nullopt;
  fraction.resize(18, '0');
  Wide value = 0;
  for (const char c : whole + fraction) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return negative ? -value : value;
}

constexpr Wide one = Wide{1'000'000'000} * 1'000'000'000;

/// value × times, in whole units; nullopt: not whole, or beyond 64 bits.
std::optional<std::int64_t> whole_units(Wide value, std::int64_t times) {
  // The product does not fit: by parts.
  const Wide whole = value / one * times, fraction = value % one * times;
  if (fraction % one != 0) return std::nullopt;
  const Wide units = whole + fraction / one;
  if (units > INT64_MAX || units < INT64_MIN) return std::nullopt;
  return static_cast<std::int64_t>(units);
}

void credits_are_exact(std::string_view text, std::vector<Credits>& amounts) {
  const auto number = plain_number(text);
  const auto units = number ? whole_units(*number, Credits::units_per_credit) : std::nullopt;
  const auto credits = Credits::parse(text);
  must(credits.has_value() == units.has_value(), "an amount is a decimal of whole units, and nothing else");
  if (!credits || !units) return;
  must(credits->units() == *units, "an amount is what it says");
  amounts.push_back(*credits);
  must(Credits::parse(credits->to_exact_string()) == credits, "an amount that is written is read again");
  // Nothing can be shown of what has no room to be rounded down in; nobody owes that much.
  if (credits->units() < INT64_MIN + Credits::units_per_credit / 100) return;
  const auto shown = Credits::parse(credits->to_string(2));
  must(shown && shown == Credits::parse(billing::money_text(*credits)), "what is shown is an amount");
  must(*shown <= *credits && Wide{credits->units()} - shown->units() < Credits::units_per_credit / 100,
       "what is shown is rounded down, by less than its last place");
}

void rates_are_exact(std::string_view text, std::vector<Rate>& rates) {
  const auto number = plain_number(text);
  const std::int64_t thousandths = number ? whole_units(*number, 1000).value_or(0) : 0;
  // Three decimals are written at most, also when more would be zero.
  const auto point = text.find('.');
  const bool short_enough = point == text.npos || text.size() - point - 1 <= 3;
  const bool wanted = thousandths > 0 && thousandths <= 1'000'000'000 && short_enough;
  const auto rate = Rate::parse(text);
  must(rate.has_value() == wanted, "a rate has three decimals and stands in its bounds");
  if (!rate) return;
  must(rate->thousandths() == thousandths, "a rate is what it says");
  must(Rate::parse(billing::rate_text(*rate)) == rate, "a rate that is written is read again");
  rates.push_back(*rate);
}

void arithmetic_never_wraps(Credits a, Credits b) {
  const auto check = [](std::optional<Credits> result, Wide exact) {
    const bool fits = exact <= INT64_MAX && exact >= INT64_MIN;
    must(result.has_value() == fits, "what does not fit is no value");
    must(!result || result->units() == exact, "what fits is exact");
  };
  check(a.plus(b), Wide{a.units()} + b.units());
  check(a.minus(b), Wide{a.units()} - b.units());
}

void purchases_are_fair(Credits balance, Credits price, Rate rate) {
  if (balance < Credits() || price <= Credits()) return;
  const auto increment = rate.time_for(price);
  if (increment.count() <= 0 || rate.price_of(increment) != price) return;
  const auto bought = billing::purchase(balance, price, increment, rate);
  must(bought.amount == std::min(balance, price), "a charge is the price, or all that is left");
  must(bought.grant.count() >= 0 && bought.grant <= increment, "a grant is at most the increment");
  const Wide worth = Wide{bought.amount.units()} * 1000;
  must(Wide{rate.thousandths()} * bought.grant.count() <= worth, "no time is given away");
  must(bought.grant == increment || Wide{rate.thousandths()} * (bought.grant.count() + 1) > worth,
       "no time is kept back");
}

}  // namespace

void amounts(std::string_view input) {
  constexpr std::size_t most_lines = 8;
  std::vector<Credits> credits;
  std::vector<Rate> rates;
  for (std::size_t line = 0; line < most_lines && !input.empty(); ++line) {
    const std::string_view text = take_line(input);
    credits_are_exact(text, credits);
    rates_are_exact(text, rates);
  }
  for (const Credits a : credits)
    for (const Credits b : credits) {
      arithmetic_never_wraps(a, b);
      for (const Rate rate : rates) purchases_are_fair(a, b, rate);
    }
}

}  // namespace payg::fuzz
