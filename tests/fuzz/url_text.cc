#include "billing/admin/url_text.h"

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "billing/admin/body.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

std::optional<std::string> without_escapes(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const std::string digits(text.substr(i + 1, 2));
    if (digits.size() != 2 || !std::isxdigit(static_cast<unsigned char>(digits[0])) ||
        !std::isxdigit(static_cast<unsigned char>(digits[1])))
      return std::nullopt;
    out += static_cast<char>(std::strtol(digits.c_str(), nullptr, 16));
    i += 2;
  }
  return out;
}

/// How many bytes follow the first one of a character; -1: none begins with it.
int followers(unsigned char first) {
  if (first < 0x80) return 0;
  if (first >> 5 == 0b110) return 1;
  if (first >> 4 == 0b1110) return 2;
  return first >> 3 == 0b11110 ? 3 : -1;
}

/// By decoding it: UTF-8 in its shortest form, no surrogates, nothing above U+10FFFF, no control characters.
bool is_plain_text(std::string_view text) {
  constexpr std::uint32_t shortest[] = {0, 0x80, 0x800, 0x10000};
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i++]);
    const int count = followers(first);
    if (count < 0 || text.size() - i < static_cast<std::size_t>(count)) return false;
    std::uint32_t character = count == 0 ? first : first & (0x3fu >> count);
    for (int k = 0; k < count; ++k, ++i) {
      const auto next = static_cast<unsigned char>(text[i]);
      if (next >> 6 != 0b10) return false;
      character = character << 6 | (next & 0x3fu);
    }
    if (character < shortest[count] || character > 0x10ffff) return false;
    if (character >= 0xd800 && character <= 0xdfff) return false;
    if (character < 0x20 || (character >= 0x7f && character <= 0x9f)) return false;
  }
  return true;
}

std::optional<std::string> expected_text(std::string_view text) {
  auto out = without_escapes(text);
  return out && is_plain_text(*out) ? out : std::nullopt;
}

std::string escaped(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', digits[byte >> 4], digits[byte & 15]};
  }
  return out;
}

std::string expected_form_text(std::string part) {
  for (char& c : part)
    if (c == '+') c = ' ';
  return expected_text(part).value_or("\xef\xbf\xbd");
}

billing::Query expected_query(std::string_view query) {
  billing::Query out;
  std::string all(query);
  all += '&';
  std::string pair;
  for (const char c : all) {
    if (c != '&') {
      pair += c;
      continue;
    }
    const auto equals = pair.find('=');
    const std::string value = equals == pair.npos ? "" : pair.substr(equals + 1);
    if (!pair.empty()) out.emplace(expected_form_text(pair.substr(0, equals)), expected_form_text(value));
    pair.clear();
  }
  return out;
}

void numbers_stand_in_their_bounds(const billing::Query& query) {
  constexpr std::int64_t lowest = 1, highest = 500;
  billing::Request request;
  request.query = query;
  for (const auto& [name, value] : query) {
    const auto number = billing::whole_number(request, name, lowest, highest);
    bool wanted = !value.empty() && value.find_first_not_of("0123456789") == value.npos;
    const auto significant = std::min(value.find_first_not_of('0'), value.size());
    wanted = wanted && value.size() - significant <= 3;
    const std::int64_t plain = wanted ? std::strtoll(value.c_str(), nullptr, 10) : 0;
    wanted = wanted && plain >= lowest && plain <= highest;
    must(number.ok() == wanted, "a number is digits within the bounds");
    if (number.ok()) must(*number == plain, "a number is what it says");
  }
}

}  // namespace

void url_text(std::string_view input) {
  const auto segment = billing::decode_segment(input);
  must(segment == expected_text(input), "a segment is its text, or none");
  if (segment) must(billing::decode_segment(escaped(*segment)) == segment, "text that is escaped comes back");
  const auto query = billing::decode_query(input);
  must(query == expected_query(input), "a query is its names and values, the first of each name");
  numbers_stand_in_their_bounds(query);
}

}  // namespace payg::fuzz
