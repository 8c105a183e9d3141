#include "proxy/udp_socket.h"

#include <sys/socket.h>

#include <cerrno>

namespace payg::proxy {

bool UdpSocket::open(event_base* base, const IpAddress& address, UdpSocketHandler& handler) {
  handler_ = &handler;
  readable_ = false;
  fd_.reset(socket(address.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_) return false;
  sockaddr_storage storage;
  const socklen_t length = SocketAddress(address, 0).to(storage);
  if (bind(fd_.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0) {
    event_.assign(base, fd_.get(), EV_READ | EV_ET | EV_PERSIST, on_event, this);
    if (event_.add()) return true;
    errno = ENOMEM;
  }
  const int error = errno;
  close();
  errno = error;
  return false;
}

void UdpSocket::close() noexcept {
  event_.reset();
  fd_.reset();
  readable_ = false;
}

void UdpSocket::on_event(evutil_socket_t, short, void* self) noexcept {
  auto& socket = *static_cast<UdpSocket*>(self);
  socket.readable_ = true;
  socket.handler_->on_datagrams(socket);
}

UdpSocket::Arrival UdpSocket::receive(std::span<char> into) noexcept {
  constexpr int most_errors = 4;
  for (int errors = 0; errors < most_errors; ++errors) {
    sockaddr_storage storage;
    socklen_t length = sizeof storage;
    auto* const from = reinterpret_cast<sockaddr*>(&storage);
    const ssize_t count = recvfrom(fd_.get(), into.data(), into.size(), 0, from, &length);
    if (count >= 0)
      return {Socket::Outcome::some, static_cast<std::size_t>(count),
              SocketAddress::from(from).value_or(SocketAddress())};
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    // Anything else is news of a datagram that was sent earlier (udp(7)), and concerns nobody any more.
  }
  readable_ = false;
  return {Socket::Outcome::blocked, 0, {}};
}

Socket::Transfer UdpSocket::send(std::string_view bytes, const SocketAddress& to) noexcept {
  sockaddr_storage storage;
  const socklen_t length = to.to(storage);
  ssize_t count;
  do {
    count = sendto(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&storage), length);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return {Socket::Outcome::blocked};
  return {Socket::Outcome::some, static_cast<std::size_t>(count)};
}

}  // namespace payg::proxy
