#pragma once

#include <openssl/bio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "proxy/tls_context.h"

namespace payg::proxy {

/// The server's side of one TLS connection over a non-blocking descriptor that its owner keeps open. The
/// handshake is made by the first reads. Nothing is said but what is asked for: destroying it sends no
/// farewell. One thread.
class TlsSession {
 public:
  /// Why a transfer stopped where it did; `count` bytes were moved before that in any case.
  enum class Stop {
    complete,      ///< all that was asked for
    wants_input,   ///< the descriptor is drained
    wants_output,  ///< the descriptor is full
    has_more,      ///< enough for one turn: the peer sends messages that carry no data; try again later
    ended,         ///< the peer said that nothing more comes (close_notify), or just ended (reads only)
    failed,        ///< reset, a breach of the protocol, or no handshake
  };
  struct Transfer {
    Stop stop;
    std::size_t count = 0;
  };

  /// nullptr: out of memory.
  static std::unique_ptr<TlsSession> accept(const TlsContext& context, int fd);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  Transfer read(std::span<char> into) noexcept;
  /// What did not fit stays with the caller, who comes back with the same bytes, and more behind them if he
  /// likes: a record of them may be half-way out (SSL_write(3), "NOTES").
  Transfer write(std::string_view bytes) noexcept;
  /// close_notify. `complete`, or `wants_output`: again when there is room; anything else: not to be said
  /// any more.
  Stop say_goodbye() noexcept;

  bool is_established() const noexcept;
  /// Something was received that no read has returned: data, or a part of a record.
  bool has_unread_input() const noexcept;

 private:
  TlsSession() noexcept = default;

  static BIO_METHOD* descriptor_method();
  static int on_receive(BIO* bio, char* into, int size) noexcept;
  static int on_send(BIO* bio, const char* bytes, int size) noexcept;
  static long on_control(BIO* bio, int command, long, void*) noexcept;

  Stop reason_of(int result) noexcept;

  SSL* ssl_ = nullptr;
  int fd_ = -1;
  bool drained_ = false;  ///< the last receive found nothing
  bool at_end_ = false;   ///< the peer's FIN was received
  bool failed_ = false;   ///< OpenSSL is not to be called again: SSL_get_error(3)
};

}  // namespace payg::proxy
