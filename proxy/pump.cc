#include "proxy/pump.h"

#include <algorithm>

namespace payg::proxy {
namespace {

// One run moves at most this much, so that a fast transfer does not keep a worker's other connections waiting
// (1 MiB is about 100 µs of memory bandwidth).
constexpr std::size_t share_bytes = 1024 * 1024;

}  // namespace

Pump::Status Pump::run(Socket& source, Socket& sink, RelayResources& resources, const ByteCount& count) {
  if (mode_ == Mode::splicing) return run_splicing(source, sink, resources, count);
  return run_copying(source, sink, resources, count);
}

Pump::Status Pump::flush(Socket& sink, const ByteCount& count) {
  while (!pending_.empty()) {
    if (!sink.writable()) return Status::waiting;
    const auto written = sink.write(pending_.view());
    if (written.outcome == Socket::Outcome::failed) return Status::sink_failed;
    if (written.outcome == Socket::Outcome::blocked) return Status::waiting;
    count(written.count);
    pending_.consume(written.count);
  }
  return when_delivered();
}

Pump::Status Pump::when_delivered() const noexcept {
  if (remaining_ == 0) return Status::done;
  switch (source_state_) {
    case Source::open:
      break;
    case Source::ended:
      return Status::ended;
    case Source::failed:
      return Status::source_failed;
  }
  return Status::yielding;
}

Pump::Status Pump::run_copying(Socket& source, Socket& sink, RelayResources& resources,
                               const ByteCount& count) {
  if (const auto flushed = flush(sink, count); flushed != Status::yielding) return flushed;

  std::size_t share = share_bytes;
  while (source.readable()) {
    const auto most = std::min<std::uint64_t>(resources.scratch.size(), remaining_);
    const auto piece = resources.scratch.first(static_cast<std::size_t>(most));
    const auto got = source.read(piece);
    if (got.outcome == Socket::Outcome::blocked) return Status::waiting;
    if (got.outcome != Socket::Outcome::some) {
      source_state_ = got.outcome == Socket::Outcome::ended ? Source::ended : Source::failed;
      return when_delivered();
    }
    took(got.count);
    std::string_view bytes(piece.data(), got.count);
    if (sink.writable()) {
      const auto written = sink.write(bytes);
      if (written.outcome == Socket::Outcome::failed) return Status::sink_failed;
      count(written.count);
      bytes.remove_prefix(written.count);
    }
    if (!bytes.empty()) {
      pending_.append(bytes);
      return Status::waiting;
    }
    if (remaining_ == 0) return Status::done;
    // The whole scratch buffer was filled: this is bulk, let the kernel move it.
    if (got.count == resources.scratch.size() && start_splicing(resources.pipes)) {
      return run_splicing(source, sink, resources, count);
    }
    share -= std::min(share, got.count);
    if (share == 0) return Status::yielding;
  }
  return Status::waiting;
}

Pump::Status Pump::run_splicing(Socket& source, Socket& sink, RelayResources& resources,
                                const ByteCount& count) {
  std::size_t share = share_bytes;
  while (share != 0) {
    bool moved = false;
    if (source.readable() && source_state_ == Source::open && remaining_ != 0 &&
        pipe_.size < pipe_.capacity) {
      const auto most = std::min<std::uint64_t>(pipe_.capacity - pipe_.size, remaining_);
      const auto got = source.splice_to_pipe(pipe_.write_end.get(), static_cast<std::size_t>(most));
      if (got.outcome == Socket::Outcome::failed) source_state_ = Source::failed;
      if (got.outcome == Socket::Outcome::ended) source_state_ = Source::ended;
      pipe_.size += got.count;
      took(got.count);
      moved = got.count != 0;
    }
    if (sink.writable() && pipe_.size != 0) {
      const auto put = sink.splice_from_pipe(pipe_.read_end.get(), pipe_.size);
      if (put.outcome == Socket::Outcome::failed) return Status::sink_failed;
      pipe_.size -= put.count;
      count(put.count);
      share -= std::min(share, put.count);
      moved = moved || put.count != 0;
    }
    if (pipe_.size == 0 && when_delivered() != Status::yielding) {
      stop_splicing(resources.pipes);
      return when_delivered();
    }
    if (!moved) break;
  }
  if (share == 0) return Status::yielding;
  // Nothing more for now, and nothing inside: an idle tunnel holds no pipe. EAGAIN from a source that looked
  // readable may also mean that the pipe had no free slot, but then it is not empty.
  if (pipe_.size == 0) stop_splicing(resources.pipes);
  return Status::waiting;
}

bool Pump::start_splicing(PipePool& pipes) {
  if (!may_splice_) return false;
  pipe_ = pipes.take();
  may_splice_ = static_cast<bool>(pipe_.read_end);
  if (may_splice_) mode_ = Mode::splicing;
  return may_splice_;
}

void Pump::stop_splicing(PipePool& pipes) {
  pipes.give_back(std::move(pipe_));
  pipe_ = Pipe{};
  mode_ = Mode::copying;
}

void Pump::drop(PipePool& pipes) {
  pending_.clear();
  if (mode_ == Mode::splicing) stop_splicing(pipes);
}

}  // namespace payg::proxy
