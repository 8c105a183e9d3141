#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "plugin/base/address.h"
#include "plugin/base/unique_fd.h"

namespace payg::test {

/// One end of a TCP connection, as raw as the test wants it: what is sent is sent as it stands, nothing is
/// tidied up. Every read gives up with a HarnessError after `patience`. One thread at a time, but
/// interrupt() may come from any.
class Stream {
 public:
  explicit Stream(UniqueFd socket);
  Stream(Stream&&) noexcept = default;
  Stream& operator=(Stream&&) noexcept = default;

  /// Throws HarnessError when the other side is gone.
  void send(std::string_view bytes);
  /// The same, but says with false that the other side is gone.
  [[nodiscard]] bool try_send(std::string_view bytes);
  /// One byte in each segment.
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

  /// Half-close: nothing more will be sent.
  void finish_sending();
  /// Closes with a reset.
  void reset();
  void close() { socket_.reset(); }
  /// Makes every read and write, under way or to come, end. Any thread, while the Stream lives.
  void interrupt() const;

  SocketAddress local() const;
  SocketAddress peer() const;
  int fd() const { return socket_.get(); }

 private:
  bool fill(std::size_t limit);

  UniqueFd socket_;
  std::string buffer_;  // received and not yet taken
  bool ended_ = false;
  bool was_reset_ = false;
};

enum class ReceiveBuffer { normal, small };

/// A client's connection. Throws HarnessError when nobody listens there.
class RawClient : public Stream {
 public:
  explicit RawClient(const SocketAddress& server, ReceiveBuffer buffer = ReceiveBuffer::normal);
};

/// A listening socket. Throws HarnessError when the address cannot be bound.
UniqueFd listen_on(const SocketAddress& address, int backlog = 512);

/// Throws HarnessError when it is none.
SocketAddress parse_address(std::string_view text);

}  // namespace payg::test
