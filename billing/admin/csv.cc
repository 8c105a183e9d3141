#include "billing/admin/csv.h"

#include <algorithm>

#include "plugin/base/text.h"

namespace payg::billing {
namespace {

// Cuts off and returns what stands before the separator.
std::string_view next_part(std::string_view& rest, char separator) {
  const auto end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return trim_ows(part);
}

// A weight of RFC 9110 §12.4.2 in thousandths; a malformed one counts as 1.
int weight_of(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view value = next_part(parameters, ';');
    if (!equal_ignoring_case(value.substr(0, 2), "q=")) continue;
    value.remove_prefix(2);
    if (value.empty() || value.front() != '0') return 1000;
    int weight = 0, scale = 100;
    for (char digit : value.substr(std::min<std::size_t>(2, value.size()))) {
      if (digit < '0' || digit > '9') break;
      weight += (digit - '0') * scale;
      scale /= 10;
    }
    return weight;
  }
  return 1000;
}

}  // namespace

void CsvWriter::row(const std::vector<std::string>& fields) {
  bool first = true;
  for (const std::string& field : fields) {
    if (!first) out_ += ',';
    first = false;
    if (field.find_first_of(",\"\r\n") == std::string::npos) {
      out_ += field;
      continue;
    }
    out_ += '"';
    for (char c : field) {
      if (c == '"') out_ += '"';
      out_ += c;
    }
    out_ += '"';
  }
  out_ += "\r\n";
}

bool prefers_csv(std::string_view accept) {
  int csv = 0, json = 0;
  while (!accept.empty()) {
    std::string_view parameters = next_part(accept, ',');
    const std::string_view type = next_part(parameters, ';');
    if (equal_ignoring_case(type, "text/csv")) csv = weight_of(parameters);
    if (equal_ignoring_case(type, "application/json")) json = weight_of(parameters);
  }
  return csv > 0 && csv >= json;
}

}  // namespace payg::billing
