#include "proxy/dial.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace payg::proxy {

bool bind_to(int fd, const IpAddress& source) noexcept {
  // The port is chosen at connect(2), where the destination is known: so a source address is not limited to
  // 64k connections in all. (ip(7), IP_BIND_ADDRESS_NO_PORT)
  const int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_storage storage;
  const socklen_t length = SocketAddress(source, 0).to(storage);
  return bind(fd, reinterpret_cast<sockaddr*>(&storage), length) == 0;
}

DialFailure failure_of_bind(int error) noexcept {
  switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EADDRINUSE: return DialFailure::exhausted;
    default: return DialFailure::exit_failed;
  }
}

Dial::Dial(const DialContext& context, const DialRequest& request, DialHandler& handler)
    : context_(context), request_(request), handler_(handler) {}

void Dial::start() {
  context_.wheel.arm(*this, context_.clock.now() + request_.timeout);
  pace_.assign(context_.base, -1, 0, on_pace, this);
  if (request_.host.address) {
    add_candidates({*request_.host.address});
    try_next();
  } else {
    unanswered_ = 2;
    resolution_ = context_.resolver.resolve(request_.host.text, *this);
  }
  phase_ = Phase::running;
}

void Dial::stop() noexcept {
  disarm();
  pace_.reset();
  for (Attempt& attempt : attempts_) {
    attempt.event.reset();
    attempt.fd.reset();
  }
  resolution_.reset();
}

void Dial::add_candidates(std::vector<IpAddress> addresses) {
  for (auto address = addresses.rbegin(); address != addresses.rend(); ++address) {
    const bool family_fits = !request_.source || request_.source->family() == address->family();
    if (!family_fits) {
      nothing_found_ = DialFailure::unreachable;
    } else if (is_permitted(SocketAddress(*address, request_.port))) {
      candidates_[index_of(address->family())].push_back(*address);
    } else {
      nothing_found_ = DialFailure::forbidden;
    }
  }
}

bool Dial::is_permitted(const SocketAddress& address) const noexcept {
  const auto verdict = context_.guard.check(address);
  const bool whatever_is_guarded = request_.scope == DialScope::parent;
  return verdict == Guard::Verdict::allowed ||
         (whatever_is_guarded && verdict != Guard::Verdict::own_address);
}

void Dial::on_resolved(Family family, std::vector<IpAddress> addresses) noexcept {
  --unanswered_;
  add_candidates(std::move(addresses));
  // What the pace is going to bring in need not hurry; when it has run out of addresses before, nobody else
  // will.
  if (under_way_ != 0 && pace_.is_timer_pending()) return;
  if (family == Family::v4 && resolving() && begun_ == 0 && !candidates_[0].empty()) {
    pace_.add_for(context_.resolution_delay);
    return;
  }
  try_next();
}

void Dial::try_next() {
  pace_.remove();
  while (begun_ < most_attempts) {
    auto* list = &candidates_[index_of(next_family_)];
    if (list->empty()) list = &candidates_[1 - index_of(next_family_)];
    if (list->empty()) break;
    const IpAddress address = list->back();
    list->pop_back();
    next_family_ = address.family() == Family::v4 ? Family::v6 : Family::v4;
    if (begin_attempt(address)) {
      pace_.add_for(context_.attempt_delay);
      return;
    }
  }
  if (under_way_ != 0 || resolving()) return;
  if (phase_ == Phase::starting) {
    pace_.add_for(
        std::chrono::milliseconds(0));  // tells the handler in the loop's next round, not within start()
  } else {
    fail(failed_attempt_.value_or(nothing_found_));
  }
}

bool Dial::begin_attempt(const IpAddress& address) {
  const SocketAddress destination(address, request_.port);
  const int family = address.is_v4() ? AF_INET : AF_INET6;
  UniqueFd fd(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd) {
    note_error(errno);
    return false;
  }
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (request_.source && !bind_to(fd.get(), *request_.source)) {
    failed_attempt_ = failure_of_bind(errno);
    return false;
  }
  sockaddr_storage storage;
  const socklen_t length = destination.to(storage);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0 && errno != EINPROGRESS) {
    note_error(errno);
    return false;
  }
  Attempt& attempt = attempts_[begun_];
  attempt.fd = std::move(fd);
  attempt.event.assign(context_.base, attempt.fd.get(), EV_WRITE, on_event, this);
  if (!attempt.event.add()) {
    note_error(ENOMEM);
    attempt.fd.reset();
    return false;
  }
  ++begun_;
  ++under_way_;
  return true;
}

void Dial::on_event(evutil_socket_t fd, short, void* self) noexcept {
  auto& dial = *static_cast<Dial*>(self);
  for (std::size_t i = 0; i < dial.begun_; ++i) {
    if (dial.attempts_[i].fd.get() == fd) return dial.on_attempt_ready(i);
  }
}

void Dial::on_attempt_ready(std::size_t index) noexcept {
  Attempt& attempt = attempts_[index];
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(attempt.fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  attempt.event.reset();
  --under_way_;
  if (error == 0 && is_own_address(attempt.fd.get())) error = EACCES;
  if (error == 0) {
    UniqueFd connected = std::move(attempt.fd);
    stop();
    return handler_.on_connected(std::move(connected));
  }
  attempt.fd.reset();
  note_error(error);
  try_next();
}

bool Dial::is_own_address(int fd) const noexcept {
  if (!context_.guard.listens_on_wildcard(request_.port)) return false;
  const auto here = local_address(fd);
  const auto there = peer_address(fd);
  return here && there && here->ip() == there->ip();
}

void Dial::on_pace(evutil_socket_t, short, void* self) noexcept {
  static_cast<Dial*>(self)->try_next();
}

void Dial::on_timeout() noexcept {
  // A name that DNS has not answered for is not resolved; an address that has not answered timed out.
  fail(begun_ == 0 && resolving() ? DialFailure::unresolved : DialFailure::timed_out);
}

void Dial::note_error(int error) noexcept {
  switch (error) {
    case EACCES: failed_attempt_ = DialFailure::forbidden; break;
    case ECONNREFUSED: failed_attempt_ = DialFailure::refused; break;
    case ETIMEDOUT: failed_attempt_ = DialFailure::timed_out; break;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EADDRNOTAVAIL: failed_attempt_ = DialFailure::exhausted; break;
    default: failed_attempt_ = DialFailure::unreachable; break;
  }
}

void Dial::fail(DialFailure failure) noexcept {
  stop();
  handler_.on_dial_failed(failure);
}

}  // namespace payg::proxy
