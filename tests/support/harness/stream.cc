#include "tests/support/harness/stream.h"

#include <netinet/tcp.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tests/support/harness/patience.h"

namespace payg::test {

namespace {

void set_option(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof value);
}

[[noreturn]] void fail(const std::string& what) {
  throw HarnessError(what + ": " + std::strerror(errno));
}

}  // namespace

Stream::Stream(UniqueFd socket) : socket_(std::move(socket)) {
  set_option(fd(), IPPROTO_TCP, TCP_NODELAY, 1);
  const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
  setsockopt(fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

void Stream::send(std::string_view bytes) {
  if (!try_send(bytes)) fail("cannot send");
}

void Stream::start_tls(const TlsOffer& offer) {
  tls_ = std::make_unique<TlsEnd>(offer);
  tls_->shake_hands(fd());
}

bool Stream::try_send(std::string_view bytes) {
  if (tls_) return tls_->send(fd(), bytes);
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void Stream::send_slowly(std::string_view bytes) {
  for (const char byte : bytes) send(std::string_view(&byte, 1));
}

ssize_t Stream::receive(char* into, std::size_t limit) {
  if (tls_) return tls_->receive(fd(), into, limit);
  ssize_t got = 0;
  do {
    got = ::recv(fd(), into, limit, 0);
  } while (got < 0 && errno == EINTR);
  return got;
}

bool Stream::fill(std::size_t limit) {
  if (ended_) return false;
  const std::size_t before = buffer_.size();
  buffer_.resize(before + limit);
  const ssize_t got = receive(buffer_.data() + before, limit);
  buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) throw HarnessError("nothing arrived in time");
  ended_ = got <= 0;
  was_reset_ = was_reset_ || got < 0;
  return got > 0;
}

std::string Stream::read_exactly(std::size_t count) {
  while (buffer_.size() < count) {
    if (!fill(count - buffer_.size())) {
      throw StreamEnded("the stream ended after " + std::to_string(buffer_.size()) + " of " +
                        std::to_string(count) + " bytes: " + buffer_.substr(0, 200));
    }
  }
  std::string taken = buffer_.substr(0, count);
  buffer_.erase(0, count);
  return taken;
}

std::string Stream::read_until(std::string_view delimiter) {
  std::size_t searched = 0;
  for (;;) {
    const auto found = buffer_.find(delimiter, searched);
    if (found != std::string::npos) return read_exactly(found + delimiter.size());
    searched = buffer_.size() < delimiter.size() ? 0 : buffer_.size() - delimiter.size() + 1;
    if (!fill(65536)) throw StreamEnded("the stream ended too early, after: " + buffer_.substr(0, 400));
  }
}

std::string Stream::read_some(std::size_t limit) {
  if (buffer_.empty()) fill(limit);
  return read_exactly(std::min(limit, buffer_.size()));
}

std::string Stream::read_to_end() {
  while (fill(65536)) {
  }
  return std::exchange(buffer_, {});
}

bool Stream::at_end() {
  return buffer_.empty() && !fill(65536);
}

bool Stream::readable_within(std::chrono::milliseconds limit) {
  if (!buffer_.empty() || ended_) return true;
  if (tls_) return tls_->readable_within(fd(), limit);
  pollfd wanted{.fd = fd(), .events = POLLIN, .revents = 0};
  return ::poll(&wanted, 1, static_cast<int>(limit.count())) > 0;
}

void Stream::finish_sending() {
  if (tls_) tls_->say_goodbye(fd());
  ::shutdown(fd(), SHUT_WR);
}

void Stream::reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  socket_.reset();
}

void Stream::close() {
  if (tls_ && socket_) tls_->take_tickets(fd());
  socket_.reset();
}

void Stream::interrupt() const {
  ::shutdown(fd(), SHUT_RDWR);
}

SocketAddress Stream::local() const {
  return local_address(fd()).value_or(SocketAddress{});
}
SocketAddress Stream::peer() const {
  return peer_address(fd()).value_or(SocketAddress{});
}

namespace {

UniqueFd connect_to(const SocketAddress& server, ReceiveBuffer buffer, std::optional<IpAddress> from) {
  sockaddr_storage address{};
  const socklen_t length = server.to(address);
  UniqueFd socket(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) fail("no socket");
  if (buffer == ReceiveBuffer::small) set_option(socket.get(), SOL_SOCKET, SO_RCVBUF, 16 * 1024);
  sockaddr_storage source{};
  if (from && ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&source),
                     SocketAddress(*from, 0).to(source)) != 0) {
    fail("cannot come from " + from->to_string());
  }
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    fail("cannot connect to " + server.to_string());
  }
  return socket;
}

}  // namespace

RawClient::RawClient(const SocketAddress& server, ReceiveBuffer buffer)
    : Stream(connect_to(server, buffer, std::nullopt)) {}

RawClient::RawClient(const SocketAddress& server, const IpAddress& from)
    : Stream(connect_to(server, ReceiveBuffer::normal, from)) {}

RawClient::RawClient(const SocketAddress& server, Transport transport, ReceiveBuffer buffer)
    : RawClient(server, buffer) {
  if (transport == Transport::tls) start_tls();
}

UniqueFd listen_on(const SocketAddress& address, int backlog) {
  sockaddr_storage name{};
  const socklen_t length = address.to(name);
  UniqueFd socket(::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) fail("no socket");
  set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (name.ss_family == AF_INET6) set_option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), length) != 0 ||
      ::listen(socket.get(), backlog) != 0) {
    fail("cannot listen on " + address.to_string());
  }
  return socket;
}

SocketAddress parse_address(std::string_view text) {
  if (const auto address = SocketAddress::parse(text)) return *address;
  throw HarnessError("no address: " + std::string(text));
}

}  // namespace payg::test
