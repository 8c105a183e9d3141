#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "plugin/base/address.h"
#include "plugin/base/event.h"
#include "plugin/base/unique_fd.h"
#include "proxy/socket.h"

namespace payg::proxy {

class UdpSocket;

/// Who is told that something has arrived. May destroy the socket, and itself, within the call.
class UdpSocketHandler {
 public:
  virtual void on_datagrams(UdpSocket& socket) noexcept = 0;

 protected:
  ~UdpSocketHandler() = default;
};

/// An unconnected non-blocking UDP socket on a worker's loop, watched edge-triggered as a Socket is. Used on
/// its worker's thread only. Stays where it is.
class UdpSocket {
 public:
  struct Arrival {
    Socket::Outcome outcome;  ///< some, or blocked
    std::size_t count = 0;
    SocketAddress from;
  };

  UdpSocket() = default;
  /// Binds to a free port of `address`. False when the kernel refuses: errno.
  bool open(event_base* base, const IpAddress& address, UdpSocketHandler& handler);
  void close() noexcept;

  bool is_open() const noexcept { return static_cast<bool>(fd_); }
  bool readable() const noexcept { return readable_; }
  /// Where it is bound; nullopt when the kernel does not say.
  std::optional<SocketAddress> local() const { return local_address(fd_.get()); }
  /// The next datagram; one that is longer than `into` is cut. `blocked`: nothing now, on_datagrams comes.
  Arrival receive(std::span<char> into) noexcept;

 private:
  // What goes out needs leave.
  friend class Passage;
  /// `blocked`: the kernel does not take it, now or at all. Nobody repeats a datagram.
  Socket::Transfer send(std::string_view bytes, const SocketAddress& to) noexcept;

  static void on_event(evutil_socket_t, short, void* self) noexcept;

  UniqueFd fd_;
  UdpSocketHandler* handler_ = nullptr;
  bool readable_ = false;
  Event event_;
};

}  // namespace payg::proxy
