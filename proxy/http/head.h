#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/http/fields.h"
#include "proxy/http/status.h"

namespace payg::http {

/// Longer request targets are refused with 414.
inline constexpr std::size_t max_target_bytes = 8 * 1024;
/// A head that is longer, with its start line and empty lines, is refused with 431.
inline constexpr std::size_t max_head_bytes = 64 * 1024;

/// A message's version. A higher minor version than 1.1 is treated as 1.1 (RFC 9110 §2.5).
enum class Version : std::uint8_t { http_1_0, http_1_1 };

/// The methods that the proxy treats differently; every other token is `other` and forwarded as it is.
enum class Method : std::uint8_t { get, head, post, put, delete_resource, connect, options, trace, other };

/// True for methods that may be sent again after a connection died without an answer (RFC 9110 §9.2.2).
bool is_idempotent(Method method) noexcept;

/// The views lie in the buffer that was parsed and die with it.
struct RequestHead {
  Method method = Method::other;
  std::string_view method_text;
  std::string_view target;  ///< as received; read it with parse_target()
  Version version = Version::http_1_1;
  Fields fields;
  ConnectionOptions connection;
};

struct ResponseHead {
  unsigned status = 0;  ///< 100 to 599
  std::string_view reason;
  Version version = Version::http_1_1;
  Fields fields;
  ConnectionOptions connection;
};

enum class ParseState { incomplete, complete, refused };

struct ParseOutcome {
  ParseState state = ParseState::incomplete;
  std::size_t consumed = 0;  ///< when complete: the head's bytes, with empty lines before it
  Violation violation{};     ///< when refused
};

/// Finds the end of a head without looking at any byte twice. Used by the two parsers.
class HeadScanner {
 public:
  enum class Progress { incomplete, start_line, complete, bare_lf, too_long_line, too_large, too_many_lines };

  /// So many empty lines before the start line are skipped.
  explicit HeadScanner(std::size_t skippable_lines) noexcept : skippable_lines_(skippable_lines) {}

  /// Goes on where it stopped. `start_line` is told once, before anything behind that line is looked at, so
  /// that what is wrong with a head does not depend on how its bytes were cut.
  Progress advance(std::string_view buffered) noexcept;

  std::size_t start() const noexcept { return start_; }  ///< of the start line
  bool has_start_line() const noexcept { return lines_ > 0; }
  std::size_t start_line_end() const noexcept { return start_line_end_; }  ///< before its CR
  std::size_t end() const noexcept { return line_; }                       ///< when complete

 private:
  Progress on_line_end(std::size_t lf, char before) noexcept;

  std::size_t skippable_lines_;
  std::size_t searched_ = 0;  // the search for the next LF goes on here
  std::size_t line_ = 0;      // the current line begins here
  std::size_t start_ = 0;
  std::size_t start_line_end_ = 0;
  std::size_t lines_ = 0;  // complete ones, start line included
};

/// Reads request heads, one after the other, as their bytes arrive (RFC 9112 §2 to §5). A few bytes of state;
/// one for each client connection.
///
/// Strict: lines end in CRLF; no NUL, no bare CR, no obs-fold, no space before a colon. Up to four empty
/// lines before the request line are skipped (§2.2). The request line is judged as soon as it is there.
/// HTTP/1.0 and 1.x are read; 2.0 and above is 505, everything else, HTTP/0.9 with it, 400.
class RequestParser {
 public:
  /// Call with all bytes since the end of the previous head, again whenever there are more; they may lie
  /// elsewhere than at the last call. `out` is valid when complete. Any outcome but incomplete makes the
  /// parser ready for another head.
  ParseOutcome parse(std::string_view buffered, RequestHead& out) noexcept;
  /// Forgets an unfinished head.
  void reset() noexcept { *this = RequestParser(); }

 private:
  HeadScanner scanner_{4};
};

/// The same for responses, interim ones (1xx) included. Any refusal means 502. A space before a colon is
/// taken away (RFC 9112 §5.1); a missing reason phrase is accepted with or without its space.
class ResponseParser {
 public:
  ParseOutcome parse(std::string_view buffered, ResponseHead& out) noexcept;
  void reset() noexcept { *this = ResponseParser(); }

 private:
  HeadScanner scanner_{0};
};

/// Whether the client's side can stay open behind this request (RFC 9112 §9.3): HTTP/1.1 without close. A
/// proxy does not keep connections of HTTP/1.0 clients.
bool allows_keep_alive(const RequestHead& head) noexcept;
/// Whether the origin keeps its side open behind this response, when its body has an end of its own.
bool allows_keep_alive(const ResponseHead& head) noexcept;

/// HTTP/1.1 with `Expect: 100-continue` (RFC 9110 §10.1.1): the client waits for 100 before it sends its
/// body.
bool expects_continue(const RequestHead& head) noexcept;

/// An upgrade that can be honoured: HTTP/1.1, Connection lists it, and the protocol is not h2c, whose
/// handshake (RFC 7540 §3.2) needs fields that end at the first proxy.
bool wants_upgrade(const RequestHead& head) noexcept;

/// TRACE and OPTIONS with `Max-Forwards: 0` (RFC 9110 §7.6.2): the proxy answers itself instead of
/// forwarding.
bool forwards_used_up(const RequestHead& head) noexcept;

/// The values of all Via fields, in their order; empty: there are none.
std::string joined_via(const Fields& fields);

/// A Via names `pseudonym` as a recipient: the request has been here before.
bool has_via(const Fields& fields, std::string_view pseudonym) noexcept;

}  // namespace payg::http
