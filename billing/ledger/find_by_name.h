#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace payg::billing {

/// Which of an enumeration's values has this name; nullopt: none.
template <class Enum, std::size_t count>
std::optional<Enum> find_by_name(const std::array<Enum, count>& all, std::string_view name) noexcept {
  const auto found = std::find_if(all.begin(), all.end(), [&](Enum one) { return name_of(one) == name; });
  return found == all.end() ? std::nullopt : std::optional(*found);
}

}  // namespace payg::billing
