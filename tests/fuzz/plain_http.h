#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// A second reading of HTTP/1, written from RFC 9112 with nothing of proxy/http in it: slow, whole messages
/// only, and strict, so that whoever disagrees with it about where a message ends is wrong.
namespace payg::fuzz {

struct PlainField {
  std::string name;  ///< as written
  std::string key;   ///< in lower case
  std::string value;

  bool operator==(const PlainField&) const = default;
};

struct PlainHead {
  std::string start_line;
  std::vector<PlainField> fields;
  std::size_t bytes = 0;  ///< with its empty line

  std::size_t count(std::string_view key) const;
  /// Of the first one; empty when there is none.
  std::string value_of(std::string_view key) const;
};

/// The head at the front of `text`; nullopt when it is not there as a whole or when anything is wrong with
/// it: CR, LF or NUL anywhere but as CR LF at the end of a line, a name that is no token, a blank before the
/// colon, a continued line, a control character.
std::optional<PlainHead> read_plain_head(std::string_view text);

enum class PlainFraming { none, length, chunked, until_close };

struct PlainBody {
  std::string content;
  std::size_t bytes = 0;  ///< as it was framed
};

/// The body at the front of `text`; nullopt: malformed or cut short. `length` is for PlainFraming::length.
std::optional<PlainBody> read_plain_body(std::string_view text, PlainFraming framing, std::uint64_t length);

/// How a head says its body ends; nullopt when two readers could disagree: both Content-Length and
/// Transfer-Encoding, either twice, a length that is not digits, a coding that is not "chunked".
struct PlainExtent {
  PlainFraming framing = PlainFraming::none;
  std::uint64_t length = 0;
};
std::optional<PlainExtent> plain_extent_of(const PlainHead& head);

std::string plain_lower(std::string_view text);
/// The elements of a comma-separated list in lower case, without blanks around them, empty ones left out.
std::vector<std::string> plain_list(std::string_view text);
bool is_plain_token(std::string_view text);

}  // namespace payg::fuzz
