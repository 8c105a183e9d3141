#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "proxy/http/head.h"

/// The client's side of CONNECT (RFC 9110 §9.3.6), as functions over bytes: what this proxy says to a parent.
namespace payg::http {

/// A longer head of an answer is not read to its end.
inline constexpr std::size_t max_connect_answer_bytes = 16 * 1024;

struct ConnectRequest {
  std::string_view authority;  ///< "name:port", "[::1]:443"
  std::string_view username;   ///< of the parent; empty: no credentials are sent
  std::string_view password;
  /// For Via, by which a chain of parents that leads back to ourselves is found out.
  std::string_view pseudonym;
  /// The Via of the request that the tunnel is for; empty: it has none.
  std::string_view received_via{};
};

void append_connect_request(std::string& out, const ConnectRequest& request);

/// What became of a tunnel that a parent was asked for.
enum class ConnectVerdict {
  open,
  // What the parent says of the target:
  forbidden,
  refused,
  unreachable,
  unresolved,
  timed_out,
  // What concerns the parent itself:
  wants_credentials,  ///< others, or some
  not_served,         ///< it does not do this for us: no such method, too many, no money, an internal error
};

struct ConnectAnswer {
  unsigned status = 0;
  ConnectVerdict verdict = ConnectVerdict::not_served;
};

/// Reads the answer to a CONNECT as it arrives. Interim answers are skipped, a few of them; 101 and what is
/// no HTTP/1 is refused, and so is a head longer than max_connect_answer_bytes. Length and framing that a
/// successful answer claims mean nothing.
class ConnectAnswerParser {
 public:
  /// Call with all bytes that have come since consume()d ones. When complete, `consumed` is where the
  /// tunnel's own bytes begin.
  ParseOutcome parse(std::string_view buffered, ConnectAnswer& out) noexcept;

 private:
  ResponseParser parser_;
  std::size_t skipped_ = 0;  // interim answers' bytes
  unsigned interim_ = 0;
};

/// What a final answer means. `proxy_status`: its Proxy-Status (RFC 9209), which says more than the status;
/// empty when it has none.
ConnectVerdict judge_connect(unsigned status, std::string_view proxy_status) noexcept;

}  // namespace payg::http
