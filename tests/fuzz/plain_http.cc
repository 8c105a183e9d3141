#include "tests/fuzz/plain_http.h"

#include <cctype>

namespace payg::fuzz {
namespace {

constexpr std::uint64_t most_bytes = INT64_MAX;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::string trimmed(std::string text) {
  while (!text.empty() && is_blank(text.back())) text.pop_back();
  while (!text.empty() && is_blank(text.front())) text.erase(text.begin());
  return text;
}

bool has_control(std::string_view text) {
  for (const char c : text)
    if ((c >= 0 && c < ' ' && c != '\t') || c == 0x7f) return true;
  return false;
}

std::optional<PlainField> read_field(const std::string& line) {
  const auto colon = line.find(':');
  if (colon == line.npos) return std::nullopt;
  PlainField field{.name = line.substr(0, colon), .key = {}, .value = trimmed(line.substr(colon + 1))};
  if (!is_plain_token(field.name) || has_control(field.value)) return std::nullopt;
  field.key = plain_lower(field.name);
  return field;
}

/// Takes a line off the front; nullopt: there is no CR LF, or a CR, LF or NUL before it.
std::optional<std::string> take_line(std::string_view& text) {
  const auto end = text.find("\r\n");
  if (end == text.npos) return std::nullopt;
  std::string line(text.substr(0, end));
  text.remove_prefix(end + 2);
  for (const char c : line)
    if (c == '\r' || c == '\n' || c == '\0') return std::nullopt;
  return line;
}

/// nullopt: not 1 to 16 hexadecimal digits, or above 2^63 - 1.
std::optional<std::uint64_t> read_hex(std::string_view digits) {
  if (digits.empty() || digits.size() > 16) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (!std::isxdigit(static_cast<unsigned char>(c))) return std::nullopt;
    const int lower = std::tolower(static_cast<unsigned char>(c));
    value = value * 16 + static_cast<std::uint64_t>(lower <= '9' ? lower - '0' : lower - 'a' + 10);
  }
  if (value > most_bytes) return std::nullopt;
  return value;
}

/// "5", "5;name=value", "5 ;name": the size.
std::optional<std::uint64_t> read_size_line(const std::string& line) {
  const auto end = line.find_first_of("; \t");
  if (end != line.npos) {
    const std::string rest = line.substr(end);
    if (trimmed(rest).substr(0, 1) != ";" || has_control(rest)) return std::nullopt;
  }
  return read_hex(std::string_view(line).substr(0, end));
}

std::optional<PlainBody> read_chunks(std::string_view text) {
  const std::size_t all = text.size();
  PlainBody body;
  for (;;) {
    const auto line = take_line(text);
    const auto size = line ? read_size_line(*line) : std::nullopt;
    if (!size) return std::nullopt;
    if (*size == 0) break;
    if (*size > text.size() || text.substr(*size, 2) != "\r\n") return std::nullopt;
    body.content += text.substr(0, *size);
    text.remove_prefix(*size + 2);
  }
  for (;;) {
    const auto line = take_line(text);
    if (!line || (!line->empty() && !read_field(*line))) return std::nullopt;
    if (line->empty()) break;
  }
  body.bytes = all - text.size();
  return body;
}

}  // namespace

std::size_t PlainHead::count(std::string_view key) const {
  std::size_t found = 0;
  for (const PlainField& field : fields) found += field.key == key ? 1 : 0;
  return found;
}

std::string PlainHead::value_of(std::string_view key) const {
  for (const PlainField& field : fields)
    if (field.key == key) return field.value;
  return {};
}

std::optional<PlainHead> read_plain_head(std::string_view text) {
  const std::size_t all = text.size();
  PlainHead head;
  const auto start = take_line(text);
  if (!start || start->empty()) return std::nullopt;
  head.start_line = *start;
  for (;;) {
    const auto line = take_line(text);
    if (!line) return std::nullopt;
    if (line->empty()) break;
    auto field = read_field(*line);
    if (!field) return std::nullopt;
    head.fields.push_back(std::move(*field));
  }
  head.bytes = all - text.size();
  return head;
}

std::optional<PlainBody> read_plain_body(std::string_view text, PlainFraming framing, std::uint64_t length) {
  switch (framing) {
    case PlainFraming::none: return PlainBody{};
    case PlainFraming::length:
      if (length > text.size()) return std::nullopt;
      return PlainBody{.content = std::string(text.substr(0, length)),
                       .bytes = static_cast<std::size_t>(length)};
    case PlainFraming::chunked: return read_chunks(text);
    case PlainFraming::until_close: return PlainBody{.content = std::string(text), .bytes = text.size()};
  }
  return std::nullopt;
}

std::optional<PlainExtent> plain_extent_of(const PlainHead& head) {
  const std::size_t lengths = head.count("content-length");
  const std::size_t codings = head.count("transfer-encoding");
  if (lengths + codings > 1) return std::nullopt;
  if (codings == 1) {
    if (plain_lower(head.value_of("transfer-encoding")) != "chunked") return std::nullopt;
    return PlainExtent{.framing = PlainFraming::chunked};
  }
  if (lengths == 0) return PlainExtent{};
  const std::string digits = head.value_of("content-length");
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (most_bytes - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  if (digits.empty()) return std::nullopt;
  return PlainExtent{.framing = PlainFraming::length, .length = value};
}

std::string plain_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

std::vector<std::string> plain_list(std::string_view text) {
  std::vector<std::string> elements(1);
  for (const char c : plain_lower(text)) {
    if (c == ',') {
      elements.emplace_back();
    } else {
      elements.back() += c;
    }
  }
  std::vector<std::string> kept;
  for (const std::string& element : elements)
    if (!trimmed(element).empty()) kept.push_back(trimmed(element));
  return kept;
}

bool is_plain_token(std::string_view text) {
  for (const char c : text)
    if (!is_alphanumeric(c) && std::string_view("!#$%&'*+-.^_`|~").find(c) == std::string_view::npos)
      return false;
  return !text.empty();
}

}  // namespace payg::fuzz
