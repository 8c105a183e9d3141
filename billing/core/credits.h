#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace payg::billing {

/// An amount of money: a 64-bit count of units. 1 credit = 3,600,000 units, so that a rate of r credits per
/// hour is r units per millisecond. Arithmetic is checked: what does not fit is no value, never a wrapped
/// one.
class Credits {
 public:
  static constexpr std::int64_t units_per_credit = 3'600'000;

  constexpr Credits() = default;
  static constexpr Credits from_units(std::int64_t units) { return Credits(units); }

  /// Reads a decimal number of credits ("10", "0.80", "-2.5"): digits, at most one point, an optional leading
  /// minus; no exponent, no blanks, at most 18 characters. nullopt when malformed, out of range, or not a
  /// whole number of units.
  static std::optional<Credits> parse(std::string_view decimal);

  constexpr std::int64_t units() const { return units_; }
  constexpr auto operator<=>(const Credits&) const = default;

  std::optional<Credits> plus(Credits other) const;
  std::optional<Credits> minus(Credits other) const;

  /// Rounded towards minus infinity to `decimals` places ("9.98"): never shows more than there is.
  std::string to_string(int decimals = 2) const;
  /// All decimals that are needed to show the whole amount, at least two; rounded down after eight.
  std::string to_exact_string() const;

 private:
  constexpr explicit Credits(std::int64_t units) : units_(units) {}
  std::int64_t units_ = 0;
};

/// What connected time costs: units per millisecond times 1000, which is credits per hour times 1000, so that
/// three decimals of credits per hour are exact for each millisecond.
class Rate {
 public:
  using Milliseconds = std::chrono::milliseconds;

  /// REQUIRES: thousandths > 0.
  static constexpr Rate from_thousandths(std::int64_t thousandths) { return Rate(thousandths); }
  /// Reads credits per hour ("0.80"); nullopt unless it is above zero, at most 1,000,000 and has at most
  /// three decimals.
  static std::optional<Rate> parse(std::string_view credits_per_hour);

  constexpr std::int64_t thousandths() const { return thousandths_; }
  constexpr auto operator<=>(const Rate&) const = default;

  /// The exact price of a length of time; nullopt when it is not a whole number of units or does not fit.
  std::optional<Credits> price_of(Milliseconds time) const;
  /// The time an amount buys, to the millisecond, rounded down. REQUIRES: amount >= 0.
  Milliseconds time_for(Credits amount) const;

 private:
  constexpr explicit Rate(std::int64_t thousandths) : thousandths_(thousandths) {}
  std::int64_t thousandths_;
};

/// What one charge takes and gives: rule 4 of the metering rule.
struct Purchase {
  Credits amount;
  std::chrono::milliseconds grant{0};
  bool operator==(const Purchase&) const = default;
};

/// min(price, balance); the whole increment for the whole price, else the time that the amount buys. Both
/// ledgers compute this inside their transaction: SQLite by calling it, PostgreSQL in SQL, held together by
/// the contract tests. REQUIRES: balance >= 0, price > 0, increment > 0.
Purchase purchase(Credits balance, Credits price, std::chrono::milliseconds increment, Rate rate);

}  // namespace payg::billing
