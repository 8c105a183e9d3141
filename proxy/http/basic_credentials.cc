#include "proxy/http/basic_credentials.h"

#include <algorithm>
#include <utility>

#include "plugin/base/text.h"

namespace payg::http {

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
