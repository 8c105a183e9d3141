#include "tests/unit/walls/walls.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <initializer_list>
#include <string_view>

namespace payg::walls {
namespace {

using Words = std::initializer_list<std::string_view>;

constexpr int most_lines = 500;

/// Files that may be longer, each with its reason. Best left empty.
constexpr std::array<std::string_view, 0> longer_files{};

class Checker {
 public:
  explicit Checker(const SourceFile& file) : file_(file), source_(take_apart(file.text)) {}

  Breaches check() && {
    check_length();
    if (is_cpp()) check_cpp();
    if (is_sql()) check_sql_file();
    return std::move(breaches_);
  }

 private:
  bool ends_with(std::string_view ending) const { return file_.path.ends_with(ending); }
  bool under(std::string_view folder) const { return file_.path.starts_with(folder); }
  bool under_any(Words folders) const {
    return std::any_of(folders.begin(), folders.end(), [this](auto folder) { return under(folder); });
  }
  bool is_cpp() const { return ends_with(".cc") || ends_with(".h"); }
  bool is_sql() const { return ends_with(".sql"); }
  bool is_product() const { return under_any({"plugin/", "proxy/", "billing/", "config/"}); }

  void breach(int line, const std::string& what) {
    breaches_.push_back(file_.path + ":" + std::to_string(line) + ": " + what);
  }

  void check_length();
  void check_cpp();
  void check_sql_file();

  void check_folders();
  void check_library_headers();
  void check_core();
  void check_clocks();
  void check_sql();
  void check_money();

  void refuse_includes(Words prefixes, const std::string& why);
  void refuse_words(Words words, const std::string& why);
  void refuse_headers(Words prefixes, Words allowed_in);

