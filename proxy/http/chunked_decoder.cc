#include "proxy/http/chunked_decoder.h"

#include <algorithm>
#include <limits>

#include "proxy/http/fields.h"

namespace payg::http {
namespace {

constexpr std::uint64_t max_chunk_bytes = std::numeric_limits<std::int64_t>::max();

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_value_char(char c) noexcept {
  return is_field_value({&c, 1});
}

}  // namespace

ChunkedDecoder::Step ChunkedDecoder::decode(std::string_view input) noexcept {
  std::size_t at = 0;
  while (at < input.size() && state_ != State::failed) {
    if (state_ == State::data) {
      const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size() - at));
      remaining_ -= take;
      if (remaining_ == 0) state_ = State::data_cr;
      return {.event = Event::data, .consumed = at + take, .data = input.substr(at, take), .error = {}};
    }
    if (const std::string_view wrong = on_byte(input[at]); !wrong.empty()) {
      state_ = State::failed;
      return {.event = Event::error, .consumed = at, .data = {}, .error = wrong};
    }
    ++at;
    if (state_ == State::ended) return {.event = Event::end, .consumed = at, .data = {}, .error = {}};
  }
  if (state_ == State::failed)
    return {.event = Event::error, .consumed = 0, .data = {}, .error = "malformed before"};
  return {.event = Event::need_more, .consumed = at, .data = {}, .error = {}};
}

std::string_view ChunkedDecoder::on_byte(char c) noexcept {
  switch (state_) {
    case State::size_first:
    case State::size: return on_size(c);
    case State::space:
    case State::extension: return on_extension(c);
    case State::size_lf:
      if (c != '\n') return "a chunk size line does not end in CR LF";
      state_ = remaining_ == 0 ? State::trailer_line : State::data;
      return {};
    case State::data_cr:
      if (c != '\r') return "chunk data is not followed by CR LF";
      state_ = State::data_lf;
      return {};
    case State::data_lf:
      if (c != '\n') return "chunk data is not followed by CR LF";
      state_ = State::size_first;
      return {};
    case State::trailer_line:
    case State::trailer_name:
    case State::trailer_value:
    case State::trailer_lf:
    case State::last_lf: return on_trailer(c);
    case State::data:
    case State::ended:
    case State::failed: break;
  }
  return "a chunked body was read on behind its end";
}

std::string_view ChunkedDecoder::on_size(char c) noexcept {
  if (const int digit = hex_value(c); digit >= 0) {
    if (state_ == State::size_first) {
      digits_ = 0;
      extension_bytes_ = 0;
      state_ = State::size;
    }
    if (++digits_ > max_size_digits) return "a chunk size has more than 16 digits";
    remaining_ = (remaining_ << 4) | static_cast<unsigned>(digit);
    return remaining_ > max_chunk_bytes ? "a chunk size is above 2^63" : std::string_view();
  }
  if (state_ == State::size_first) return "a chunk size is not hexadecimal";
  switch (c) {
    case '\r': state_ = State::size_lf; return {};
    case ';': state_ = State::extension; return {};
    case ' ':
    case '\t': state_ = State::space; return {};
    default: return "a chunk size is not hexadecimal";
  }
}

std::string_view ChunkedDecoder::on_extension(char c) noexcept {
  if (++extension_bytes_ > max_extension_bytes || ++extension_bytes_in_all_ > max_extension_bytes_in_all)
    return "chunk extensions are too long";
  if (state_ == State::space) {
    // BWS of RFC 9112 §7.1.1 stands before a semicolon and nowhere else.
    if (c == ';') state_ = State::extension;
    return c == ';' || c == ' ' || c == '\t' ? std::string_view() : "a chunk size is not hexadecimal";
  }
  if (c == '\r') {
    state_ = State::size_lf;
    return {};
  }
  return is_value_char(c) ? std::string_view() : "a chunk extension holds control characters";
}

std::string_view ChunkedDecoder::on_trailer(char c) noexcept {
  if (++trailer_bytes_ > max_trailer_bytes) return "the trailer section is too long";
  switch (state_) {
    case State::trailer_line:
      if (c == '\r') {
        state_ = State::last_lf;
        return {};
      }
      state_ = State::trailer_name;
      return is_token_char(c) ? std::string_view() : "a trailer field name is no token";
    case State::trailer_name:
      if (c == ':') state_ = State::trailer_value;
      return c == ':' || is_token_char(c) ? std::string_view() : "a trailer field name is no token";
    case State::trailer_value:
      if (c == '\r') state_ = State::trailer_lf;
      return c == '\r' || is_value_char(c) ? std::string_view() : "a trailer field holds control characters";
    case State::trailer_lf:
      state_ = State::trailer_line;
      return c == '\n' ? std::string_view() : "a trailer field does not end in CR LF";
    default:
      state_ = State::ended;
      return c == '\n' ? std::string_view() : "the trailer section does not end in CR LF";
  }
}

}  // namespace payg::http
