#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "plugin/base/address.h"
#include "tests/support/harness/stream.h"

namespace payg::test {

/// The messages of RFC 1928 and RFC 1929, as bytes.
namespace socks {

/// With these methods, in order.
std::string greeting(std::string_view methods);
std::string password(std::string_view user, std::string_view token);
std::string request(std::uint8_t command, std::uint8_t address_type, std::string_view address,
                    std::uint16_t port);
/// CONNECT to an address literal.
std::string connect_to(const SocketAddress& target);
/// CONNECT to a host name.
std::string connect_to_name(std::string_view name, std::uint16_t port);

/// UDP ASSOCIATE by a client that does not say where it will send from.
std::string associate();
/// What a client sends to the relay of its association (RFC 1928 §7).
std::string datagram_to(const SocketAddress& target, std::string_view payload);
std::string datagram_to_name(std::string_view name, std::uint16_t port, std::string_view payload);
/// Where a reply says that something is bound. Throws HarnessError when it names no address.
struct Reply;
SocketAddress bound_in(const Reply& reply);

inline constexpr std::string_view no_authentication{"\x00", 1};
inline constexpr std::string_view user_and_password{"\x02", 1};
inline constexpr std::uint8_t connect = 1;
inline constexpr std::uint8_t bind = 2;
inline constexpr std::uint8_t udp_associate = 3;
inline constexpr std::uint8_t ipv4 = 1;
inline constexpr std::uint8_t domain = 3;
inline constexpr std::uint8_t ipv6 = 4;

/// One reply, as read_reply() took it apart.
struct Reply {
  int version = -1;
  int code = -1;
  int reserved = -1;
  int address_type = -1;
  std::string address;
  std::uint16_t port = 0;
};
/// Throws HarnessError when the stream ends before it is whole.
Reply read_reply(Stream& stream);

/// The whole handshake without credentials, up to the reply to the request.
Reply open(Stream& stream, const std::string& request);
/// With credentials. When they are refused: version 1 and the status of RFC 1929 as the code.
Reply open(Stream& stream, const std::string& request, std::string_view user, std::string_view token);

}  // namespace socks

/// Sends CONNECT over HTTP, with Basic credentials unless `user` is empty, and returns the response.
struct HttpResponse;
HttpResponse http_connect(Stream& stream, const std::string& authority, const std::string& user = {},
                          const std::string& token = {});
/// The value of Proxy-Authorization for these credentials.
std::string basic_credentials(const std::string& user, const std::string& token);

}  // namespace payg::test
