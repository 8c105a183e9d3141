#include "proxy/body_discard.h"

#include <algorithm>

namespace payg::proxy {

using Kind = http::BodyFraming::Kind;

BodyDiscard::BodyDiscard(http::BodyFraming framing)
    : framing_(framing), left_(framing.kind == Kind::length ? framing.length : most_bytes) {}

bool BodyDiscard::is_worth_it(const http::BodyFraming& framing) noexcept {
  return framing.kind != Kind::length || framing.length <= most_bytes;
}

BodyDiscard::Progress BodyDiscard::take_from(Buffer& received) {
  if (framing_.kind == Kind::none) return Progress::done;
  if (framing_.kind == Kind::length) {
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(left_, received.size()));
    received.consume(part);
    left_ -= part;
    return left_ == 0 ? Progress::done : Progress::need_more;
  }
  while (!received.empty()) {
    const auto step = decoder_.decode(received.view());
    const bool too_long = step.consumed > left_;
    left_ -= std::min<std::uint64_t>(step.consumed, left_);
    received.consume(step.consumed);
    if (step.event == http::ChunkedDecoder::Event::end) return Progress::done;
    if (step.event == http::ChunkedDecoder::Event::error || too_long) return Progress::hopeless;
  }
  return Progress::need_more;
}

}  // namespace payg::proxy
