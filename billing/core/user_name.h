#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "plugin/base/result.h"

namespace payg::billing {

/// What a client writes where a user name is asked for: who pays, where the way out should stand, and which
/// of his sessions this is. Everything in lower case; an empty field was not given.
///
///   USER[-country-XX][-state-NAME][-city-NAME][-isp-NAME][-session-LABEL]
///
/// in any order, each at most once (DESIGN.md, "Names on the wire").
struct UserName {
  static constexpr std::size_t max_user_length = 64;
  static constexpr std::size_t max_value_length = 64;

  std::string user{};
  std::string country{}, state{}, city{}, isp{};
  std::string label{};
  bool operator==(const UserName&) const = default;
};

enum class UserNameError {
  no_user,        ///< nothing before the first hyphen
  bad_user,       ///< a character outside [a-z0-9_.]
  user_too_long,  ///< more than max_user_length
  unknown_key,
  repeated_key,
  no_value,        ///< a key with nothing behind it
  bad_value,       ///< a character outside [a-z0-9_]
  value_too_long,  ///< more than max_value_length
  bad_country,     ///< not two letters
};
/// One sentence for the person who wrote it.
std::string_view describe(UserNameError error) noexcept;

/// Reads a name; case is ignored.
Result<UserName, UserNameError> parse_user_name(std::string_view text);

/// USER alone, whatever stands behind it; nullopt when it breaks its own grammar: nobody can have that name.
std::optional<std::string> user_of(std::string_view text);

/// What is wrong with a value behind `key` ("country", "state", "city", "isp" or "session"), if anything is.
std::optional<UserNameError> check_value(std::string_view key, std::string_view value) noexcept;

/// True for what may stand in USER: the grammar of the names under which users are created.
bool is_user(std::string_view name) noexcept;

}  // namespace payg::billing
