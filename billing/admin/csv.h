#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace payg::billing {

/// Writes CSV as RFC 4180 has it: CRLF, fields quoted where they must be.
class CsvWriter {
 public:
  void row(const std::vector<std::string>& fields);
  std::string take() && { return std::move(out_); }

 private:
  std::string out_;
};

/// Whether an Accept field (RFC 9110 §12.5.1) asks for text/csv by name, and for JSON no more than for it.
/// */* alone gets JSON.
bool prefers_csv(std::string_view accept);

}  // namespace payg::billing
