#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace payg {

/// A 64-bit number that names one kind of thing, told apart by Tag so that two kinds cannot be mixed up.
/// Zero names nothing.
template <class Tag>
struct Id {
  std::uint64_t value = 0;

  constexpr explicit operator bool() const noexcept { return value != 0; }
  constexpr auto operator<=>(const Id&) const noexcept = default;
};

}  // namespace payg

template <class Tag>
struct std::hash<payg::Id<Tag>> {
  std::size_t operator()(payg::Id<Tag> id) const noexcept { return std::hash<std::uint64_t>{}(id.value); }
};
