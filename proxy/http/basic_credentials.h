#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/head.h"

namespace payg::http {

struct BasicCredentials {
  std::string name;
  std::string password;
};

/// Reads "Basic dXNlcjpwYXNz" (RFC 7617 §2): the first colon divides. nullopt when it is another scheme, no
/// base64, without a colon, or with control characters in it.
std::optional<BasicCredentials> parse_basic_credentials(std::string_view value);

/// Appends what parse_basic_credentials() reads. REQUIRES: no colon in the name, no control characters.
void append_basic_credentials(std::string& out, std::string_view name, std::string_view password);

/// The value of the only Proxy-Authorization; empty when there is none or more than one.
std::string_view proxy_authorization(const RequestHead& head) noexcept;

/// parse_basic_credentials() of proxy_authorization().
std::optional<BasicCredentials> proxy_credentials(const RequestHead& head);

}  // namespace payg::http
