#include "billing/admin/url_text.h"

#include <algorithm>
#include <cstddef>

namespace payg::billing {
namespace {

constexpr const char* replacement_character = "\xef\xbf\xbd";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// How many bytes of UTF-8 (RFC 3629 §4) stand at the beginning of `text` for one character that is no
// control character; 0: none do.
std::size_t character_at(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto in = [](unsigned value, unsigned low, unsigned high) { return value >= low && value <= high; };
  const unsigned first = byte(0);
  if (in(first, 0x20, 0x7e)) return 1;
  if (in(first, 0xc2, 0xdf)) return in(byte(1), first == 0xc2 ? 0xa0 : 0x80, 0xbf) ? 2 : 0;
  const bool follow = in(byte(2), 0x80, 0xbf);
  if (in(first, 0xe0, 0xef)) {
    const unsigned low = first == 0xe0 ? 0xa0 : 0x80, high = first == 0xed ? 0x9f : 0xbf;
    return in(byte(1), low, high) && follow ? 3 : 0;
  }
  const unsigned low = first == 0xf0 ? 0x90 : 0x80, high = first == 0xf4 ? 0x8f : 0xbf;
  return in(first, 0xf0, 0xf4) && in(byte(1), low, high) && follow && in(byte(3), 0x80, 0xbf) ? 4 : 0;
}

bool is_text(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = character_at(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string decode_form_text(std::string_view part) {
  std::string text(part);
  std::replace(text.begin(), text.end(), '+', ' ');
  return decode_segment(text).value_or(replacement_character);
}

}  // namespace

std::optional<std::string> decode_segment(std::string_view segment) {
  std::string out;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] != '%') {
      out += segment[i];
      continue;
    }
    if (i + 2 >= segment.size()) return std::nullopt;
    const int high = hex_value(segment[i + 1]), low = hex_value(segment[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return is_text(out) ? std::optional(out) : std::nullopt;
}

Query decode_query(std::string_view query) {
  Query out;
  while (!query.empty()) {
    const auto end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    const auto equals = pair.find('=');
    const std::string_view value = equals == std::string_view::npos ? "" : pair.substr(equals + 1);
    if (!pair.empty()) out.try_emplace(decode_form_text(pair.substr(0, equals)), decode_form_text(value));
  }
  return out;
}

}  // namespace payg::billing
