#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/toml_document.h"

namespace payg::config {

/// One pass over one file: gathers every mistake, so that an operator mends them all at once. Used by one
/// thread, while starting or reloading.
class Reading {
 public:
  /// `path` is what messages call the file.
  Reading(std::string path, std::string_view text);

  /// False: the file is no TOML, which is the only error then, and root() is empty.
  bool parsed() const noexcept { return parsed_; }
  const Node& root() const noexcept { return root_; }

  /// `key` is the dotted path; `what` says what was wrong and what was expected.
  void refuse(Position position, std::string_view key, std::string_view what);
  /// "file:line:column: key", for what is found wrong with a value later.
  std::string place(Position position, std::string_view key) const;
  bool clean() const noexcept { return mistakes_.empty(); }
  /// "file:line:column: key: what", in the order of the file.
  std::vector<std::string> errors() const;

  /// The dotted path of every key that was asked for, whether the file has it or not.
  const std::set<std::string>& known_keys() const noexcept { return known_keys_; }
  void remember_key(std::string path) { known_keys_.insert(std::move(path)); }

 private:
  std::string path_;
  Node root_;
  bool parsed_ = false;
  std::vector<std::pair<Position, std::string>> mistakes_;
  std::set<std::string> known_keys_;
};

/// What a read_secret does when the environment variable that the file names is not set.
enum class IfUnset { refuse, leave_empty };

/// Typed access to one table of a Reading. A key that is absent leaves `out` as it was: the default. A value
/// that is wrong is refused in the Reading and leaves `out` too. Every read_… returns the value when it was
/// there and right, for checks that follow, else nullptr.
class TomlTable {
 public:
  struct Range {
    unsigned least;
    unsigned most;
  };
  /// Says what is wrong with a string, or nothing: "" means that it is fine.
  using Check = std::function<std::string(std::string_view)>;
  using Choice = std::pair<std::string_view, int>;

  /// `path` is the dotted path that leads here; empty for the root.
  TomlTable(Reading& reading, const Node& node, std::string path);

  const Node* read_text(std::string_view key, std::string& out, const Check& check = {});
  const Node* read_count(std::string_view key, unsigned& out, Range range);
  const Node* read_flag(std::string_view key, bool& out);
  /// See parse_duration(); shorter than `least` is refused.
  const Node* read_duration(std::string_view key, std::chrono::milliseconds& out,
                            std::chrono::milliseconds least = std::chrono::milliseconds(1));
  /// One of the names; `out` gets its number.
  const Node* read_choice(std::string_view key, int& out, std::span<const Choice> choices);
  /// A list of strings; each one is checked by itself.
  const Node* read_texts(std::string_view key, std::vector<std::string>& out, const Check& check);
  /// An amount of money: a string, so that no float stands between the file and the ledger.
  const Node* read_amount(std::string_view key, std::string& out, std::string_view expected);
  /// `key`_env names an environment variable, `key`_file a file (relative to the working directory; blanks at
  /// its end are left off). At most one of the two. Never echoes what it read.
  const Node* read_secret(std::string_view key, std::string& out, IfUnset if_unset, const Check& check = {});

  /// nullopt when absent (or no table, which is refused).
  std::optional<TomlTable> table(std::string_view key);
  /// The same, with `absent` in its place, so that defaults go through the same checks as what is given.
  TomlTable table_or(std::string_view key, const Node& absent);
  /// The tables of [[key]], or of a list of inline tables.
  std::vector<TomlTable> tables(std::string_view key);

  bool has(std::string_view key) const noexcept { return node_->find(key) != nullptr; }
  /// Was this key read, or left to somebody else?
  bool asked(std::string_view key) const { return asked_.contains(key); }
  /// Refuses the table when it lacks the key.
  void require(std::string_view key, std::string_view expected);
  /// Refuses a key that DESIGN.md knows and this version does not have yet.
  void refuse_later(std::string_view key);
  /// A table that belongs to somebody else: known, and left alone.
  void leave(std::string_view key) { asked_.emplace(key); }
  /// Call last: refuses each key that nobody asked for.
  void refuse_unknown();

  void refuse(const Node& value, std::string_view key, std::string_view what);
  /// See Reading::place.
  std::string place_of(const Node& value, std::string_view key) const;
  /// Refuses the table as a whole.
  void refuse(std::string_view what);
  Position position() const noexcept { return node_->position; }
  const Node& node() const noexcept { return *node_; }

 private:
  const Entry* ask(std::string_view key);
  std::string path_of(std::string_view key) const;
  const Node* of_kind(std::string_view key, Node::Kind kind, std::string_view expected);
  std::optional<std::string> from_environment(const Node& name, std::string_view key, IfUnset if_unset);
  std::optional<std::string> from_file(const Node& name, std::string_view key);

  Reading* reading_;
  const Node* node_;
  std::string path_;
  std::set<std::string, std::less<>> asked_;
  std::set<std::string, std::less<>> later_;
};

/// A string as messages show it: quoted, cut when long.
std::string in_quotes(std::string_view text);

/// True when `text` has 1 to `most` characters, all of them letters or digits in ASCII or one of `others`.
bool is_name(std::string_view text, std::string_view others, std::size_t most);

}  // namespace payg::config
