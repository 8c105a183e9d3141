#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/harness/stream.h"

namespace payg::test {

/// The head of a message as it arrived, and its fields for looking at.
struct HttpHead {
  std::string raw;         ///< all of it, with the empty line
  std::string start_line;  ///< without CRLF
  std::vector<std::pair<std::string, std::string>> fields;

  /// The first field of that name (case ignored), without white space around its value.
  std::optional<std::string> field(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  bool has(std::string_view name) const { return count(name) > 0; }
};

HttpHead parse_head(std::string raw);

enum class BodyFraming { none, length, chunked, until_close };

struct HttpBody {
  BodyFraming framing = BodyFraming::none;
  std::string raw;       ///< as it arrived, with chunk heads
  std::string content;   ///< what it says
  bool complete = true;  ///< false: the stream ended, or broke the framing, before the end
};

struct HttpResponse {
  int status = 0;
  HttpHead head;
  HttpBody body;

  std::optional<std::string> field(std::string_view name) const { return head.field(name); }
};

/// Reads one response as a strict client does (RFC 9112 §6.3), an interim one too. `method` is what was
/// asked: after HEAD and a successful CONNECT no body follows. Throws HarnessError when no whole head comes.
HttpResponse read_response(Stream& stream, std::string_view method = "GET");
/// The next response that is not an interim one.
HttpResponse read_final_response(Stream& stream, std::string_view method = "GET");

/// What the Proxy-Status of a response names as the error (RFC 9209, section 2.1.1), all of it; empty:
/// nothing.
std::string proxy_error(const HttpResponse& response);

/// Reads a chunked body up to its last CRLF, into both raw and content.
HttpBody read_chunked_body(Stream& stream);
HttpBody read_sized_body(Stream& stream, std::size_t length);

}  // namespace payg::test
