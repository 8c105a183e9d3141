#pragma once

#include <cstdint>

#include "proxy/buffer.h"
#include "proxy/http/chunked_decoder.h"
#include "proxy/http/framing.h"

namespace payg::proxy {

/// Finds the end of a request body that nobody wants, so that the connection can take the next request.
class BodyDiscard {
 public:
  /// A body is thrown away up to this; beyond it, closing the connection is cheaper.
  static constexpr std::uint64_t most_bytes = 64 * 1024;

  enum class Progress { need_more, done, hopeless };

  BodyDiscard() : BodyDiscard(http::BodyFraming{}) {}
  explicit BodyDiscard(http::BodyFraming framing);

  /// False: longer than most_bytes, as far as its framing tells.
  static bool is_worth_it(const http::BodyFraming& framing) noexcept;

  /// Consumes what belongs to the body. `hopeless`: it is malformed or too long.
  Progress take_from(Buffer& received);

 private:
  http::BodyFraming framing_;
  std::uint64_t left_;  // of a length; of most_bytes otherwise
  http::ChunkedDecoder decoder_;
};

}  // namespace payg::proxy
