#include "tests/support/harness/pattern.h"

#include <algorithm>
#include <random>

namespace payg::test {

namespace {

constexpr std::size_t period = 1'048'573;  // the largest prime below 2^20

const std::string& one_period() {
  static const std::string bytes = [] {
    std::mt19937_64 random(20'240'229);
    std::string made(period, '\0');
    for (char& byte : made) byte = static_cast<char>(random() & 0xFF);
    return made;
  }();
  return bytes;
}

}  // namespace

std::string_view Pattern::at(std::uint64_t offset, std::size_t length) {
  const auto start = static_cast<std::size_t>(offset % period);
  return std::string_view(one_period()).substr(start, length);
}

std::string Pattern::bytes(std::uint64_t offset, std::size_t length) {
  std::string made;
  made.reserve(length);
  while (made.size() < length) made += at(offset + made.size(), length - made.size());
  return made;
}

void PatternCheck::feed(std::string_view arrived) {
  while (intact_ && !arrived.empty()) {
    const std::string_view wanted = Pattern::at(good_, arrived.size());
    const auto difference = std::mismatch(wanted.begin(), wanted.end(), arrived.begin());
    const auto same = static_cast<std::size_t>(difference.first - wanted.begin());
    good_ += same;
    intact_ = same == wanted.size();
    arrived.remove_prefix(same);
  }
}

}  // namespace payg::test
