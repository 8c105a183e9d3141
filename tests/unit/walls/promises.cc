#include "tests/unit/walls/promises.h"

#include <regex>
#include <set>
#include <sstream>

namespace payg::walls {
namespace {

/// "Suite.Name" of every test.
using Tests = std::set<std::string, std::less<>>;

void add_tests(const SourceFile& file, Tests& tests) {
  static const std::regex macro(R"(\bTEST(_F|_P)?\(\s*(\w+),\s*(\w+)\))");
  for (auto it = std::sregex_iterator(file.text.begin(), file.text.end(), macro);
       it != std::sregex_iterator(); ++it)
    if (!it->str(3).starts_with("DISABLED_")) tests.insert(it->str(2) + '.' + it->str(3));
}

bool has_test(const Tests& tests, std::string name) {
  constexpr std::string_view more = "…";
  if (name.ends_with(more)) {
    name.resize(name.size() - more.size());
  } else if (name.find('.') != name.npos) {
    return tests.contains(name);
  } else {
    name += '.';
  }
  const auto found = tests.lower_bound(name);
  return found != tests.end() && found->starts_with(name);
}

bool is_row(std::string_view line) {
  return line.starts_with('|') && line.ends_with('|') && line.size() > 1;
}

std::string last_cell(std::string_view row) {
  row.remove_suffix(1);
  return std::string(row.substr(row.rfind('|') + 1));
}

void check_cell(const std::string& cell, const std::string& place, const Tests& tests, Breaches& breaches) {
  static const std::regex quoted("`([^`]+)`");
  const std::sregex_iterator first(cell.begin(), cell.end(), quoted), end;
  if (first == end) breaches.push_back(place + "names no test");
  for (auto it = first; it != end; ++it)
    if (!has_test(tests, it->str(1))) breaches.push_back(place + "there is no test " + it->str(1));
}

void check_tables(const SourceFile& file, const Tests& tests, Promises& promises) {
  std::istringstream lines(file.text);
  bool is_promise = false;
  int number = 1;
  for (std::string line; std::getline(lines, line); ++number) {
    if (!is_row(line)) {
      is_promise = false;
    } else if (last_cell(line) == " test ") {
      is_promise = true;
    } else if (is_promise && !line.starts_with("|-")) {
      ++promises.rows;
      check_cell(last_cell(line), file.path + ':' + std::to_string(number) + ": ", tests, promises.untested);
    }
  }
}

}  // namespace

Promises check_promises(const std::vector<SourceFile>& tree) {
  Tests tests;
  for (const SourceFile& file : tree)
    if (file.path.starts_with("tests/") && file.path.ends_with(".cc")) add_tests(file, tests);
  Promises promises;
  for (const SourceFile& file : tree)
    if (file.path.ends_with(".md")) check_tables(file, tests, promises);
  return promises;
}

}  // namespace payg::walls
