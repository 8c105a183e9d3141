#pragma once

#include <string>
#include <string_view>

#include "proxy/socks/socks5.h"

/// The client's side of SOCKS5 (RFC 1928) with user name and password (RFC 1929), as functions over bytes:
/// what this proxy says to a parent. As with the server's side, a parser that is called again with more bytes
/// starts over.
namespace payg::socks {

enum class HasCredentials { no, yes };

/// The methods that are offered; without credentials only the one that needs none.
std::string_view client_greeting(HasCredentials has_credentials) noexcept;

/// What a server's bytes come to.
struct ServerAnswer {
  ParseState state = ParseState::incomplete;
  std::size_t consumed = 0;  ///< when complete
};

/// RFC 1928 §3: the method that the server chose. Refused: another version. A method that was not offered is
/// for the caller to refuse; it comes out as Method::unacceptable.
ServerAnswer parse_method(std::string_view buffered, HasCredentials offered, Method& out) noexcept;

/// RFC 1929 §2. REQUIRES: 1 to 255 bytes each.
void append_credentials(std::string& out, std::string_view name, std::string_view password);
/// The server's answer to them. Refused: another version. Some servers answer with version 5, which is let
/// pass.
ServerAnswer parse_credentials_status(std::string_view buffered, CredentialsStatus& out) noexcept;

/// RFC 1928 §4: a CONNECT. A name is sent as a name, an address as an address.
void append_connect(std::string& out, const proxy::TargetHost& host, std::uint16_t port);
/// RFC 1928 §6: the reply, read to its end when it is `succeeded`; what follows then are the target's bytes.
/// Of another reply only the code is waited for: not every server sends the rest. Refused: another version,
/// an address of unknown length.
ServerAnswer parse_reply(std::string_view buffered, std::uint8_t& code) noexcept;

}  // namespace payg::socks
