#include "proxy/http/basic_credentials.h"

#include <optional>
#include <string>

#include "plugin/base/text.h"
#include "tests/fuzz/plain_http.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string in_base64(std::string_view bytes) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view three = bytes.substr(at, 3);
    unsigned bits = 0;
    for (std::size_t i = 0; i < 3; ++i)
      bits = bits * 256 + (i < three.size() ? static_cast<unsigned char>(three[i]) : 0);
    for (std::size_t i = 0; i < 4; ++i) out += i > three.size() ? '=' : alphabet[(bits >> (18 - 6 * i)) & 63];
  }
  return out;
}

/// Bit by bit.
std::optional<std::string> from_base64(std::string text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.pop_back();
  std::string out;
  unsigned bits = 0, count = 0;
  for (const char c : text) {
    const auto value = alphabet.find(c);
    if (value == alphabet.npos) return std::nullopt;
    for (int bit = 5; bit >= 0; --bit) {
      bits = (bits << 1 | (value >> bit & 1)) & 0xff;
      if (++count % 8 == 0) out += static_cast<char>(bits);
    }
  }
  return out;
}

struct NameAndPassword {
  std::string name, password;
};

std::optional<NameAndPassword> expected(std::string_view value) {
  const auto blank = value.find(' ');
  if (blank == value.npos || plain_lower(value.substr(0, blank)) != "basic") return std::nullopt;
  std::string rest(value.substr(blank));
  while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.erase(0, 1);
  while (!rest.empty() && (rest.back() == ' ' || rest.back() == '\t')) rest.pop_back();
  const auto text = from_base64(rest);
  const auto colon = text ? text->find(':') : std::string::npos;
  if (colon == std::string::npos) return std::nullopt;
  for (const char c : *text)
    if ((c >= 0 && c < ' ') || c == 0x7f) return std::nullopt;
  return NameAndPassword{.name = text->substr(0, colon), .password = text->substr(colon + 1)};
}

void base64_is_undone(std::string_view input) {
  std::string again;
  must(decode_base64(in_base64(input), again) && again == input, "what is written in base64 is read again");
  std::string decoded;
  const auto plainly = from_base64(std::string(input));
  must(decode_base64(input, decoded) == plainly.has_value(), "base64 is what RFC 4648 says, and only that");
  must(!plainly || decoded == *plainly, "base64 says the same however it is read");
}

}  // namespace

void basic_credentials(std::string_view input) {
  base64_is_undone(input);
  const auto credentials = http::parse_basic_credentials(input);
  const auto wanted = expected(input);
  must(credentials.has_value() == wanted.has_value(), "credentials are what RFC 7617 says, and only that");
  if (!credentials) return;
  must(credentials->name == wanted->name && credentials->password == wanted->password,
       "name and password are what stands there");
  const auto again =
      http::parse_basic_credentials("Basic " + in_base64(credentials->name + ":" + credentials->password));
  must(again && again->name == credentials->name && again->password == credentials->password,
       "credentials that are written are read again");
}

}  // namespace payg::fuzz
