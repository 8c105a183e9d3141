#include "proxy/body_relay.h"

#include <algorithm>

namespace payg::proxy {
namespace {

// Chunk heads and payload are gathered up to this before they are written.
constexpr std::size_t gather_bytes = 64 * 1024;
// As much as a pump moves before it lets others have their turn.
constexpr int most_reads = 16;

}  // namespace

FlushOutcome flush(MessageSide side, Passage& passage) {
  while (!side.unsent.empty()) {
    if (!side.socket.writable()) return FlushOutcome::waiting;
    const auto written = passage.write(side.socket, side.unsent.view());
    if (written.outcome == Socket::Outcome::failed) return FlushOutcome::failed;
    if (written.outcome == Socket::Outcome::blocked) return FlushOutcome::waiting;
    side.unsent.consume(written.count);
  }
  return FlushOutcome::all;
}

BodyRelay::BodyRelay(http::BodyFraming received, http::BodyFraming sent)
    : framing_(received), chunk_again_(sent.kind == http::BodyFraming::Kind::chunked) {}

BodyRelay::Status BodyRelay::run(MessageSide source, MessageSide sink, RelayResources& resources,
                                 Passage& passage) {
  if (framing_.kind == http::BodyFraming::Kind::chunked || chunk_again_) {
    return run_chunked(source, sink, resources, passage);
  }
  return run_plain(source, sink, resources, passage);
}

BodyRelay::Status BodyRelay::run_plain(MessageSide source, MessageSide sink, RelayResources& resources,
                                       Passage& passage) {
  if (plain_ == Plain::from_received) {
    std::uint64_t limit = Pump::no_limit;
    if (framing_.kind == http::BodyFraming::Kind::length) limit = framing_.length;
    if (framing_.kind == http::BodyFraming::Kind::none) limit = 0;
    const auto ready = static_cast<std::size_t>(std::min<std::uint64_t>(source.received.size(), limit));
    sink.unsent.append(source.received.view().substr(0, ready));
    source.received.consume(ready);
    pump_ = Pump(limit == Pump::no_limit ? limit : limit - ready);
    plain_ = Plain::from_socket;
  }
  switch (flush(sink, passage)) {
    case FlushOutcome::all: break;
    case FlushOutcome::waiting: return Status::waiting;
    case FlushOutcome::failed: return Status::sink_failed;
  }
  switch (pump_.run(source.socket, sink.socket, resources, passage)) {
    case Pump::Status::waiting: return Status::waiting;
    case Pump::Status::yielding: return Status::yielding;
    case Pump::Status::done: return Status::done;
    case Pump::Status::ended:
      return framing_.kind == http::BodyFraming::Kind::until_close ? Status::done : Status::cut_short;
    case Pump::Status::source_failed: return Status::cut_short;
    case Pump::Status::sink_failed: return Status::sink_failed;
  }
  return Status::sink_failed;
}

std::size_t BodyRelay::decode(std::string_view input, Buffer& unsent) {
  if (framing_.kind != http::BodyFraming::Kind::chunked) {
    // Comes until the connection ends, goes out in chunks.
    std::array<char, 18> line;
    unsent.append(http::chunk_head(input.size(), line));
    unsent.append(input);
    unsent.append(http::chunk_end);
    return input.size();
  }
  std::size_t used = 0;
  while (coding_ == Coding::open && used < input.size()) {
    const auto step = decoder_.decode(input.substr(used));
    used += step.consumed;
    switch (step.event) {
      case http::ChunkedDecoder::Event::need_more: return used;
      case http::ChunkedDecoder::Event::data: {
        std::array<char, 18> line;
        if (chunk_again_) unsent.append(http::chunk_head(step.data.size(), line));
        unsent.append(step.data);
        if (chunk_again_) unsent.append(http::chunk_end);
        break;
      }
      case http::ChunkedDecoder::Event::end:
        if (chunk_again_) unsent.append(http::last_chunk);
        coding_ = Coding::ended;
        break;
      case http::ChunkedDecoder::Event::error: coding_ = Coding::malformed; break;
    }
  }
  return used;
}

BodyRelay::Status BodyRelay::status_when_delivered() const noexcept {
  switch (coding_) {
    case Coding::open: break;
    case Coding::ended: return Status::done;
    case Coding::cut_short: return Status::cut_short;
    case Coding::malformed: return Status::malformed;
  }
  return Status::waiting;
}

BodyRelay::Status BodyRelay::run_chunked(MessageSide source, MessageSide sink, RelayResources& resources,
                                         Passage& passage) {
  for (int reads = 0;; ++reads) {
    if (coding_ == Coding::open && !source.received.empty()) {
      source.received.consume(decode(source.received.view(), sink.unsent));
    }
    if (coding_ != Coding::open || sink.unsent.size() >= std::min(gather_bytes, passage.piece()) ||
        !source.socket.readable()) {
      switch (flush(sink, passage)) {
        case FlushOutcome::all: break;
        case FlushOutcome::waiting: return Status::waiting;
        case FlushOutcome::failed: return Status::sink_failed;
      }
      if (coding_ != Coding::open) return status_when_delivered();
      if (!source.socket.readable()) return Status::waiting;
    }
    if (reads == most_reads) return Status::yielding;
    if (!passage.open()) return Status::waiting;

    const auto piece = resources.scratch.first(std::min(resources.scratch.size(), passage.piece()));
    const auto got = source.socket.read(piece);
    if (got.outcome == Socket::Outcome::blocked) continue;  // no longer readable: flushes, then waits
    if (got.outcome != Socket::Outcome::some) {
      const bool whole =
          got.outcome == Socket::Outcome::ended && framing_.kind != http::BodyFraming::Kind::chunked;
      if (whole) sink.unsent.append(http::last_chunk);
      coding_ = whole ? Coding::ended : Coding::cut_short;
      continue;
    }
    const std::string_view bytes(resources.scratch.data(), got.count);
    source.received.append(bytes.substr(decode(bytes, sink.unsent)));
  }
}

}  // namespace payg::proxy
