#include "billing/core/user_name.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/fuzz/plain_http.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

using billing::UserName;

bool consists_of(std::string_view text, std::string_view characters) {
  return !text.empty() && text.size() <= 64 && text.find_first_not_of(characters) == text.npos;
}

constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view value_characters = "abcdefghijklmnopqrstuvwxyz0123456789_";
constexpr std::string_view user_characters = "abcdefghijklmnopqrstuvwxyz0123456789_.";

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == '-') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

/// The grammar of "Names on the wire", read off the page: USER, then pairs of key and value.
std::optional<UserName> expected(std::string_view text) {
  const auto parts = split(plain_lower(text));
  if (parts.size() % 2 == 0 || !consists_of(parts[0], user_characters)) return std::nullopt;
  std::map<std::string, std::string> values{
      {"country", ""}, {"state", ""}, {"city", ""}, {"isp", ""}, {"session", ""}};
  for (std::size_t i = 1; i < parts.size(); i += 2) {
    const auto slot = values.find(parts[i]);
    if (slot == values.end() || !slot->second.empty()) return std::nullopt;
    if (!consists_of(parts[i + 1], value_characters)) return std::nullopt;
    slot->second = parts[i + 1];
  }
  const std::string& country = values["country"];
  if (!country.empty() && (country.size() != 2 || !consists_of(country, letters))) return std::nullopt;
  return UserName{.user = parts[0],
                  .country = country,
                  .state = values["state"],
                  .city = values["city"],
                  .isp = values["isp"],
                  .label = values["session"]};
}

std::string written(const UserName& name) {
  std::string text = name.user;
  if (!name.label.empty()) text += "-session-" + name.label;
  if (!name.isp.empty()) text += "-isp-" + name.isp;
  if (!name.city.empty()) text += "-city-" + name.city;
  if (!name.state.empty()) text += "-state-" + name.state;
  if (!name.country.empty()) text += "-country-" + name.country;
  return text;
}

}  // namespace

void user_name(std::string_view input) {
  const auto name = billing::parse_user_name(input);
  const auto wanted = expected(input);
  must(name.ok() == wanted.has_value(), "a name is accepted when the grammar has it, and only then");
  if (!name.ok()) {
    must(!billing::describe(name.error()).empty(), "a refusal says why");
  } else {
    must(*name == *wanted, "a name means what the grammar says");
    const auto again = billing::parse_user_name(written(*name));
    must(again.ok() && *again == *name, "the keys stand in any order");
    must(billing::is_user(name->user), "who is named could have been created");
  }
  const auto user = billing::user_of(input);
  const std::string first = split(plain_lower(input)).front();
  must(user.has_value() == consists_of(first, user_characters), "USER is what the grammar says");
  must(!user || *user == first, "USER is what stands first");
  must(billing::is_user(input) == consists_of(input, user_characters), "names are created by the grammar");
}

}  // namespace payg::fuzz
