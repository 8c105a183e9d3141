#include "billing/core/user_name.h"

#include <algorithm>
#include <optional>

#include "plugin/base/text.h"

namespace payg::billing {
namespace {

constexpr bool is_letter(char c) {
  return c >= 'a' && c <= 'z';
}
constexpr bool is_value_character(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}
constexpr bool is_user_character(char c) {
  return is_value_character(c) || c == '.';
}

/// Takes what stands before the next hyphen off the front.
std::string_view take_part(std::string_view& text) {
  const std::size_t hyphen = text.find('-');
  const std::string_view part = text.substr(0, hyphen);
  text = hyphen == std::string_view::npos ? std::string_view{} : text.substr(hyphen + 1);
  return part;
}

std::optional<UserNameError> check_user(std::string_view user) noexcept {
  if (user.empty()) return UserNameError::no_user;
  if (user.size() > UserName::max_user_length) return UserNameError::user_too_long;
  if (!std::all_of(user.begin(), user.end(), is_user_character)) return UserNameError::bad_user;
  return std::nullopt;
}

std::string* field_of(UserName& name, std::string_view key) {
  if (key == "country") return &name.country;
  if (key == "state") return &name.state;
  if (key == "city") return &name.city;
  if (key == "isp") return &name.isp;
  if (key == "session") return &name.label;
  return nullptr;
}

std::optional<UserNameError> set_field(UserName& name, std::string_view key, std::string_view value) {
  std::string* field = field_of(name, key);
  if (!field) return UserNameError::unknown_key;
  if (const auto error = check_value(key, value)) return error;
  if (!field->empty()) return UserNameError::repeated_key;
  *field = value;
  return std::nullopt;
}

}  // namespace

std::string_view describe(UserNameError error) noexcept {
  switch (error) {
    case UserNameError::no_user: return "the user name is empty";
    case UserNameError::bad_user: return "the user name may have letters, digits, '_' and '.' only";
    case UserNameError::user_too_long: return "the user name is longer than 64 characters";
    case UserNameError::unknown_key:
      return "the keys behind a user name are country, state, city, isp and session";
    case UserNameError::repeated_key: return "a key stands behind the user name twice";
    case UserNameError::no_value: return "a key behind the user name has no value";
    case UserNameError::bad_value:
      return "a value behind the user name may have letters, digits and '_' only";
    case UserNameError::value_too_long: return "a value behind the user name is longer than 64 characters";
    case UserNameError::bad_country: return "a country is two letters";
  }
  return "the user name is malformed";
}

std::optional<UserNameError> check_value(std::string_view key, std::string_view value) noexcept {
  if (value.empty()) return UserNameError::no_value;
  if (value.size() > UserName::max_value_length) return UserNameError::value_too_long;
  if (!std::all_of(value.begin(), value.end(), is_value_character)) return UserNameError::bad_value;
  if (key != "country") return std::nullopt;
  const bool two_letters = value.size() == 2 && std::all_of(value.begin(), value.end(), is_letter);
  return two_letters ? std::nullopt : std::optional(UserNameError::bad_country);
}

Result<UserName, UserNameError> parse_user_name(std::string_view text) {
  const std::string lower = ascii_lower(text);
  std::string_view rest = lower;
  UserName name;
  const std::string_view user = take_part(rest);
  if (const auto error = check_user(user)) return *error;
  name.user = user;

  // A hyphen at the very end leaves an empty key behind it, which is no key.
  if (rest.empty() && user.size() != lower.size()) return UserNameError::unknown_key;
  while (!rest.empty()) {
    const std::string_view key = take_part(rest);
    const bool value_follows = !rest.empty();
    const std::string_view value = take_part(rest);
    if (const auto error = set_field(name, key, value)) return *error;
    const bool hyphen_at_end = value_follows && rest.empty() && lower.back() == '-';
    if (hyphen_at_end) return UserNameError::unknown_key;
  }
  return name;
}

std::optional<std::string> user_of(std::string_view text) {
  const std::string lower = ascii_lower(text);
  std::string_view rest = lower;
  const std::string_view user = take_part(rest);
  if (check_user(user)) return std::nullopt;
  return std::string(user);
}

bool is_user(std::string_view name) noexcept {
  return !check_user(name);
}

}  // namespace payg::billing
