#include "proxy/http/basic_credentials.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "plugin/base/text.h"

namespace payg::http {
namespace {

/// RFC 4648 §4
void append_base64(std::string& out, std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i)
      bits = (bits << 8) | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0u);
    for (std::size_t i = 0; i < 4; ++i) out += i <= group.size() ? digits[(bits >> (18 - 6 * i)) & 63] : '=';
  }
}

}  // namespace

void append_basic_credentials(std::string& out, std::string_view name, std::string_view password) {
  out += "Basic ";
  append_base64(out, std::string(name) + ':' + std::string(password));
}

std::optional<BasicCredentials> parse_basic_credentials(std::string_view value) {
  const auto space = value.find(' ');
  if (space == value.npos || !equal_ignoring_case(value.substr(0, space), "basic")) return std::nullopt;
  std::string decoded;
  if (!decode_base64(trim_ows(value.substr(space)), decoded)) return std::nullopt;
  const bool has_control =
      std::any_of(decoded.begin(), decoded.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
  const auto colon = decoded.find(':');
  if (has_control || colon == decoded.npos) return std::nullopt;
  BasicCredentials credentials{.name = {}, .password = decoded.substr(colon + 1)};
  decoded.resize(colon);
  credentials.name = std::move(decoded);
  return credentials;
}

std::string_view proxy_authorization(const RequestHead& head) noexcept {
  if (head.fields.count(FieldName::proxy_authorization) != 1) return {};
  return head.fields.first(FieldName::proxy_authorization);
}

std::optional<BasicCredentials> proxy_credentials(const RequestHead& head) {
  return parse_basic_credentials(proxy_authorization(head));
}

}  // namespace payg::http
