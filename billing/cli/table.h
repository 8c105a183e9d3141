#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace payg::billing::cli {

/// Rows of text in aligned columns, for people. Columns are separated by two blanks; what names an amount is
/// put to the right.
class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::left;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// REQUIRES: one cell for each column.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  void print(std::ostream& out) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace payg::billing::cli
