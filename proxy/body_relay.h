#pragma once

#include "proxy/buffer.h"
#include "proxy/http/chunked_decoder.h"
#include "proxy/http/framing.h"
#include "proxy/pump.h"
#include "proxy/socket.h"

namespace payg::proxy {

/// One side of a connection that carries messages: the socket, what was read of it and not used yet, and what
/// is to be written to it.
struct MessageSide {
  Socket& socket;
  Buffer& received;
  Buffer& unsent;
};

/// Sends as much of what is unsent as the sink takes now, while the passage is open.
enum class FlushOutcome { all, waiting, failed };
FlushOutcome flush(MessageSide side, Passage& passage);

/// Moves the body of one message from the side that it comes from to the other, framed for that other side. A
/// body whose bytes are not touched (a length, or until the connection ends) goes through a Pump, with
/// splice(2) for bulk; a chunked one is decoded and chunked anew, so that nothing of a stranger's framing is
/// passed on.
///
/// Never reads past the end of the body, but for what it puts back into `received`. Buffers at most one read
/// of payload.
class BodyRelay {
 public:
  enum class Status {
    waiting,
    yielding,
    done,       ///< the whole body was delivered
    cut_short,  ///< the source ended or was reset before the end of the body
    sink_failed,
    malformed,  ///< bad chunked coding
  };

  /// No body.
  BodyRelay() : BodyRelay(http::BodyFraming{}, http::BodyFraming{}) {}
  /// As it comes in, and as it goes out.
  BodyRelay(http::BodyFraming received, http::BodyFraming sent);

  Status run(MessageSide source, MessageSide sink, RelayResources& resources, Passage& passage);
  void drop(PipePool& pipes) { pump_.drop(pipes); }

 private:
  Status run_plain(MessageSide source, MessageSide sink, RelayResources& resources, Passage& passage);
  Status run_chunked(MessageSide source, MessageSide sink, RelayResources& resources, Passage& passage);
  /// Decodes into `unsent`; returns how much of `input` was used.
  std::size_t decode(std::string_view input, Buffer& unsent);

  enum class Coding : std::uint8_t { open, ended, cut_short, malformed };
  Status status_when_delivered() const noexcept;
  /// What is left of a plain body goes from what was read already first, then through the pump.
  enum class Plain : std::uint8_t { from_received, from_socket };

  http::BodyFraming framing_;
  bool chunk_again_;
  Plain plain_ = Plain::from_received;
  Coding coding_ = Coding::open;
  http::ChunkedDecoder decoder_;
  Pump pump_;
};

}  // namespace payg::proxy
