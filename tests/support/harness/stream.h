#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "plugin/base/address.h"
#include "plugin/base/unique_fd.h"
#include "tests/support/harness/tls_end.h"

namespace payg::test {

/// One end of a TCP connection, as raw as the test wants it: what is sent is sent as it stands, nothing is
/// tidied up. Every read gives up with a HarnessError after `patience`. One thread at a time, but
/// interrupt() may come from any.
class Stream {
 public:
  explicit Stream(UniqueFd socket);
  ~Stream() { close(); }
  /// From here on everything goes through TLS, with us as the client. Throws HarnessError when there is no
  /// handshake.
  void start_tls(const TlsOffer& offer = {});
  /// nullptr: it is plain.
  TlsEnd* tls() { return tls_.get(); }
  Stream(Stream&&) noexcept = default;
  Stream& operator=(Stream&&) noexcept = default;

  /// Throws HarnessError when the other side is gone.
  void send(std::string_view bytes);
  /// The same, but says with false that the other side is gone.
  [[nodiscard]] bool try_send(std::string_view bytes);
  /// One byte in each segment (by TLS in each record, and the records as they are).
  void send_slowly(std::string_view bytes);

  std::string read_exactly(std::size_t count);
  /// Up to and with `delimiter`. Throws HarnessError when the stream ends before it.
  std::string read_until(std::string_view delimiter);
  /// What there is, at most `limit` bytes; waits for the first one. Empty: the stream has ended.
  std::string read_some(std::size_t limit = 65536);
  /// Everything until the other side closes or resets.
  std::string read_to_end();
  /// True when the other side has closed or reset and everything it sent was read; waits for either an end
  /// or a byte.
  bool at_end();
  /// True when something can be read, or the end has come, within `limit`.
  bool readable_within(std::chrono::milliseconds limit);
  /// The stream ended with a reset or an error instead of an orderly close.
  bool was_reset() const { return was_reset_; }

  /// Half-close: nothing more will be sent (by TLS with close_notify).
  void finish_sending();
  /// Closes with a reset.
  void reset();
  void close();
  /// Makes every read and write, under way or to come, end. Any thread, while the Stream lives.
  void interrupt() const;

  SocketAddress local() const;
  SocketAddress peer() const;
  int fd() const { return socket_.get(); }

 private:
  bool fill(std::size_t limit);
  ssize_t receive(char* into, std::size_t limit);

  UniqueFd socket_;
  std::unique_ptr<TlsEnd> tls_;
  std::string buffer_;  // received and not yet taken
  bool ended_ = false;
  bool was_reset_ = false;
};

enum class ReceiveBuffer { normal, small };
/// What a listener speaks, and so its clients.
enum class Transport { plain, tls };
inline constexpr Transport both_transports[] = {Transport::plain, Transport::tls};

/// A client's connection. Throws HarnessError when nobody listens there.
class RawClient : public Stream {
 public:
  explicit RawClient(const SocketAddress& server, ReceiveBuffer buffer = ReceiveBuffer::normal);
  RawClient(const SocketAddress& server, Transport transport, ReceiveBuffer buffer = ReceiveBuffer::normal);
  /// From an address of this machine: on loopback, any of 127.0.0.0/8.
  RawClient(const SocketAddress& server, const IpAddress& from);
};

/// A listening socket. Throws HarnessError when the address cannot be bound.
UniqueFd listen_on(const SocketAddress& address, int backlog = 512);

/// Throws HarnessError when it is none.
SocketAddress parse_address(std::string_view text);

}  // namespace payg::test
