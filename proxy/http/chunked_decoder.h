#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace payg::http {

/// Takes the payload out of a chunked body (RFC 9112 §7.1) as it arrives, cut anywhere, without copying and
/// without keeping any of it. Trailer fields are checked and dropped.
///
/// Strict: chunk-size is 1 to 16 hexadecimal digits and below 2^63, every line ends in CRLF, data is followed
/// by CRLF. Bounded: see the limits.
class ChunkedDecoder {
 public:
  static constexpr std::size_t max_size_digits = 16;
  static constexpr std::size_t max_extension_bytes = 256;  ///< of one chunk
  /// Of all chunks of a body together: otherwise a body is mostly extensions, which cost and carry nothing.
  static constexpr std::size_t max_extension_bytes_in_all = 16 * 1024;
  static constexpr std::size_t max_trailer_bytes = 16 * 1024;

  enum class Event {
    need_more,  ///< everything given is consumed
    data,       ///< `data` is payload; call again with what is behind `consumed`
    end,        ///< the body is over; what is behind `consumed` belongs to the next message
    error,      ///< malformed; `error` says why. Every further call says so again
  };

  struct Step {
    Event event = Event::need_more;
    std::size_t consumed = 0;
    std::string_view data{};   ///< a part of the input
    std::string_view error{};  ///< a literal
  };

  /// Goes on with the bytes behind those consumed so far. REQUIRES: not called again behind Event::end.
  Step decode(std::string_view input) noexcept;

 private:
  enum class State : std::uint8_t {
    size_first,
    size,
    space,  // behind the size; an extension must follow
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_line,  // at the beginning of a line
    trailer_name,
    trailer_value,
    trailer_lf,
    last_lf,
    ended,
    failed,
  };

  /// Looks at one byte outside of data; a literal says what is wrong with it.
  std::string_view on_byte(char c) noexcept;
  std::string_view on_size(char c) noexcept;
  std::string_view on_extension(char c) noexcept;
  std::string_view on_trailer(char c) noexcept;

  State state_ = State::size_first;
  std::uint8_t digits_ = 0;
  std::uint64_t remaining_ = 0;  // of this chunk's size or data
  std::size_t extension_bytes_ = 0;
  std::size_t extension_bytes_in_all_ = 0;
  std::size_t trailer_bytes_ = 0;
};

}  // namespace payg::http
