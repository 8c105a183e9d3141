#include "tests/unit/walls/source_text.h"

#include <cctype>
#include <cstddef>
#include <utility>

namespace payg::walls {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  SourceText scan() && {
    while (at_ < text_.size()) step();
    return std::move(out_);
  }

 private:
  void step() {
    if (starts_with("//")) return skip_until("\n");
    if (starts_with("/*")) return skip_block_comment();
    if (at_line_start_ && text_[at_] == '#' && include()) return;
    if (text_[at_] == '"') return string();
    if (text_[at_] == '\'' && !after_word()) return character();
    take(1);
  }

  bool starts_with(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  /// A quote behind a letter or digit separates digits: 10'000.
  bool after_word() const { return at_ > 0 && is_word(text_[at_ - 1]); }

  void take(std::size_t count) {
    for (; count > 0 && at_ < text_.size(); --count, ++at_) put(text_[at_]);
  }

  void blank_until(std::size_t end) {
    for (; at_ < end && at_ < text_.size(); ++at_) put(text_[at_] == '\n' ? '\n' : ' ');
  }

  void put(char c) {
    out_.code += c;
    if (c == '\n') {
      ++line_;
      at_line_start_ = true;
    } else if (c != ' ' && c != '\t') {
      at_line_start_ = false;
    }
  }

  void skip_until(std::string_view end) {
    const auto found = text_.find(end, at_);
    blank_until(found == text_.npos ? text_.size() : found);
  }

  void skip_block_comment() {
    const auto found = text_.find("*/", at_ + 2);
    blank_until(found == text_.npos ? text_.size() : found + 2);
  }

  bool include() {
    const auto end = text_.find('\n', at_);
    const auto line = text_.substr(at_, end - at_);
    if (line.find("include") == line.npos) return false;
    const auto open = line.find_first_of("\"<");
    if (open == line.npos) return false;
    const bool angled = line[open] == '<';
    const auto close = line.find(angled ? '>' : '"', open + 1);
    if (close == line.npos) return false;
    out_.includes.push_back({.line = line_,
                             .form = angled ? Include::Form::angled : Include::Form::quoted,
                             .target = std::string(line.substr(open + 1, close - open - 1))});
    blank_until(at_ + line.size());
    return true;
  }

  void string() {
    if (at_ > 0 && text_[at_ - 1] == 'R') return raw_string();
    const int line = line_;
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != '"' && text_[end] != '\n') end += text_[end] == '\\' ? 2u : 1u;
    literal(line, at_ + 1, end, end + 1);
  }

  void raw_string() {
    const int line = line_;
    const auto open = text_.find('(', at_);
    if (open == text_.npos) return take(1);
    const std::string close = ")" + std::string(text_.substr(at_ + 1, open - at_ - 1)) + "\"";
    const auto end = text_.find(close, open);
    if (end == text_.npos) return take(1);
    literal(line, open + 1, end, end + close.size());
  }

  void literal(int line, std::size_t begin, std::size_t end, std::size_t behind) {
    out_.literals.push_back({.line = line, .text = std::string(text_.substr(begin, end - begin))});
    at_line_start_ = false;
    blank_until(behind);
  }

  void character() {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != '\'' && text_[end] != '\n')
      end += text_[end] == '\\' ? 2u : 1u;
    blank_until(end + 1);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool at_line_start_ = true;
  SourceText out_;
};

}  // namespace

SourceText take_apart(std::string_view text) {
  return Scanner(text).scan();
}

}  // namespace payg::walls
