#pragma once

#include "plugin/api/plugin.h"

namespace payg::proxy {

/// How a connection whose session was ended goes.
enum class CutManner {
  abort,     ///< at once; what the kernel holds unsent is thrown away
  farewell,  ///< the client waited for an answer and is told why; the stage closes the connection behind that
};

/// What a client connection is doing at the moment: being read (SOCKS5, HTTP) or relayed (Tunnel). A
/// connection has one stage at a time. All calls come on the worker's thread, and none behind close().
class Stage {
 public:
  virtual ~Stage() = default;

  /// The stage is in place; what has been read of the client so far was handed to its constructor.
  virtual void start() noexcept = 0;
  /// The client's socket became ready.
  virtual void on_client_ready() noexcept = 0;
  /// The connection's timer ran out.
  virtual void on_timeout() noexcept = 0;
  /// The worker is about to stop: nothing new is begun, what is idle is closed.
  virtual void on_drain() noexcept = 0;
  /// Lets go of all that could still call back. The stage is destroyed a little later.
  virtual void close() noexcept = 0;

  // The gate's answers; see plugin::GateListener. Only stages that ask hear them.
  virtual void on_authenticated() noexcept {}
  virtual void on_admitted(const plugin::Location&) noexcept {}
  virtual void on_denied(const plugin::Denial&) noexcept {}
  /// A session that this connection is attached to was ended. From here on no byte is relayed.
  virtual CutManner on_cut(const plugin::Denial& why) noexcept = 0;
};

}  // namespace payg::proxy
