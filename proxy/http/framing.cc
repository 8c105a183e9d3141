#include "proxy/http/framing.h"

#include <charconv>
#include <limits>

#include "plugin/base/text.h"

namespace payg::http {
namespace {

using Kind = BodyFraming::Kind;

constexpr std::uint64_t max_length = std::numeric_limits<std::int64_t>::max();

std::optional<std::uint64_t> read_length(std::string_view digits) noexcept {
  if (digits.empty() || digits.find_first_not_of("0123456789") != digits.npos) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || value > max_length) return std::nullopt;
  return value;
}

/// What the fields say, for either kind of message; `none`: neither field is there.
Result<BodyFraming, std::string_view> read_framing(const Fields& fields, Version version) noexcept {
  const std::size_t lengths = fields.count(FieldName::content_length);
  const std::size_t encodings = fields.count(FieldName::transfer_encoding);
  if (encodings > 0) {
    if (lengths > 0) return std::string_view("there are both Content-Length and Transfer-Encoding");
    if (version == Version::http_1_0) return std::string_view("Transfer-Encoding is not for HTTP/1.0");
    if (encodings > 1 || !equal_ignoring_case(fields.first(FieldName::transfer_encoding), "chunked"))
      return std::string_view("Transfer-Encoding is something else than one chunked");
    return BodyFraming{.kind = Kind::chunked};
  }
  if (lengths == 0) return BodyFraming{};
  const auto length = content_length(fields);
  if (!length) return std::string_view("Content-Length is not one number below 2^63");
  return BodyFraming{.kind = Kind::length, .length = *length};
}

bool may_have_body(unsigned status, Method request_method) noexcept {
  if (request_method == Method::head || status < 200 || status == 204 || status == 304) return false;
  return request_method != Method::connect || status >= 300;
}

}  // namespace

Result<BodyFraming, Violation> request_framing(const RequestHead& head) noexcept {
  const auto framing = read_framing(head.fields, head.version);
  if (!framing) return Violation{Status::bad_request, framing.error()};
  const bool takes_body = head.method != Method::connect && head.method != Method::trace;
  const bool has_body = framing->kind == Kind::chunked || framing->length > 0;
  if (takes_body) return *framing;
  if (has_body) return Violation{Status::bad_request, "this method has no body"};
  return BodyFraming{};
}

Result<BodyFraming, Violation> response_framing(const ResponseHead& head, Method request_method) noexcept {
  const auto framing = read_framing(head.fields, head.version);
  if (!framing) return Violation{Status::bad_gateway, framing.error()};
  if (!may_have_body(head.status, request_method)) return BodyFraming{};
  if (framing->kind == Kind::none) return BodyFraming{.kind = Kind::until_close};
  return *framing;
}

BodyFraming framing_for_client(const BodyFraming& received, Version version) noexcept {
  if (received.kind == Kind::none || received.kind == Kind::length) return received;
  return BodyFraming{.kind = version == Version::http_1_1 ? Kind::chunked : Kind::until_close};
}

std::optional<std::uint64_t> content_length(const Fields& fields) noexcept {
  if (fields.count(FieldName::content_length) != 1) return std::nullopt;
  return read_length(fields.first(FieldName::content_length));
}

std::string_view chunk_head(std::uint64_t size_bytes, std::array<char, 18>& out) noexcept {
  char* end = std::to_chars(out.data(), out.data() + 16, size_bytes, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return {out.data(), static_cast<std::size_t>(end - out.data())};
}

}  // namespace payg::http
