#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace payg::test {

/// The ways in which bytes can arrive: each is the list of how many bytes are there at each call. Whole, one
/// at a time, and in two pieces cut at every position. Long inputs come whole and in pieces of a prime
/// number.
inline std::vector<std::vector<std::size_t>> arrivals(std::size_t bytes) {
  constexpr std::size_t long_input_bytes = 2000;
  const bool is_long = bytes > long_input_bytes;
  std::vector<std::vector<std::size_t>> all{{bytes}, {}};
  for (std::size_t there = 0; there < bytes; there += is_long ? 997 : 1) all[1].push_back(there);
  all[1].push_back(bytes);
  for (std::size_t cut = 1; cut < bytes && !is_long; ++cut) all.push_back({cut, bytes});
  return all;
}

/// The first `size` bytes, in memory of their own, so that a sanitizer sees every look behind them, and every
/// view into memory of an earlier call.
class Received {
 public:
  std::string_view first(std::string_view bytes, std::size_t size) {
    memory_ = std::vector<char>(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    return {memory_.data(), memory_.size()};
  }

 private:
  std::vector<char> memory_;
};

}  // namespace payg::test
