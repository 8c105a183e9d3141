#pragma once

#include <string>

namespace payg::plugin {

/// Where the way out should stand; an empty field asks for nothing. Lower case.
struct Location {
  std::string country, state, city, isp;
  bool operator==(const Location&) const = default;
  bool empty() const noexcept { return country.empty() && state.empty() && city.empty() && isp.empty(); }
};

}  // namespace payg::plugin
