#include "proxy/socket.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

#include "proxy/tls_session.h"

namespace payg::proxy {

Socket::Socket() noexcept = default;
Socket::~Socket() = default;

bool Socket::open(event_base* base, UniqueFd fd, SocketHandler& handler) {
  fd_ = std::move(fd);
  handler_ = &handler;
  readable_ = false;
  writable_ = true;  // an edge of its own comes too, but the first write need not wait for it
  event_.assign(base, fd_.get(), EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, on_event, this);
  if (event_.add()) return true;
  close();
  return false;
}

bool Socket::start_tls(const TlsContext& context) {
  tls_ = TlsSession::accept(context, fd_.get());
  return tls_ != nullptr;
}

bool Socket::has_tls_session() const noexcept {
  return tls_ && tls_->is_established();
}

void Socket::close() noexcept {
  if (tls_ && ending_ != Ending::over) tls_->say_goodbye();
  let_go();
}

void Socket::let_go() noexcept {
  event_.reset();
  tls_.reset();
  fd_.reset();
  readable_ = writable_ = false;
  reading_ = writing_ = Awaits::itself;
  ending_ = Ending::none;
}

void Socket::abort() noexcept {
  if (!fd_) return;
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  let_go();
}

void Socket::on_event(evutil_socket_t, short what, void* self) noexcept {
  auto& socket = *static_cast<Socket*>(self);
  const bool can_read = (what & (EV_READ | EV_CLOSED)) != 0;
  const bool can_write = (what & EV_WRITE) != 0;
  if (can_read || (can_write && socket.reading_ == Awaits::the_other_way)) socket.readable_ = true;
  if (can_write || (can_read && socket.writing_ == Awaits::the_other_way)) socket.writable_ = true;
  if (can_write && socket.ending_ == Ending::wants_room) socket.shut_down_writing();
  socket.handler_->on_ready(socket);
}

Socket::Transfer Socket::came_to(ssize_t count) noexcept {
  if (count >= 0) return {Outcome::some, static_cast<std::size_t>(count)};
  return {errno == EAGAIN || errno == EWOULDBLOCK ? Outcome::blocked : Outcome::failed};
}

Socket::Transfer Socket::receive(std::span<char> into, int flags) noexcept {
  ssize_t count;
  do {
    count = recv(fd_.get(), into.data(), into.size(), flags);
  } while (count < 0 && errno == EINTR);
  if (count == 0) return {Outcome::ended};
  // Only EAGAIN says that the socket is drained. A short read does not: a reset may have come with the data,
  // in the same edge, which libevent reports without EV_CLOSED; and recv(2) stops at urgent data.
  const auto transfer = came_to(count);
  if (transfer.outcome == Outcome::blocked) readable_ = false;
  return transfer;
}

Socket::Transfer Socket::read(std::span<char> into) noexcept {
  return tls_ ? read_tls(into) : receive(into, 0);
}

Socket::Transfer Socket::peek(std::span<char> into) noexcept {
  return receive(into, MSG_PEEK);
}

Socket::Transfer Socket::read_tls(std::span<char> into) noexcept {
  const auto got = tls_->read(into);
  reading_ = got.stop == TlsSession::Stop::wants_output ? Awaits::the_other_way : Awaits::itself;
  switch (got.stop) {
    case TlsSession::Stop::complete: break;
    case TlsSession::Stop::has_more: ready_again(); [[fallthrough]];
    case TlsSession::Stop::wants_input:
    case TlsSession::Stop::wants_output: readable_ = false; break;
    // Behind what came before them; they are found again by the next read.
    case TlsSession::Stop::ended: return {got.count != 0 ? Outcome::some : Outcome::ended, got.count};
    case TlsSession::Stop::failed: return {got.count != 0 ? Outcome::some : Outcome::failed, got.count};
  }
  return {got.count != 0 ? Outcome::some : Outcome::blocked, got.count};
}

Socket::Transfer Socket::write_tls(std::string_view bytes) noexcept {
  const auto put = tls_->write(bytes);
  writing_ = put.stop == TlsSession::Stop::wants_input ? Awaits::the_other_way : Awaits::itself;
  switch (put.stop) {
    case TlsSession::Stop::complete: break;
    case TlsSession::Stop::has_more:
    case TlsSession::Stop::wants_input:
    case TlsSession::Stop::wants_output: writable_ = false; break;
    case TlsSession::Stop::ended:
    case TlsSession::Stop::failed: return {put.count != 0 ? Outcome::some : Outcome::failed, put.count};
  }
  return {put.count != 0 || bytes.empty() ? Outcome::some : Outcome::blocked, put.count};
}

Socket::Transfer Socket::write(std::string_view bytes) noexcept {
  if (tls_) return write_tls(bytes);
  ssize_t count;
  do {
    count = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  const auto transfer = came_to(count);
  if (transfer.outcome == Outcome::blocked) writable_ = false;
  return transfer;
}

Socket::Transfer Socket::splice_to_pipe(int pipe, std::size_t count) noexcept {
  ssize_t moved;
  do {
    moved = splice(fd_.get(), nullptr, pipe, nullptr, count, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  } while (moved < 0 && errno == EINTR);
  if (moved == 0) return {Outcome::ended};
  // EAGAIN may also mean that the pipe has no free slot, so it says nothing about the socket: see
  // found_drained().
  return came_to(moved);
}

Socket::Transfer Socket::splice_from_pipe(int pipe, std::size_t count) noexcept {
  ssize_t moved;
  do {
    moved = splice(pipe, nullptr, fd_.get(), nullptr, count, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  } while (moved < 0 && errno == EINTR);
  const auto transfer = came_to(moved);
  if (transfer.outcome == Outcome::blocked) writable_ = false;
  return transfer;
}

Socket::Discarded Socket::discard(std::span<char> scratch) noexcept {
  // A bounded share of each round, as a pump has.
  constexpr int most_reads = 16;
  for (int reads = 0; readable_; ++reads) {
    if (reads == most_reads) {
      ready_again();
      break;
    }
    const auto got = read(scratch);
    if (got.outcome == Outcome::ended || got.outcome == Outcome::failed) return Discarded::all;
  }
  return Discarded::some;
}

bool Socket::is_reset() const noexcept {
  pollfd state{.fd = fd_.get(), .events = 0, .revents = 0};
  // Both ways are shut only when the connection is gone; a peer that has merely ended is POLLRDHUP (poll(2)).
  return poll(&state, 1, 0) == 1 && (state.revents & (POLLERR | POLLHUP)) != 0;
}

bool Socket::has_failed() const noexcept {
  pollfd state{.fd = fd_.get(), .events = 0, .revents = 0};
  return poll(&state, 1, 0) == 1 && (state.revents & POLLERR) != 0;
}

bool Socket::has_news() const noexcept {
  if (tls_ && tls_->has_unread_input()) return true;
  char byte;
  const auto count = recv(fd_.get(), &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
  return count >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

bool Socket::has_unsent_bytes() const noexcept {
  int bytes = 0;
  return ioctl(fd_.get(), SIOCOUTQ, &bytes) == 0 && bytes != 0;
}

void Socket::shut_down_writing() noexcept {
  if (tls_ && tls_->say_goodbye() == TlsSession::Stop::wants_output) {
    ending_ = Ending::wants_room;
    return;
  }
  ending_ = Ending::over;
  shutdown(fd_.get(), SHUT_WR);
}

void Socket::ready_again() noexcept {
  event_.activate(EV_READ);
}

}  // namespace payg::proxy
