#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/result.h"

namespace payg::config {

/// Where something stands in the file, both counted from 1.
struct Position {
  unsigned line = 1;
  unsigned column = 1;
  auto operator<=>(const Position&) const = default;
};

struct Entry;

/// One value of a TOML file that remembers where it stands. Plain data, so that the parser is known in one
/// source file only.
struct Node {
  enum class Kind { text, integer, decimal, flag, date_time, array, table };

  Kind kind = Kind::table;
  Position position;
  /// Kind::text: the string. Kind::integer, decimal, flag, date_time: as it is written in the file.
  std::string text;
  std::int64_t integer = 0;
  bool flag = false;
  std::vector<Node> elements;  ///< of an array
  std::vector<Entry> entries;  ///< of a table

  /// nullptr when the table has no such key.
  const Entry* find(std::string_view key) const noexcept;
};

struct Entry {
  std::string key;
  Position position;  ///< of the key
  Node value;
};

struct SyntaxError {
  Position position;
  std::string message;
};

/// Parses TOML 1.0. The result is the root table.
Result<Node, SyntaxError> parse_toml(std::string_view text);

}  // namespace payg::config
