// What is written with somebody's text in it: JSON, CSV; and how it is chosen between them.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "billing/admin/csv.h"
#include "billing/admin/json_text.h"
#include "tests/fuzz/lines.h"
#include "tests/fuzz/plain_http.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

/// One record of RFC 4180, as a spreadsheet reads it.
std::vector<std::string> read_record(std::string_view text) {
  must(text.ends_with("\r\n"), "a record ends its line");
  text.remove_suffix(2);
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '"' && text.substr(i + 1, 1) == "\"") {
      fields.back() += text[++i];
    } else if (c == '"') {
      must(quoted || fields.back().empty(), "a quotation begins with its field");
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      must(quoted || (c != '\r' && c != '\n'), "no record has two lines");
      fields.back() += c;
    }
  }
  must(!quoted, "a quotation ends");
  return fields;
}

void csv_is_read_back(std::string_view input) {
  std::vector<std::string> fields(1);
  for (const char c : input) {
    if (c == '|') {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  billing::CsvWriter csv;
  csv.row(fields);
  must(read_record(std::move(csv).take()) == fields, "a record that is written is read again");
}

void json_is_read_back(std::string_view input) {
  billing::JsonWriter writer;
  writer.begin_object().text(input, input).begin_array("list").text(input).text(input).end_array();
  writer.begin_object("object").null("null").end_object().end_object();
  const std::string text = std::move(writer).take();
  const auto document = nlohmann::json::parse(text, nullptr, false);
  must(document.is_object(), "whatever is written is JSON");
  const auto& list = document.at("list");
  if (document.size() < 3) return;  // the text was one of the other names
  const auto& value = list.at(0).get_ref<const std::string&>();
  must(list.size() == 2 && list.at(1) == value && document.at(value) == value, "each text is there");
  // What holds no replacement was valid before.
  if (value.find("\xef\xbf\xbd") == value.npos) must(value == input, "a text that is written is read again");
}

}  // namespace

void written_text(std::string_view input) {
  csv_is_read_back(input);
  json_is_read_back(input);
  const std::string accept(take_line(input));
  must(billing::prefers_csv(accept) == billing::prefers_csv(plain_lower(accept)), "media types have no case");
  must(!billing::prefers_csv(accept) || plain_lower(accept).find("text/csv") != accept.npos,
       "CSV is for those who ask for it");
}

}  // namespace payg::fuzz
