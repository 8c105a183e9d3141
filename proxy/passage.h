#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "plugin/api/plugin.h"
#include "proxy/hold_list.h"
#include "proxy/pace.h"
#include "proxy/socket.h"
#include "proxy/udp_socket.h"

namespace payg::proxy {

/// Where relayed bytes of one direction are counted: the worker's total, the connection's own, and the
/// sessions that it belongs to.
struct ByteCount {
  std::atomic<std::uint64_t>& total;
  std::uint64_t& connection;
  Sessions sessions;
  std::atomic<std::uint64_t> plugin::SessionTraffic::*direction;

  void operator()(std::uint64_t bytes) const noexcept {
    total.fetch_add(bytes, std::memory_order_relaxed);
    connection += bytes;
    for (auto* session : sessions) (session->*direction).fetch_add(bytes, std::memory_order_relaxed);
  }
};

/// The way of one connection's bytes in one direction: open while its sessions permit (SessionTraffic) and
/// its user's pace has room, and where is counted what went along it. Nothing else can write to a Socket, so
/// that no relaying can forget to ask. Made anew for each run; the worker's thread.
///
/// It asks before each piece (a buffer, or what a pipe holds), and reads the clock anew behind each: a
/// process that is stopped between the question and the piece moves that one piece when it wakes up, and no
/// other.
class Passage {
 public:
  /// Bytes of sessions; `now`: the moment at which the run begins. When it is found shut, `connection` is
  /// held. `pace`: nullptr: nobody's.
  Passage(const ByteCount& count, Pace* pace, Holdable& connection, HoldList& holds,
          MonotonicTime now) noexcept
      : count_(count), pace_(pace), connection_(&connection), holds_(&holds), now_(now) {
    if (pace_ != nullptr && !pace_->is_bounded()) pace_ = nullptr;
  }
  /// The proxy's own words: always open.
  explicit Passage(const ByteCount& count) noexcept : count_(count) {}

  /// May a piece move now? When not, the connection is held, and its client's on_ready comes when it may. To
  /// be asked before a piece is read, so that it stays with its sender until it may go on.
  [[nodiscard]] bool open() noexcept {
    if (holds_ == nullptr) return true;
    const MonotonicTime until = relay_until(count_.sessions);
    if (until == MonotonicTime::max() && pace_ == nullptr) return true;
    // Others of its user have waited for longer; an event of its sockets does not let it pass them.
    if (pace_ != nullptr && connection_->held()) return false;
    if (reading_ == Reading::old) now_ = holds_->clock().now();
    reading_ = Reading::fresh;
    if (now_ <= until && (pace_ == nullptr || pace_->has_room(now_))) return true;
    holds_->hold(*connection_);
    return false;
  }
  /// No larger piece should be read than this.
  std::size_t piece() const noexcept {
    return pace_ == nullptr ? std::numeric_limits<std::size_t>::max() : pace_->piece();
  }
  /// As the socket's own send(2) and splice(2); `blocked` also when the passage is shut.
  Socket::Transfer write(Socket& sink, std::string_view bytes) noexcept {
    return open() ? moved(sink.write(bytes)) : Socket::Transfer{Socket::Outcome::blocked};
  }
  Socket::Transfer splice_from_pipe(Socket& sink, int pipe, std::size_t count) noexcept {
    return open() ? moved(sink.splice_from_pipe(pipe, count)) : Socket::Transfer{Socket::Outcome::blocked};
  }
  Socket::Transfer send(UdpSocket& sink, std::string_view datagram, const SocketAddress& to) noexcept {
    return open() ? moved(sink.send(datagram, to)) : Socket::Transfer{Socket::Outcome::blocked};
  }

 private:
  Socket::Transfer moved(Socket::Transfer transfer) noexcept {
    if (transfer.count == 0) return transfer;
    count_(transfer.count);
    if (pace_ != nullptr) pace_->moved(transfer.count, now_);
    if (connection_ != nullptr) connection_->had_its_turn();
    reading_ = Reading::old;
    return transfer;
  }

  enum class Reading : std::uint8_t { fresh, old };

  ByteCount count_;
  Pace* pace_ = nullptr;
  Holdable* connection_ = nullptr;
  HoldList* holds_ = nullptr;
  MonotonicTime now_{};
  Reading reading_ = Reading::fresh;  ///< of the clock, in now_
};

}  // namespace payg::proxy
