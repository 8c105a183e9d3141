#include "proxy/listener.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace payg::proxy {
namespace {

// Enough to empty a burst in few wake-ups, few enough that the connections that are there keep their turn.
constexpr int batch = 64;
constexpr std::chrono::milliseconds retry_delay{100};

}  // namespace

Listener::Listener(event_base* base, UniqueFd listening, Entrance entrance, ConnectionLimit& limit,
                   ListenerHandler& handler)
    : fd_(std::move(listening)), entrance_(std::move(entrance)), limit_(limit), handler_(handler) {
  readable_.assign(base, fd_.get(), EV_READ | EV_PERSIST, on_readable, this);
  retry_.assign(base, -1, 0, on_retry, this);
  readable_.add();
}

void Listener::stop() noexcept {
  if (!fd_) return;
  while (accept_batch() == Batch::full) {
  }
  readable_.reset();
  retry_.reset();
  fd_.reset();
}

void Listener::on_readable(evutil_socket_t, short, void* self) noexcept {
  static_cast<void>(static_cast<Listener*>(self)->accept_batch());
}

void Listener::on_retry(evutil_socket_t, short, void* self) noexcept {
  auto& listener = *static_cast<Listener*>(self);
  if (!listener.readable_.add()) listener.retry_.add_for(retry_delay);
}

Listener::Batch Listener::accept_batch() noexcept {
  for (int i = 0; i < batch; ++i) {
    if (!limit_.enter()) {
      pause();
      return Batch::over;
    }
    sockaddr_storage storage;
    socklen_t length = sizeof storage;
    auto* address = reinterpret_cast<sockaddr*>(&storage);
    UniqueFd fd(accept4(fd_.get(), address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      limit_.leave();
      // Any other error concerns the one connection that could not be accepted: accept(2), "Error handling".
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause();
        return Batch::over;
      }
      if (errno == EAGAIN || errno == EWOULDBLOCK) return Batch::over;
      continue;
    }
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    handler_.on_accepted(std::move(fd), SocketAddress::from(address).value_or(SocketAddress()), entrance_);
  }
  return Batch::full;
}

void Listener::pause() noexcept {
  handler_.on_accept_paused();
  readable_.remove();
  retry_.add_for(retry_delay);
}

namespace {

enum class PortSharing { shared, exclusive };

std::runtime_error failure(const SocketAddress& address, const char* call) {
  return std::runtime_error("cannot listen on " + address.to_string() + ": " + call + ": " +
                            std::strerror(errno));
}

UniqueFd bound_socket(const SocketAddress& address, PortSharing sharing) {
  const int family = address.ip().is_v4() ? AF_INET : AF_INET6;
  UniqueFd fd(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd) throw failure(address, "socket");
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (sharing == PortSharing::shared && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
    throw failure(address, "SO_REUSEPORT");
  }
  sockaddr_storage storage;
  const socklen_t length = address.to(storage);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) throw failure(address, "bind");
  return fd;
}

}  // namespace

UniqueFd listen_on(const SocketAddress& address) {
  UniqueFd fd = bound_socket(address, PortSharing::shared);
  // What the kernel allows (net.core.somaxconn): a burst must not be answered with resets.
  constexpr int backlog = 65535;
  if (listen(fd.get(), backlog) != 0) throw failure(address, "listen");
  return fd;
}

void ensure_unused(const SocketAddress& address) {
  bound_socket(address, PortSharing::exclusive);
}

}  // namespace payg::proxy
