#include "proxy/socket.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>

namespace payg::proxy {

bool Socket::open(event_base* base, UniqueFd fd, SocketHandler& handler) {
  fd_ = std::move(fd);
  handler_ = &handler;
  readable_ = peer_ended_ = false;
  writable_ = true;  // an edge of its own comes too, but the first write need not wait for it
  event_.assign(base, fd_.get(), EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, on_event, this);
  if (event_.add()) return true;
  close();
  return false;
}

void Socket::close() noexcept {
  event_.reset();
  fd_.reset();
  readable_ = writable_ = false;
}

void Socket::abort() noexcept {
  if (!fd_) return;
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

void Socket::on_event(evutil_socket_t, short what, void* self) noexcept {
  auto& socket = *static_cast<Socket*>(self);
  if (what & (EV_READ | EV_CLOSED)) socket.readable_ = true;
  if (what & EV_WRITE) socket.writable_ = true;
  if (what & EV_CLOSED) socket.peer_ended_ = true;
  socket.handler_->on_ready(socket);
}

Socket::Transfer Socket::came_to(ssize_t count, bool& readiness) noexcept {
  if (count >= 0) return {Outcome::some, static_cast<std::size_t>(count)};
  if (errno == EAGAIN || errno == EWOULDBLOCK) {
    readiness = false;
    return {Outcome::blocked};
  }
  return {Outcome::failed};
}

Socket::Transfer Socket::read(std::span<char> into) noexcept {
  ssize_t count;
  do {
    count = recv(fd_.get(), into.data(), into.size(), 0);
  } while (count < 0 && errno == EINTR);
  if (count == 0) return {Outcome::ended};
  // A short read drained the socket: the next bytes make an edge of their own, so the call that would only
  // say EAGAIN is saved. Not so when the peer's end is behind the data already: its edge has been.
  if (count > 0 && static_cast<std::size_t>(count) < into.size() && !peer_ended_) readable_ = false;
  return came_to(count, readable_);
}

Socket::Transfer Socket::write(std::string_view bytes) noexcept {
  ssize_t count;
  do {
    count = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  return came_to(count, writable_);
}

Socket::Transfer Socket::splice_to_pipe(int pipe, std::size_t count) noexcept {
  ssize_t moved;
  do {
    moved = splice(fd_.get(), nullptr, pipe, nullptr, count, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  } while (moved < 0 && errno == EINTR);
  if (moved == 0) return {Outcome::ended};
  // EAGAIN may also mean that the pipe has no free slot, so it says nothing about the socket: see
  // found_drained().
  bool readable_or_full = true;
  return came_to(moved, readable_or_full);
}

Socket::Transfer Socket::splice_from_pipe(int pipe, std::size_t count) noexcept {
  ssize_t moved;
  do {
    moved = splice(pipe, nullptr, fd_.get(), nullptr, count, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  } while (moved < 0 && errno == EINTR);
  return came_to(moved, writable_);
}

bool Socket::is_reset() const noexcept {
  char byte;
  return recv(fd_.get(), &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) < 0 && errno != EAGAIN &&
         errno != EINTR;
}

void Socket::shut_down_writing() noexcept {
  shutdown(fd_.get(), SHUT_WR);
}

void Socket::ready_again() noexcept {
  event_.activate(EV_READ);
}

}  // namespace payg::proxy
