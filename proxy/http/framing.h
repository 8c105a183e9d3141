#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "plugin/base/result.h"
#include "proxy/http/head.h"

namespace payg::http {

/// How the end of a body is told (RFC 9112 §6).
struct BodyFraming {
  enum class Kind : std::uint8_t { none, length, chunked, until_close };
  Kind kind = Kind::none;
  std::uint64_t length = 0;  ///< bytes; for Kind::length

  bool operator==(const BodyFraming&) const = default;
};

/// The body that follows a request head. Strict, because a body whose end two parties see in two places is
/// how requests are smuggled: Transfer-Encoding is exactly one "chunked", in HTTP/1.1, without a
/// Content-Length; Content-Length is exactly one decimal number below 2^63. Everything else is 400. CONNECT
/// and TRACE have no body, and saying otherwise is 400 (RFC 9110 §9.3.6, §9.3.8).
Result<BodyFraming, Violation> request_framing(const RequestHead& head) noexcept;

/// The body that follows a response head to a request made with `request_method`; errors are 502, and the
/// connection is of no more use. No body: HEAD, 1xx, 204, 304, and 2xx to CONNECT.
Result<BodyFraming, Violation> response_framing(const ResponseHead& head, Method request_method) noexcept;

/// How a body that came in as `received` is sent on to a client of `version`: a length stays one; all else is
/// chunked for HTTP/1.1 and ends with the connection for HTTP/1.0.
BodyFraming framing_for_client(const BodyFraming& received, Version version) noexcept;

/// The only Content-Length there is, in bytes; nullopt when there is none, several, or a malformed one.
std::optional<std::uint64_t> content_length(const Fields& fields) noexcept;

/// Writes the line before `size_bytes` (> 0) bytes of chunk data into `out` and returns it. chunk_end follows
/// the data.
std::string_view chunk_head(std::uint64_t size_bytes, std::array<char, 18>& out) noexcept;
inline constexpr std::string_view chunk_end = "\r\n";
/// The last chunk and the empty trailer section.
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

}  // namespace payg::http
