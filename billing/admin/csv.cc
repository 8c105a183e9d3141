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

constexpr int full_weight = 1000;

// A qvalue of RFC 9110 §12.4.2 in thousandths; a malformed one counts as 1, as if it were not there.
int read_weight(std::string_view value) {
  constexpr std::size_t longest = std::string_view("0.000").size();
  if (value.empty() || value.size() > longest || value.front() != '0') return full_weight;
  if (value.size() > 1 && value[1] != '.') return full_weight;
  int weight = 0, scale = full_weight / 10;
  for (const char digit : value.substr(std::min<std::size_t>(2, value.size()))) {
    if (digit < '0' || digit > '9') return full_weight;
    weight += (digit - '0') * scale;
    scale /= 10;
  }
  return weight;
}

int weight_of(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = next_part(parameters, ';');
    if (equal_ignoring_case(parameter.substr(0, 2), "q=")) return read_weight(parameter.substr(2));
  }
  return full_weight;
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
