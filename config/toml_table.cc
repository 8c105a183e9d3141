#include "config/toml_table.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>

#include "config/duration.h"

namespace payg::config {
namespace {

std::string_view name_of(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::text: return "a string";
    case Node::Kind::integer: return "a whole number";
    case Node::Kind::decimal: return "a number with a point";
    case Node::Kind::flag: return "true or false";
    case Node::Kind::date_time: return "a date or time";
    case Node::Kind::array: return "a list";
    case Node::Kind::table: return "a table";
  }
  return "something else";
}

std::string described(const Node& value) {
  switch (value.kind) {
    case Node::Kind::text: return in_quotes(value.text) + " is a string";
    case Node::Kind::flag: return value.text + " is a flag";
    case Node::Kind::array:
    case Node::Kind::table: return "this is " + std::string(name_of(value.kind));
    default: return value.text + " is " + std::string(name_of(value.kind));
  }
}

/// Levenshtein: how many single-character changes lead from one word to the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

/// The known key that `word` was probably meant to be; empty: none is near.
std::string nearest(std::string_view word, const std::set<std::string, std::less<>>& known) {
  std::string best;
  std::size_t least = std::min<std::size_t>(3, word.size() / 2) + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

std::string joined(const std::set<std::string, std::less<>>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

/// Messages are one line each, whatever the file holds.
char printable(char c) {
  return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f ? c : '?';
}

bool is_variable_name(std::string_view text) {
  return is_name(text, "_", 128) && !(text.front() >= '0' && text.front() <= '9');
}

}  // namespace

std::string in_quotes(std::string_view text) {
  constexpr std::size_t most = 80;
  std::string out = "\"";
  for (const char c : text.substr(0, most)) out += printable(c);
  if (text.size() > most) out += "…";
  return out + "\"";
}

bool is_name(std::string_view text, std::string_view others, std::size_t most) {
  if (text.empty() || text.size() > most) return false;
  return std::all_of(text.begin(), text.end(), [others](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           others.find(c) != others.npos;
  });
}

// ---- Reading

Reading::Reading(std::string path, std::string_view text) : path_(std::move(path)) {
  auto root = parse_toml(text);
  parsed_ = root.ok();
  if (parsed_) {
    root_ = std::move(root).value();
  } else {
    refuse(root.error().position, "syntax", root.error().message);
  }
}

void Reading::refuse(Position position, std::string_view key, std::string_view what) {
  std::string message;
  if (!key.empty()) message.append(key).append(": ");
  message.append(what);
  std::transform(message.begin(), message.end(), message.begin(), printable);
  mistakes_.emplace_back(position, std::move(message));
}

std::string Reading::place(Position position, std::string_view key) const {
  return path_ + ":" + std::to_string(position.line) + ":" + std::to_string(position.column) + ": " +
         std::string(key);
}

std::vector<std::string> Reading::errors() const {
  auto sorted = mistakes_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> out;
  for (const auto& [position, message] : sorted) out.push_back(place(position, message));
  return out;
}

// ---- TomlTable

TomlTable::TomlTable(Reading& reading, const Node& node, std::string path)
    : reading_(&reading), node_(&node), path_(std::move(path)) {}

std::string TomlTable::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const Entry* TomlTable::ask(std::string_view key) {
  asked_.emplace(key);
  reading_->remember_key(path_of(key));
  return node_->find(key);
}

const Node* TomlTable::of_kind(std::string_view key, Node::Kind kind, std::string_view expected) {
  const Entry* entry = ask(key);
  if (!entry) return nullptr;
  if (entry->value.kind == kind) return &entry->value;
  refuse(entry->value, key, described(entry->value) + ", expected " + std::string(expected));
  return nullptr;
}

const Node* TomlTable::read_text(std::string_view key, std::string& out, const Check& check) {
  const Node* value = of_kind(key, Node::Kind::text, "a string");
  if (!value) return nullptr;
  if (const std::string wrong = check ? check(value->text) : ""; !wrong.empty()) {
    refuse(*value, key, wrong);
    return nullptr;
  }
  out = value->text;
  return value;
}

const Node* TomlTable::read_count(std::string_view key, unsigned& out, Range range) {
  const std::string expected =
      "a whole number from " + std::to_string(range.least) + " to " + std::to_string(range.most);
  const Node* value = of_kind(key, Node::Kind::integer, expected);
  if (!value) return nullptr;
  if (value->integer < range.least || value->integer > range.most) {
    refuse(*value, key, value->text + " is out of range, expected " + expected);
    return nullptr;
  }
  out = static_cast<unsigned>(value->integer);
  return value;
}

const Node* TomlTable::read_flag(std::string_view key, bool& out) {
  const Node* value = of_kind(key, Node::Kind::flag, "true or false");
  if (value) out = value->flag;
  return value;
}

const Node* TomlTable::read_duration(std::string_view key, std::chrono::milliseconds& out,
                                     std::chrono::milliseconds least) {
  const std::string expected = R"(a length of time such as "250ms", "10s", "5m" or "1h")";
  const Entry* entry = ask(key);
  if (!entry) return nullptr;
  const Node& value = entry->value;
  if (value.kind == Node::Kind::integer) {
    refuse(value, key, value.text + " has no unit, expected " + expected);
    return nullptr;
  }
  if (!of_kind(key, Node::Kind::text, expected)) return nullptr;
  const auto duration = parse_duration(value.text);
  if (!duration) {
    refuse(value, key,
           in_quotes(value.text) +
               " is no length of time, expected a whole number of ms, s, m or h, at most " +
               format_duration(longest_duration));
    return nullptr;
  }
  if (*duration < least) {
    refuse(value, key, in_quotes(value.text) + " is too short, expected at least " + format_duration(least));
    return nullptr;
  }
  out = *duration;
  return &value;
}

const Node* TomlTable::read_choice(std::string_view key, int& out, std::span<const Choice> choices) {
  std::string expected = "one of";
  for (const Choice& choice : choices) {
    expected += &choice == &choices.front() ? " " : ", ";
    expected += in_quotes(choice.first);
  }
  const Node* value = of_kind(key, Node::Kind::text, expected);
  if (!value) return nullptr;
  for (const Choice& choice : choices) {
    if (choice.first != value->text) continue;
    out = choice.second;
    return value;
  }
  refuse(*value, key, in_quotes(value->text) + " is not known, expected " + expected);
  return nullptr;
}

const Node* TomlTable::read_texts(std::string_view key, std::vector<std::string>& out, const Check& check) {
  const Node* list = of_kind(key, Node::Kind::array, "a list of strings");
  if (!list) return nullptr;
  std::vector<std::string> texts;
  bool fine = true;
  for (const Node& element : list->elements) {
    std::string wrong;
    if (element.kind != Node::Kind::text) {
      wrong = described(element) + ", expected a list of strings";
    } else {
      wrong = check(element.text);
    }
    if (!wrong.empty()) {
      refuse(element, key, wrong);
      fine = false;
    }
    texts.push_back(element.text);
  }
  if (!fine) return nullptr;
  out = std::move(texts);
  return list;
}

const Node* TomlTable::read_amount(std::string_view key, std::string& out, std::string_view expected) {
  const Entry* entry = ask(key);
  if (!entry) return nullptr;
  const Node& value = entry->value;
  if (value.kind == Node::Kind::decimal || value.kind == Node::Kind::integer) {
    refuse(value, key,
           described(value) + ", expected an amount in quotes, as in \"" + value.text +
               "\", which keeps it exact");
    return nullptr;
  }
  if (!of_kind(key, Node::Kind::text, std::string(expected))) return nullptr;
  out = value.text;
  return &value;
}

const Node* TomlTable::read_secret(std::string_view key, std::string& out, IfUnset if_unset,
                                   const Check& check) {
  const std::string env_key = std::string(key) + "_env";
  const std::string file_key = std::string(key) + "_file";
  const Node* env = of_kind(env_key, Node::Kind::text, "the name of an environment variable");
  const Node* file = of_kind(file_key, Node::Kind::text, "the path of a file");
  if (env && file) {
    refuse(*file, file_key, env_key + " is given too, expected only one of the two");
    return nullptr;
  }
  const Node* source = env ? env : file;
  if (!source) return nullptr;
  const std::string& used_key = env ? env_key : file_key;
  auto secret = env ? from_environment(*env, used_key, if_unset) : from_file(*file, used_key);
  if (!secret) return nullptr;
  if (const std::string wrong = check ? check(*secret) : ""; !wrong.empty()) {
    refuse(*source, used_key, "what was read from " + in_quotes(source->text) + " " + wrong);
    return nullptr;
  }
  out = *std::move(secret);
  return source;
}

std::optional<std::string> TomlTable::from_environment(const Node& name, std::string_view key,
                                                       IfUnset if_unset) {
  if (!is_variable_name(name.text)) {
    // Not echoed: it may be the secret itself, put in the wrong place.
    refuse(name, key, R"(is no name of an environment variable, expected one such as "NAME")");
    return std::nullopt;
  }
  const char* value = std::getenv(name.text.c_str());
  if (value && *value) return value;
  if (if_unset == IfUnset::refuse)
    refuse(name, key, "the environment variable " + name.text + " is not set, expected the secret in it");
  return std::nullopt;
}

std::optional<std::string> TomlTable::from_file(const Node& name, std::string_view key) {
  std::ifstream file(name.text, std::ios::binary);
  std::ostringstream buffer;
  buffer << file.rdbuf();
  std::error_code ignored;
  if (!file.is_open() || buffer.bad() || std::filesystem::is_directory(name.text, ignored)) {
    refuse(name, key, "cannot read the file " + in_quotes(name.text) + ", expected the secret in it");
    return std::nullopt;
  }
  std::string content = std::move(buffer).str();
  content.erase(content.find_last_not_of(" \t\r\n") + 1);
  if (!content.empty()) return content;
  refuse(name, key, "the file " + in_quotes(name.text) + " is empty, expected the secret in it");
  return std::nullopt;
}

std::optional<TomlTable> TomlTable::table(std::string_view key) {
  const std::string path = path_of(key);
  const Node* value = of_kind(key, Node::Kind::table, "the table [" + path + "]");
  if (!value) return std::nullopt;
  return TomlTable(*reading_, *value, path);
}

TomlTable TomlTable::table_or(std::string_view key, const Node& absent) {
  auto present = table(key);
  return present ? *std::move(present) : TomlTable(*reading_, absent, path_of(key));
}

std::vector<TomlTable> TomlTable::tables(std::string_view key) {
  const std::string path = path_of(key);
  const std::string expected = "a list of tables: [[" + path + "]]";
  std::vector<TomlTable> out;
  const Node* list = of_kind(key, Node::Kind::array, expected);
  if (!list) return out;
  for (const Node& element : list->elements) {
    if (element.kind == Node::Kind::table) {
      out.emplace_back(*reading_, element, path);
    } else {
      refuse(element, key, described(element) + ", expected " + expected);
    }
  }
  return out;
}

void TomlTable::require(std::string_view key, std::string_view expected) {
  if (has(key)) return;
  reading_->refuse(position(), path_of(key), "missing, expected " + std::string(expected));
}

void TomlTable::refuse_later(std::string_view key) {
  const Entry* entry = node_->find(key);
  if (!entry) return;
  later_.emplace(key);
  reading_->refuse(entry->position, path_of(key), "unknown key: this version of payg-proxy does not have it");
}

void TomlTable::refuse_unknown() {
  for (const Entry& entry : node_->entries) {
    if (asked_.contains(entry.key) || later_.contains(entry.key)) continue;
    const std::string meant = nearest(entry.key, asked_);
    const std::string hint =
        meant.empty() ? "expected one of: " + joined(asked_) : "did you mean " + in_quotes(meant) + "?";
    reading_->refuse(entry.position, path_of(entry.key), "unknown key, " + hint);
  }
}

void TomlTable::refuse(const Node& value, std::string_view key, std::string_view what) {
  reading_->refuse(value.position, path_of(key), what);
}

std::string TomlTable::place_of(const Node& value, std::string_view key) const {
  return reading_->place(value.position, path_of(key));
}

void TomlTable::refuse(std::string_view what) {
  reading_->refuse(position(), path_, what);
}

}  // namespace payg::config
