#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "plugin/base/event.h"
#include "plugin/base/unique_fd.h"

namespace payg::proxy {

class Socket;
class TlsContext;
class TlsSession;

/// Who is told that a socket became ready. May destroy the socket, and itself, within the call.
class SocketHandler {
 public:
  virtual void on_ready(Socket& socket) noexcept = 0;

 protected:
  ~SocketHandler() = default;
};

/// A connected non-blocking TCP socket on a worker's loop. It is watched edge-triggered, once, for its whole
/// life: no epoll_ctl per message. Readiness is remembered until a call finds the socket drained or full, as
/// epoll(7) asks for. Used on its worker's thread only. Stays where it is.
///
/// It may speak TLS, as a server: what is read and written is what the peer means then, and what goes out by
/// itself (handshake, answers to key updates, close_notify) holds nothing of that.
class Socket {
 public:
  /// What a read or a write came to.
  enum class Outcome {
    some,     ///< `count` bytes were moved
    blocked,  ///< nothing now; on_ready comes
    ended,    ///< end of what the peer sends (reads only)
    failed,   ///< reset, or any other error; nothing more will come or go
  };
  struct Transfer {
    Outcome outcome;
    std::size_t count = 0;
  };

  Socket() noexcept;
  ~Socket();
  /// Takes the descriptor and watches it. False when the kernel refuses to watch it; the descriptor is closed
  /// then.
  bool open(event_base* base, UniqueFd fd, SocketHandler& handler);
  void set_handler(SocketHandler& handler) noexcept { handler_ = &handler; }
  /// From the next byte on it speaks TLS; reads make the handshake. False: out of memory.
  [[nodiscard]] bool start_tls(const TlsContext& context);
  /// An orderly end, with close_notify if that was not said yet.
  void close() noexcept;
  /// Closes so that what the kernel still holds unsent is thrown away: what is cut has to stop at once, not
  /// when a slow reader has emptied the send buffer. (SO_LINGER, socket(7).)
  void abort() noexcept;

  bool is_open() const noexcept { return static_cast<bool>(fd_); }
  int fd() const noexcept { return fd_.get(); }
  bool readable() const noexcept { return readable_; }
  bool writable() const noexcept { return writable_; }
  /// The kernel may move its bytes to another socket unseen. When not, splice_… must not be called.
  bool can_splice() const noexcept { return tls_ == nullptr; }
  /// TLS was started, and its handshake is over.
  bool has_tls_session() const noexcept;

  /// The connection is gone both ways. Asks the kernel: a reset need not show as anything to read.
  bool is_reset() const noexcept;
  /// A reset or another error has come that no call has been told of. Asks the kernel.
  bool has_failed() const noexcept;
  /// There is something to read, or the peer has ended or reset. Asks the kernel. (By TLS it may be a message
  /// that carries no data.)
  bool has_news() const noexcept;
  /// Bytes that were written wait in the kernel for the peer to take or acknowledge them.
  bool has_unsent_bytes() const noexcept;

  Transfer read(std::span<char> into) noexcept;
  /// Reads what stays there to be read again. REQUIRES: no TLS.
  Transfer peek(std::span<char> into) noexcept;
  /// splice(2), `count` bytes at most. `blocked` also means that the pipe is full: a caller whose pipe was
  /// empty says found_drained().
  Transfer splice_to_pipe(int pipe, std::size_t count) noexcept;
  /// Reads and throws away what is there; a bounded share of it, then on_ready comes again. `all`: up to the
  /// peer's end.
  enum class Discarded { some, all };
  Discarded discard(std::span<char> scratch) noexcept;
  void found_drained() noexcept { readable_ = false; }
  /// Half-close: tells the peer that nothing more comes.
  void shut_down_writing() noexcept;
  /// Another on_ready in the next round of the loop, although nothing changed: for work that was put off to
  /// let others have their turn.
  void ready_again() noexcept;

 private:
  // What goes out needs leave.
  friend class Passage;
  Transfer write(std::string_view bytes) noexcept;
  Transfer splice_from_pipe(int pipe, std::size_t count) noexcept;

  static void on_event(evutil_socket_t, short what, void* self) noexcept;
  static Transfer came_to(ssize_t count) noexcept;
  void let_go() noexcept;
  Transfer receive(std::span<char> into, int flags) noexcept;
  Transfer read_tls(std::span<char> into) noexcept;
  Transfer write_tls(std::string_view bytes) noexcept;

  /// A read of TLS may have to write first, and the reverse.
  enum class Awaits : std::uint8_t { itself, the_other_way };
  /// How far shut_down_writing has come: a socket that is full has no room for close_notify.
  enum class Ending : std::uint8_t { none, wants_room, over };

  UniqueFd fd_;
  SocketHandler* handler_ = nullptr;
  std::unique_ptr<TlsSession> tls_;
  bool readable_ = false;
  bool writable_ = false;
  Awaits reading_ = Awaits::itself;
  Awaits writing_ = Awaits::itself;
  Ending ending_ = Ending::none;
  Event event_;
};

}  // namespace payg::proxy
