#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace payg::test {

/// An endless stream of pseudo-random bytes that both ends can make: sent by one, checked by the other byte
/// for byte. Its period is a prime, so that a lost, doubled or shifted piece is noticed wherever it happens.
class Pattern {
 public:
  /// `length` bytes of the stream that starts at `offset`; what fits of them without wrapping around, at
  /// least one. Valid for the life of the program.
  static std::string_view at(std::uint64_t offset, std::size_t length);
  static std::string bytes(std::uint64_t offset, std::size_t length);
};

/// Compares what arrives with the stream.
class PatternCheck {
 public:
  void feed(std::string_view arrived);
  /// Bytes that were right, from the start on.
  std::uint64_t good_bytes() const { return good_; }
  /// True as long as nothing wrong has arrived.
  bool intact() const { return intact_; }

 private:
  std::uint64_t good_ = 0;
  bool intact_ = true;
};

}  // namespace payg::test
