#include "tests/support/harness/http_message.h"

#include <algorithm>
#include <charconv>

#include "plugin/base/text.h"
#include "tests/support/harness/patience.h"

namespace payg::test {

namespace {

template <class Number>
Number parse_number(std::string_view text, int base) {
  Number number{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (result.ec != std::errc{} || result.ptr != text.data() + text.size()) {
    throw HarnessError("no number: " + std::string(text));
  }
  return number;
}

/// Appends up to `length` bytes; false when the stream ended before.
bool append_bytes(Stream& stream, std::string& target, std::size_t length) {
  while (length > 0) {
    const std::string piece = stream.read_some(std::min<std::size_t>(length, 65536));
    if (piece.empty()) return false;
    target += piece;
    length -= piece.size();
  }
  return true;
}

/// One chunk with its head and its CRLF. Returns its size.
std::size_t read_chunk(Stream& stream, HttpBody& body) {
  const std::string head = stream.read_until("\r\n");
  body.raw += head;
  const auto size = parse_number<std::size_t>(head.substr(0, head.find_first_of(";\r")), 16);
  std::string data;
  body.complete = append_bytes(stream, data, size);
  body.raw += data;
  body.content += data;
  if (!body.complete || size == 0) return size;
  const std::string end = stream.read_exactly(2);
  body.raw += end;
  if (end != "\r\n") throw HarnessError("a chunk does not end with CRLF");
  return size;
}

HttpBody read_body_until_close(Stream& stream) {
  HttpBody body{.framing = BodyFraming::until_close, .raw = stream.read_to_end(), .content = {}};
  body.content = body.raw;
  return body;
}

HttpBody read_response_body(Stream& stream, const HttpResponse& response, std::string_view method) {
  const bool tunnel = method == "CONNECT" && response.status / 100 == 2;
  if (tunnel || method == "HEAD" || response.status / 100 == 1 || response.status == 204 ||
      response.status == 304) {
    return {};
  }
  if (response.head.has("Transfer-Encoding")) return read_chunked_body(stream);
  if (const auto length = response.field("Content-Length")) {
    return read_sized_body(stream, parse_number<std::size_t>(*length, 10));
  }
  return read_body_until_close(stream);
}

}  // namespace

std::optional<std::string> HttpHead::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (equal_ignoring_case(key, name)) return value;
  }
  return std::nullopt;
}

std::size_t HttpHead::count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(
      fields.begin(), fields.end(), [&](const auto& each) { return equal_ignoring_case(each.first, name); }));
}

HttpHead parse_head(std::string raw) {
  HttpHead head;
  head.raw = std::move(raw);
  std::string_view rest = head.raw;
  const auto next_line = [&rest] {
    const auto end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 2);
    return line;
  };
  head.start_line = next_line();
  for (auto line = next_line(); !line.empty(); line = next_line()) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) throw HarnessError("a field without a colon: " + std::string(line));
    head.fields.emplace_back(line.substr(0, colon), trim_ows(line.substr(colon + 1)));
  }
  return head;
}

HttpBody read_chunked_body(Stream& stream) {
  HttpBody body{.framing = BodyFraming::chunked, .raw = {}, .content = {}};
  try {
    while (body.complete && read_chunk(stream, body) > 0) {
    }
    while (body.complete) {  // the trailer section and its empty line
      const std::string line = stream.read_until("\r\n");
      body.raw += line;
      if (line == "\r\n") break;
    }
  } catch (const HarnessError&) {
    body.complete = false;
  }
  return body;
}

HttpBody read_sized_body(Stream& stream, std::size_t length) {
  HttpBody body{.framing = BodyFraming::length, .raw = {}, .content = {}};
  body.complete = append_bytes(stream, body.raw, length);
  body.content = body.raw;
  return body;
}

HttpResponse read_response(Stream& stream, std::string_view method) {
  HttpResponse response;
  response.head = parse_head(stream.read_until("\r\n\r\n"));
  const std::string& line = response.head.start_line;
  if (!line.starts_with("HTTP/1.") || line.size() < 12) throw HarnessError("no status line: " + line);
  response.status = parse_number<int>(std::string_view(line).substr(9, 3), 10);
  response.body = read_response_body(stream, response, method);
  return response;
}

HttpResponse read_final_response(Stream& stream, std::string_view method) {
  for (;;) {
    HttpResponse response = read_response(stream, method);
    if (response.status / 100 != 1) return response;
  }
}

std::string proxy_error(const HttpResponse& response) {
  constexpr std::string_view sign = "; error=";
  const std::string status = response.field("Proxy-Status").value_or("");
  const auto found = status.find(sign);
  if (found == std::string::npos) return "";
  return status.substr(found + sign.size(), status.find(';', found + 1) - found - sign.size());
}

}  // namespace payg::test
