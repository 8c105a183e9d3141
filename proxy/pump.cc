#include "proxy/pump.h"

#include <algorithm>

namespace payg::proxy {
namespace {

// One run moves at most this much, so that a fast transfer does not keep a worker's other connections waiting
// (1 MiB is about 100 µs of memory bandwidth).
constexpr std::size_t share_bytes = 1024 * 1024;

}  // namespace

Pump::Status Pump::run(Socket& source, Socket& sink, RelayResources& resources, Passage& passage) {
  if (mode_ == Mode::splicing && take_pipe(resources.pipes))
    return run_splicing(source, sink, resources, passage);
  return run_copying(source, sink, resources, passage);
}

Pump::Status Pump::flush(Socket& sink, Passage& passage) {
  while (!pending_.empty()) {
    if (!sink.writable()) return Status::waiting;
    const auto written = passage.write(sink, pending_.view());
    if (written.outcome == Socket::Outcome::failed) return Status::sink_failed;
    if (written.outcome == Socket::Outcome::blocked) return Status::waiting;
    pending_.consume(written.count);
  }
  return when_delivered();
}

Pump::Status Pump::when_delivered() const noexcept {
  if (remaining_ == 0) return Status::done;
  switch (source_state_) {
    case Source::open: break;
    case Source::ended: return Status::ended;
    case Source::failed: return Status::source_failed;
  }
  return Status::yielding;
}

Pump::Status Pump::run_copying(Socket& source, Socket& sink, RelayResources& resources, Passage& passage) {
  if (const auto flushed = flush(sink, passage); flushed != Status::yielding) return flushed;

  std::size_t share = share_bytes;
  while (source.readable() && passage.open()) {
    const auto most = std::min<std::uint64_t>({resources.scratch.size(), remaining_, passage.piece()});
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
      const auto written = passage.write(sink, bytes);
      if (written.outcome == Socket::Outcome::failed) return Status::sink_failed;
      bytes.remove_prefix(written.count);
    }
    if (!bytes.empty()) {
      pending_.append(bytes);
      return Status::waiting;
    }
    if (remaining_ == 0) return Status::done;
    // The whole scratch buffer was filled: this is bulk, let the kernel move it where it can.
    const bool is_bulk = got.count == resources.scratch.size() && source.can_splice() && sink.can_splice();
    if (is_bulk && take_pipe(resources.pipes)) {
      return run_splicing(source, sink, resources, passage);
    }
    share -= std::min(share, got.count);
    if (share == 0) return Status::yielding;
  }
  return Status::waiting;
}

Pump::Status Pump::run_splicing(Socket& source, Socket& sink, RelayResources& resources, Passage& passage) {
  std::size_t moved_in_all = 0;
  while (moved_in_all < share_bytes && passage.open()) {
    const std::size_t filled = fill_pipe(source, passage.piece());
    std::size_t drained = 0;
    if (sink.writable() && pipe_.size != 0) {
      // While the sink took nothing the pipe may have filled with several pieces.
      const std::size_t most = std::min(pipe_.size, passage.piece());
      const auto put = passage.splice_from_pipe(sink, pipe_.read_end.get(), most);
      if (put.outcome == Socket::Outcome::failed) return Status::sink_failed;
      drained = put.count;
      pipe_.size -= drained;
    }
    moved_in_all += drained;
    if (pipe_.size == 0 && when_delivered() != Status::yielding) {
      return_pipe(resources.pipes);
      return when_delivered();
    }
    if (filled == 0 && drained == 0) break;
  }
  if (moved_in_all >= share_bytes) return Status::yielding;
  if (pipe_.size == 0) {
    // Nothing more for now: an idle tunnel holds no pipe. When little came this time, little is expected next
    // time.
    return_pipe(resources.pipes);
    if (moved_in_all < resources.scratch.size()) mode_ = Mode::copying;
  }
  return Status::waiting;
}

std::size_t Pump::fill_pipe(Socket& source, std::size_t limit) {
  if (!source.readable() || source_state_ != Source::open || remaining_ == 0 || pipe_.size >= pipe_.capacity)
    return 0;
  const auto most = std::min<std::uint64_t>({pipe_.capacity - pipe_.size, remaining_, limit});
  const auto got = source.splice_to_pipe(pipe_.write_end.get(), static_cast<std::size_t>(most));
  if (got.outcome == Socket::Outcome::failed) source_state_ = Source::failed;
  if (got.outcome == Socket::Outcome::ended) source_state_ = Source::ended;
  if (got.outcome == Socket::Outcome::blocked && pipe_.size == 0) source.found_drained();
  pipe_.size += got.count;
  took(got.count);
  return got.count;
}

bool Pump::take_pipe(PipePool& pipes) {
  if (!pipe_.read_end) pipe_ = pipes.take();
  mode_ = pipe_.read_end ? Mode::splicing : Mode::copying;
  return mode_ == Mode::splicing;
}

void Pump::return_pipe(PipePool& pipes) {
  pipes.give_back(std::move(pipe_));
  pipe_ = Pipe{};
}

void Pump::drop(PipePool& pipes) {
  pending_.clear();
  if (pipe_.read_end) return_pipe(pipes);
}

}  // namespace payg::proxy
