#include "tests/fuzz/pieces.h"

#include <algorithm>
#include <cstdint>

namespace payg::fuzz {
namespace {

/// FNV-1a.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

/// splitmix64
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

std::vector<Arrival> arrivals_of(std::string_view input) {
  constexpr std::size_t long_input_bytes = 1000;
  const std::size_t step = input.size() > long_input_bytes ? 997 : 1;
  std::vector<Arrival> all{{input.size()}, {}, {}};
  for (std::size_t there = step; there < input.size(); there += step) all[1].push_back(there);
  all[1].push_back(input.size());

  std::uint64_t state = hash_of(input);
  // Mostly a few bytes, sometimes many: a find wants the one as well as the other.
  const auto piece = [&] { return 1 + next_random(state) % (std::size_t{1} << (next_random(state) % 12)); };
  for (std::size_t there = piece(); there < input.size(); there += piece()) all[2].push_back(there);
  all[2].push_back(input.size());
  return all;
}

void in_pieces(std::string_view input, const Arrival& arrival,
               const std::function<void(std::string_view piece)>& take) {
  std::size_t taken = 0;
  for (const std::size_t there : arrival) {
    const std::string_view piece = input.substr(taken, there - taken);
    const std::vector<char> memory(piece.begin(), piece.end());
    take({memory.data(), memory.size()});
    taken = there;
  }
}

}  // namespace payg::fuzz
