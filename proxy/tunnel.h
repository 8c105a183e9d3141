#pragma once

#include <memory>
#include <optional>

#include "proxy/connection.h"
#include "proxy/pump.h"
#include "proxy/stage.h"

namespace payg::proxy {

/// Relays bytes between the client and its target, both ways, until both have ended or the connection is cut.
/// What one side sent before it closed is delivered before the close is passed on; a half-close passes as a
/// half-close.
class Tunnel final : public Stage, public SocketHandler {
 public:
  /// `to_target` and `to_client`: bytes that are to be sent first (what the client sent behind its handshake;
  /// the answer to it).
  Tunnel(Connection& connection, std::unique_ptr<Socket> target, Buffer to_target, Buffer to_client);

  void start() noexcept override;
  void on_client_ready() noexcept override { relay(); }
  void on_timeout() noexcept override;
  void on_drain() noexcept override {}  // goes on until drain_timeout
  CutManner on_cut(const plugin::Denial& why) noexcept override;
  void close() noexcept override;

 private:
  enum class Way : std::uint8_t {
    open,
    discarding,  ///< the sink is gone; what the source still sends is read and thrown away, so that closing
                 ///< does not reset the connection under bytes that are on their way to it
    over,
  };
  struct Direction {
    Pump pump;
    Way way = Way::open;
  };

  void on_ready(Socket&) noexcept override { relay(); }
  void relay() noexcept;
  void relay_up() noexcept;
  void relay_down() noexcept;
  void step(Direction& direction, Socket& source, Socket& sink, Passage& passage) noexcept;
  void discard(Direction& direction, Socket& source) noexcept;
  void note_end(ConnectionEnd end) noexcept {
    if (!end_) end_ = end;
  }

  Connection& connection_;
  std::unique_ptr<Socket> target_;
  Direction up_;
  Direction down_;
  /// lingering: only bytes to be thrown away are left; that may not last.
  enum class Phase : std::uint8_t { relaying, lingering };
  Phase phase_ = Phase::relaying;
  std::optional<ConnectionEnd> end_;  ///< what came first
  MonotonicTime last_activity_;
};

}  // namespace payg::proxy
