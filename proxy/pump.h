#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "proxy/buffer.h"
#include "proxy/passage.h"
#include "proxy/pipe_pool.h"
#include "proxy/socket.h"

namespace payg::proxy {

/// What a pump borrows from its worker while it runs: nothing of it is held between two calls.
struct RelayResources {
  std::span<char> scratch;  ///< the worker's shared buffer
  PipePool& pipes;
};

/// Moves bytes one way, from one socket to another, unchanged: recv and send through the worker's buffer
/// while little comes, splice(2) through a pipe as soon as much does. Back-pressure: it reads only what it
/// can write, but for one buffer or pipe that the sink refused. Holds nothing while nothing is under way.
class Pump {
 public:
  static constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

  enum class Status {
    waiting,   ///< for a socket to become ready, or for the passage to open
    yielding,  ///< its share of this round is used up, there is more: call Socket::ready_again and come back
    done,      ///< `limit` bytes were moved, all of them delivered
    ended,     ///< the source ended before the limit; all that it sent was delivered
    source_failed,  ///< the source was reset; all that was read of it was delivered
    sink_failed,
  };

  Pump() = default;
  /// At most this many bytes; reading never goes past them.
  explicit Pump(std::uint64_t limit) noexcept : remaining_(limit) {}
  /// These bytes go to the sink before anything is read.
  explicit Pump(Buffer first) noexcept : pending_(std::move(first)) {}

  /// Moves what can be moved now, while `passage` is open; it is told of every byte handed to the sink.
  Status run(Socket& source, Socket& sink, RelayResources& resources, Passage& passage);
  /// Gives buffer and pipe back, with what is still inside: for a pump that is given up.
  void drop(PipePool& pipes);
  /// Bytes taken from the source that the sink has not taken yet.
  bool holds_bytes() const noexcept { return !pending_.empty() || pipe_.size != 0; }

 private:
  Status run_copying(Socket& source, Socket& sink, RelayResources& resources, Passage& passage);
  Status run_splicing(Socket& source, Socket& sink, RelayResources& resources, Passage& passage);
  Status flush(Socket& sink, Passage& passage);
  /// What it means that the sink has everything: more to come, or how it ended.
  Status when_delivered() const noexcept;
  /// Moves what fits from the source into the pipe; returns how much that was.
  std::size_t fill_pipe(Socket& source, std::size_t limit);
  /// False, and copying from here on: no pipe is to be had.
  bool take_pipe(PipePool& pipes);
  void return_pipe(PipePool& pipes);
  void took(std::size_t count) noexcept {
    if (remaining_ != no_limit) remaining_ -= count;
  }

  enum class Mode : std::uint8_t { copying, splicing };
  enum class Source : std::uint8_t { open, ended, failed };

  std::uint64_t remaining_ = no_limit;
  Buffer pending_;
  Pipe pipe_;
  Mode mode_ = Mode::copying;
  Source source_state_ = Source::open;
};

}  // namespace payg::proxy
