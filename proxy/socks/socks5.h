#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "plugin/base/address.h"
#include "proxy/net/target_host.h"

/// The server's side of SOCKS5 (RFC 1928) and of its user name/password method (RFC 1929), as functions over
/// the bytes received so far. Each message is at most 513 bytes and its length stands near its beginning, so
/// a parser that is called again with more bytes starts over at no cost.
namespace payg::socks {

enum class ParseState { incomplete, complete, refused };

struct ParseOutcome {
  ParseState state = ParseState::incomplete;
  std::size_t consumed = 0;  ///< when complete
  /// When refused: what to send before closing; empty: close without a word. A literal.
  std::string_view answer{};
  /// When refused: why, for the log. A literal.
  std::string_view detail{};
};

/// RFC 1928 §3
enum class Method : std::uint8_t { no_credentials = 0x00, user_name_password = 0x02, unacceptable = 0xff };

struct Greeting {
  bool offers_no_credentials = false;
  bool offers_user_name_password = false;
};

/// RFC 1928 §3. A SOCKS4 request is read to its end and refused with SOCKS4's "rejected" (91), so that its
/// sender understands. Zero methods are a greeting that offers nothing.
ParseOutcome parse_greeting(std::string_view buffered, Greeting& out) noexcept;

/// The two bytes that tell the client. Behind Method::unacceptable the connection is closed.
std::string_view method_selection(Method method) noexcept;

/// Lies in the parsed buffer. Either may be empty or hold any byte.
struct Credentials {
  std::string_view name;
  std::string_view password;
};

/// RFC 1929 §2
ParseOutcome parse_credentials(std::string_view buffered, Credentials& out) noexcept;

enum class CredentialsStatus : std::uint8_t { success = 0, failure = 1 };
/// The two bytes that tell the client. Behind a failure the connection is closed (RFC 1929 §2).
std::string_view credentials_reply(CredentialsStatus status) noexcept;

/// RFC 1928 §6
enum class Reply : std::uint8_t {
  succeeded = 0,
  general_failure = 1,
  not_allowed = 2,
  network_unreachable = 3,
  host_unreachable = 4,
  connection_refused = 5,
  ttl_expired = 6,
  command_not_supported = 7,
  address_type_not_supported = 8,
};

enum class Command : std::uint8_t { connect = 1, udp_associate = 3 };

struct Request {
  Command command = Command::connect;
  /// Of UDP ASSOCIATE: empty and 0.
  proxy::TargetHost host;
  std::uint16_t port = 0;
  /// Of UDP ASSOCIATE: where the client says that it is going to send from, which it does not know behind an
  /// address translator; nullopt: it does not say.
  std::optional<SocketAddress> client{};
};

/// RFC 1928 §4. A domain that is an address literal is that address (proxy::classify_host). Refused with
/// general_failure: RSV other than 0, another version, of CONNECT port 0 and an invalid domain; with
/// address_type_not_supported: an unknown ATYP, whose end nobody knows; with command_not_supported: BIND and
/// unknown ones. A request whose end is known is read to it before it is refused, so that closing
/// does not reset the connection before the answer is read.
ParseOutcome parse_request(std::string_view buffered, Request& out);

/// A reply as bytes.
class ReplyBytes {
 public:
  /// `bound` is where the proxy connects from (BND.ADDR, BND.PORT).
  ReplyBytes(Reply reply, const SocketAddress& bound) noexcept;
  std::string_view view() const noexcept { return {bytes_.data(), size_}; }

 private:
  std::array<char, 22> bytes_{};
  std::size_t size_;
};

/// A datagram between the client and the relay of its UDP association (RFC 1928 §7): where it goes to, and
/// what it carries. The payload lies in the parsed buffer.
struct Datagram {
  proxy::TargetHost host;
  std::uint16_t port = 0;
  std::string_view payload{};
};

/// Fills `out`. False: it is to be dropped, without a word: a fragment (FRAG other than 0), RSV other than 0,
/// an unknown ATYP, an invalid domain, port 0, or it ends within its head. `out` is undefined then.
bool parse_datagram(std::string_view bytes, Datagram& out);

/// The head of a datagram that comes from `source` on its way to the client.
class DatagramHead {
 public:
  static constexpr std::size_t most_bytes = 22;

  explicit DatagramHead(const SocketAddress& source) noexcept;
  std::string_view view() const noexcept { return {bytes_.data(), size_}; }

 private:
  std::array<char, most_bytes> bytes_{};
  std::size_t size_;
};

/// A reply with nothing bound (0.0.0.0:0), as refusals have it. Static.
std::string_view unbound_reply(Reply reply) noexcept;

}  // namespace payg::socks
