#include "proxy/http/fields.h"

#include <algorithm>

#include "plugin/base/text.h"

namespace payg::http {
namespace {

constexpr auto token_chars = [] {
  std::array<bool, 256> table{};
  for (unsigned char c = '0'; c <= '9'; ++c) table[c] = true;
  for (unsigned char c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (unsigned char c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

constexpr auto value_chars = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 256; ++c) table[c] = c == '\t' || (c >= ' ' && c != 0x7f);
  return table;
}();

/// The name that `name` could be, going by its length and at most one letter: one comparison decides.
struct Candidate {
  std::string_view text;
  FieldName id;
};

Candidate candidate(std::string_view name) noexcept {
  switch (name.size()) {
    case 2: return {"te", FieldName::te};
    case 3: return {"via", FieldName::via};
    case 4: return {"host", FieldName::host};
    case 6:
      return ascii_lower(name[0]) == 'a' ? Candidate{"accept", FieldName::accept}
                                         : Candidate{"expect", FieldName::expect};
    case 7:
      return ascii_lower(name[0]) == 't' ? Candidate{"trailer", FieldName::trailer}
                                         : Candidate{"upgrade", FieldName::upgrade};
    case 10:
      return ascii_lower(name[0]) == 'c' ? Candidate{"connection", FieldName::connection}
                                         : Candidate{"keep-alive", FieldName::keep_alive};
    case 12: return {"max-forwards", FieldName::max_forwards};
    case 14: return {"content-length", FieldName::content_length};
    case 16: return {"proxy-connection", FieldName::proxy_connection};
    case 17: return {"transfer-encoding", FieldName::transfer_encoding};
    case 18: return {"proxy-authenticate", FieldName::proxy_authenticate};
    case 19: return {"proxy-authorization", FieldName::proxy_authorization};
    case 25: return {"proxy-authentication-info", FieldName::proxy_authentication_info};
    default: return {{}, FieldName::other};
  }
}

}  // namespace

FieldName classify_field_name(std::string_view name) noexcept {
  const Candidate only = candidate(name);
  if (only.id == FieldName::other || !equal_ignoring_case(name, only.text)) return FieldName::other;
  return only.id;
}

std::size_t Fields::count(FieldName id) const noexcept {
  return static_cast<std::size_t>(
      std::count_if(begin(), end(), [id](const Field& field) { return field.id == id; }));
}

std::string_view Fields::first(FieldName id) const noexcept {
  const auto found = std::find_if(begin(), end(), [id](const Field& field) { return field.id == id; });
  return found == end() ? std::string_view() : found->value;
}

bool ConnectionOptions::read(const Fields& fields) noexcept {
  close = keep_alive = upgrade = false;
  count_ = 0;
  for (const Field& field : fields) {
    if (field.id != FieldName::connection) continue;
    std::string_view list = field.value;
    std::string_view option;
    while (next_list_element(list, option)) {
      if (!add(option)) return false;
    }
  }
  return true;
}

bool ConnectionOptions::add(std::string_view option) noexcept {
  const FieldName id = classify_field_name(option);
  if (id == FieldName::upgrade) upgrade = true;
  if (id == FieldName::keep_alive) keep_alive = true;
  if (id != FieldName::other && id != FieldName::accept) return true;
  if (equal_ignoring_case(option, "close")) {
    close = true;
    return true;
  }
  if (count_ == max_listed) return false;
  listed_[count_++] = option;
  return true;
}

bool ConnectionOptions::lists(std::string_view name) const noexcept {
  return std::any_of(listed_.begin(), listed_.begin() + static_cast<std::ptrdiff_t>(count_),
                     [name](std::string_view option) { return equal_ignoring_case(option, name); });
}

bool next_list_element(std::string_view& list, std::string_view& element) noexcept {
  while (!list.empty()) {
    const auto comma = list.find(',');
    element = trim_ows(list.substr(0, comma));
    list = comma == list.npos ? std::string_view() : list.substr(comma + 1);
    if (!element.empty()) return true;
  }
  return false;
}

bool is_token_char(char c) noexcept {
  return token_chars[static_cast<unsigned char>(c)];
}

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

bool is_field_value(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return value_chars[static_cast<unsigned char>(c)]; });
}

}  // namespace payg::http
