#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace payg::test {

/// Reads a ledger's tables behind its back, to hold them against what people were told. Takes no lock,
/// whether a proxy runs on the ledger or not; a new connection for each read.
class LedgerRows {
 public:
  using Row = std::vector<std::string>;  ///< NULL is empty

  /// `url` as [billing] ledger has it.
  explicit LedgerRows(std::string url) : url_(std::move(url)) {}

  /// Throws HarnessError when the database refuses.
  std::vector<Row> select(const std::string& sql) const;
  /// The first field of the first row, a number.
  std::int64_t number(const std::string& sql) const;

 private:
  std::string url_;
};

}  // namespace payg::test
