#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>

namespace payg::simulation {

/// What each stream of numbers is for: users who are left out, or faults that are switched off, leave the
/// numbers of all others as they are.
enum class Purpose : std::uint64_t { scenario = 1, user, network, faults, operators, node };

/// Numbers that depend on nothing but the seed: splitmix64, and integers throughout, so that a run is the
/// same on every machine. As thread-safe as an int.
class Random {
 public:
  using Duration = std::chrono::nanoseconds;

  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  Random(std::uint64_t seed, Purpose purpose, std::uint64_t index = 0) noexcept
      : state_(mix(mix(seed ^ (static_cast<std::uint64_t>(purpose) << 56)) + index)) {}

  std::uint64_t bits() noexcept { return mix(state_ += 0x9e3779b97f4a7c15U); }
  /// 0 … bound - 1. REQUIRES: bound > 0.
  std::uint64_t below(std::uint64_t bound) noexcept { return bits() % bound; }
  /// low … high, both included.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept {
    return low + below(high - low + 1);
  }
  Duration between(Duration low, Duration high) noexcept {
    return low +
           Duration(static_cast<std::int64_t>(below(static_cast<std::uint64_t>((high - low).count()) + 1)));
  }
  /// True once in `count` times.
  bool once_in(std::uint64_t count) noexcept { return below(count) == 0; }
  bool percent(unsigned chance) noexcept { return below(100) < chance; }
  /// Waiting times of events that come at random, `mean` apart; at most some 40 times that.
  Duration about(Duration mean) noexcept {
    // -ln(u) by the binary logarithm: whole part by counting zeros, the rest taken as a straight line.
    constexpr std::int64_t one = 1024, ln2 = 710;
    const std::uint64_t number = bits() | 1;
    const int zeros = __builtin_clzll(number);
    const auto rest = static_cast<std::int64_t>((number << zeros) >> 53) - one;  // 0 … 1023
    const std::int64_t nats = (zeros * one + (one - 1 - rest)) * ln2 / one;
    return Duration(mean.count() / one * nats);
  }
  template <class T>
  T one_of(std::initializer_list<T> choices) noexcept {
    return choices.begin()[below(choices.size())];
  }

 private:
  static constexpr std::uint64_t mix(std::uint64_t value) noexcept {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
  }

  std::uint64_t state_;
};

}  // namespace payg::simulation
