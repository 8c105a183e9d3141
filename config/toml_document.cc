#include "config/toml_document.h"

#define TOML_EXCEPTIONS 0
// Version 3.3 asserts, or with NDEBUG lets the compiler assume, what a file may well break ("[[[", "[=]").
// Behind each assertion stands the error that we want, so neither.
#undef NDEBUG
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

namespace payg::config {
namespace {

Position position_of(const toml::source_position& position) {
  if (!position) return {};
  return {.line = position.line, .column = position.column};
}

/// Cuts what a node was parsed from out of the file; empty when it does not stand on one line.
class SourceText {
 public:
  explicit SourceText(std::string_view text) {
    while (!text.empty()) {
      const auto end = text.find('\n');
      lines_.push_back(text.substr(0, end));
      text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
  }

  std::string cut(const toml::source_region& region) const {
    if (!region.begin || region.begin.line > lines_.size()) return {};
    const auto line = lines_[region.begin.line - 1];
    if (region.begin.column > line.size()) return {};
    const auto rest = line.substr(region.begin.column - 1);
    return std::string(rest.substr(0, rest.find_first_of(" \t\r,]}#")));
  }

 private:
  std::vector<std::string_view> lines_;
};

Node converted(const toml::node& from, const SourceText& source);

void fill_table(Node& to, const toml::table& from, const SourceText& source) {
  to.kind = Node::Kind::table;
  for (const auto& [key, value] : from) {
    to.entries.push_back({.key = std::string(key.str()),
                          .position = position_of(key.source().begin),
                          .value = converted(value, source)});
  }
}

Node converted(const toml::node& from, const SourceText& source) {
  Node to;
  to.position = position_of(from.source().begin);
  if (const auto* table = from.as_table()) {
    fill_table(to, *table, source);
    return to;
  }
  if (const auto* array = from.as_array()) {
    to.kind = Node::Kind::array;
    for (const auto& element : *array) to.elements.push_back(converted(element, source));
    return to;
  }
  if (const auto* text = from.as_string()) {
    to.kind = Node::Kind::text;
    to.text = text->get();
    return to;
  }
  to.text = source.cut(from.source());
  if (const auto* integer = from.as_integer()) {
    to.kind = Node::Kind::integer;
    to.integer = integer->get();
  } else if (const auto* flag = from.as_boolean()) {
    to.kind = Node::Kind::flag;
    to.flag = flag->get();
  } else {
    to.kind = from.is_floating_point() ? Node::Kind::decimal : Node::Kind::date_time;
  }
  return to;
}

}  // namespace

const Entry* Node::find(std::string_view key) const noexcept {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

Result<Node, SyntaxError> parse_toml(std::string_view text) {
  const auto parsed = toml::parse(text);
  if (!parsed) {
    const auto& error = parsed.error();
    return SyntaxError{.position = position_of(error.source().begin),
                       .message = std::string(error.description())};
  }
  return converted(parsed.table(), SourceText(text));
}

}  // namespace payg::config
