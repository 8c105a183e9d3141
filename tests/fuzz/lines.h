#pragma once

#include <string_view>

namespace payg::fuzz {

/// Takes what stands before the next line feed off the front; an input that has several parts is written on
/// lines.
inline std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return line;
}

}  // namespace payg::fuzz
