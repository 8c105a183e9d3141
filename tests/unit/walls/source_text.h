#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace payg::walls {

/// One file of the tree; the path is relative to its root.
struct SourceFile {
  std::string path;
  std::string text;
};

struct Literal {
  int line = 0;
  std::string text;  ///< as written, without the quotes
};

struct Include {
  enum class Form { quoted, angled };
  int line = 0;
  Form form = Form::quoted;
  std::string target;
};

/// C++ text taken apart, well enough to check walls: comments are gone, what is quoted stands by itself.
struct SourceText {
  std::string code;  ///< comments, and what stands between quotes, are blanks; the lines are kept
  std::vector<Literal> literals;
  std::vector<Include> includes;
};

SourceText take_apart(std::string_view text);

}  // namespace payg::walls