  const SourceFile& file_;
  SourceText source_;
  Breaches breaches_;
};

// ---- looking for things

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

int line_of(std::string_view text, std::size_t at) {
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

/// Every place where `word` stands by itself, or ends in something that is no part of a word ("time(").
std::vector<std::size_t> find_word(std::string_view text, std::string_view word) {
  std::vector<std::size_t> found;
  for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
    const auto end = at + word.size();
    const bool begins = at == 0 || !is_word(text[at - 1]);
    const bool ends = !is_word(word.back()) || end == text.size() || !is_word(text[end]);
    if (begins && ends) found.push_back(at);
  }
  return found;
}

bool has_word(std::string_view text, std::string_view word) {
  return !find_word(text, word).empty();
}

/// True for a string that a database would take as a statement; prose that holds one of the words is none.
bool looks_like_sql(std::string_view literal) {
  const std::string text = lower(literal);
  const auto begin = text.find_first_not_of(" \t\r\n\\");
  if (begin == text.npos) return false;
  const std::string_view statement = std::string_view(text).substr(begin);
  for (const auto* start : {"insert into", "insert or", "delete from", "create table", "create index",
                            "create unique", "create view", "drop table", "drop view", "alter table",
                            "begin immediate", "begin;", "commit;", "rollback;", "pragma "}) {
    if (statement.starts_with(start)) return true;
  }
  if (statement == "begin" || statement == "commit" || statement == "rollback") return true;
  if (statement.starts_with("update ")) return has_word(statement, "set");
  return statement.starts_with("select ") && has_word(statement, "from");
}

// ---- the walls

void Checker::refuse_includes(Words prefixes, const std::string& why) {
  for (const Include& include : source_.includes) {
    for (const auto prefix : prefixes) {
      if (include.target.starts_with(prefix)) breach(include.line, "includes " + include.target + ": " + why);
    }
  }
}

void Checker::refuse_words(Words words, const std::string& why) {
  for (const auto word : words) {
    for (const auto at : find_word(source_.code, word))
      breach(line_of(source_.code, at), std::string(word) + ": " + why);
  }
}

void Checker::refuse_headers(Words prefixes, Words allowed_in) {
  if (under_any(allowed_in)) return;
  refuse_includes(prefixes, "its place is " + std::string(*allowed_in.begin()));
}

void Checker::check_length() {
  if (!is_cpp() && !is_sql() && !under("scripts/") && !ends_with(".sh") && !ends_with(".py")) return;
  const auto lines = std::count(file_.text.begin(), file_.text.end(), '\n');
  const bool listed = std::find(longer_files.begin(), longer_files.end(), file_.path) != longer_files.end();
  if (lines > most_lines && !listed)
    breach(static_cast<int>(lines), "more than " + std::to_string(most_lines) + " lines");
}

void Checker::check_cpp() {
  if (!is_product()) return;
  check_folders();
  check_library_headers();
  if (under("billing/core/")) check_core();
  check_clocks();
  check_sql();
  check_money();
  if (under_any({"proxy/", "plugin/"})) {
    for (const Include& include : source_.includes) {
      if (include.target.starts_with("event2/bufferevent"))
        breach(include.line, "bufferevents copy in 4 KB reads: raw sockets only");
    }
    if (source_.code.find("bufferevent_") != std::string::npos)
      breach(line_of(source_.code, source_.code.find("bufferevent_")),
             "bufferevents copy in 4 KB reads: raw sockets only");
  }
}

void Checker::check_folders() {
  if (under("proxy/")) refuse_includes({"billing/", "config/billing_config.h"}, "the proxy knows no billing");
  if (under("billing/")) refuse_includes({"proxy/", "config/proxy_config.h"}, "billing knows no proxy");
  if (under("plugin/")) refuse_includes({"proxy/", "billing/", "config/"}, "the contract stands by itself");
  if (under("config/"))
    refuse_includes({"proxy/", "billing/ledger/", "billing/admin/"}, "config is plain data");
  if (under("config/proxy_config") || under("config/toml_"))
    refuse_includes({"billing/", "config/billing_config.h"}, "the proxy knows no billing");
  refuse_includes({"tests/"}, "the product does not stand on its tests");
}

void Checker::check_library_headers() {
  refuse_headers({"libpq", "sqlite3", "postgresql/"}, {"billing/ledger/"});
  refuse_headers({"curl/"}, {"billing/payments/"});
  refuse_headers({"event2/http"}, {"billing/admin/"});
  refuse_headers({"toml++/"}, {"config/toml_document.cc", "plugin/examples/"});
}

void Checker::check_core() {
  for (const Include& include : source_.includes) {
    const std::string& target = include.target;
    if (include.form == Include::Form::quoted) {
      if (!target.starts_with("billing/core/") && !target.starts_with("plugin/base/"))
        breach(include.line, "includes " + target + ": billing/core includes itself and plugin/base only");
      for (const auto* shell : {"plugin/base/event.h", "plugin/base/unique_fd.h", "plugin/base/address.h"})
        if (target == shell) breach(include.line, "includes " + target + ": billing/core knows no sockets");
      continue;
    }
    constexpr std::array<std::string_view, 9> outside{
        "iostream", "fstream", "ostream", "istream", "cstdio", "thread", "print", "filesystem", "ctime"};
    const bool is_posix = target.find_first_of("./") != target.npos;
    if (is_posix || std::find(outside.begin(), outside.end(), target) != outside.end())
      breach(include.line, "includes " + target + ": billing/core does no I/O");
  }
}

void Checker::check_clocks() {
  if (file_.path == "plugin/base/clock.h") return;
  refuse_words({"system_clock::now", "steady_clock::now", "high_resolution_clock::now", "gettimeofday",
                "evutil_gettimeofday", "clock_gettime", "time(nullptr", "time(NULL", "time(0", "time(&"},
               "time comes from a Clock that is passed in");
}

void Checker::check_sql() {
  if (under("billing/ledger/")) return;
  for (const Literal& literal : source_.literals) {
    if (looks_like_sql(literal.text)) breach(literal.line, "SQL: its place is billing/ledger/");
  }
}

void Checker::check_money() {
  if (under_any({"billing/core/", "billing/ledger/"}))
    refuse_words({"float", "double"}, "money is never a float");
  if (!under("proxy/")) return;
  const Words money{"credit", "credits", "ledger", "currency", "money", "Credits", "Ledger"};
  refuse_words(money, "the proxy knows no money");
  for (const Literal& literal : source_.literals) {
    for (const auto word : money)
      if (has_word(literal.text, word))
        breach(literal.line, std::string(word) + ": the proxy knows no money");
  }
}

void Checker::check_sql_file() {
  if (!under("billing/ledger/") && !under("tests/")) breach(1, "SQL: its place is billing/ledger/");
  const std::string text = lower(file_.text);
  for (const auto* type : {"real", "float", "double precision", "money"}) {
    for (const auto at : find_word(text, type)) {
      const auto line_start = text.rfind('\n', at) + 1;
      if (text.substr(line_start, at - line_start).find("--") != std::string::npos) continue;
      breach(line_of(text, at), std::string(type) + ": amounts are BIGINT units");
    }
  }
}

}  // namespace

Breaches breaches_of(const SourceFile& file) {
  return Checker(file).check();
}

Breaches missing_readmes(const std::vector<SourceFile>& tree) {
  Breaches missing;
  for (const auto* folder : {"plugin", "proxy", "billing", "config", "tests", "scripts"}) {
    const std::string readme = std::string(folder) + "/README.md";
    const bool there =
        std::any_of(tree.begin(), tree.end(), [&readme](const auto& file) { return file.path == readme; });
    if (!there) missing.push_back(readme + ": missing");
  }
  return missing;
}

}  // namespace payg::walls
