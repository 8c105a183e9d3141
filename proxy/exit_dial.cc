#include "proxy/exit_dial.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace payg::proxy {
namespace {

// More than any answer holds; what comes behind it waits in the kernel.
constexpr std::size_t most_received = http::max_connect_answer_bytes + 4096;

/// Names that every resolver takes for the loopback address (RFC 6761 §6.3, and what Debian's hosts file
/// has).
bool is_local_name(std::string_view name) {
  constexpr std::string_view names[] = {"localhost", "localhost.localdomain", "ip6-localhost",
                                        "ip6-loopback"};
  return name.ends_with(".localhost") ||
         std::find(std::begin(names), std::end(names), name) != std::end(names);
}

TargetHost host_of(const IpAddress& address) {
  return {.text = address.to_string(), .address = address};
}

/// Of a target that was to be connected to from here.
Blame blame_for(DialFailure failure) {
  const bool was_asked = failure == DialFailure::refused || failure == DialFailure::unreachable ||
                         failure == DialFailure::timed_out;
  return was_asked ? Blame::target : Blame::nobody;
}

/// Another address of the same name may do better.
bool may_try_another_address(DialFailure failure) {
  return failure == DialFailure::refused || failure == DialFailure::unreachable ||
         failure == DialFailure::timed_out;
}

}  // namespace

ExitDial::ExitDial(const DialContext& context, ExitDialRequest request, ExitDialHandler& handler)
    : context_(context), request_(std::move(request)), handler_(handler) {}

void ExitDial::start() {
  soon_.assign(context_.base, -1, 0, on_soon, this);
  if (is_direct()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(request_.deadline - context_.clock.now());
    dial_.emplace(context_,
                  DialRequest{.host = *request_.host,
                              .port = request_.port,
                              .source = request_.exit->source(),
                              .scope = request_.scope,
                              .timeout = std::max(left, std::chrono::milliseconds(0))},
                  static_cast<DialHandler&>(*this));
    return dial_->start();
  }
  if (request_.host == nullptr) return reach_parent();
  if (names_target_itself()) {
    if (candidates_.empty()) return fail_soon(DialFailure::forbidden);
    return reach_parent();
  }
  step_ = Step::resolving;
  context_.wheel.arm(*this, request_.deadline);
  unanswered_ = 2;
  resolution_ = context_.resolver.resolve(request_.host->text, *this);
}

void ExitDial::stop() noexcept {
  disarm();
  if (dial_) dial_->stop();
  resolution_.reset();
  soon_.reset();
  let_go_of_parent();
}

bool ExitDial::is_permitted(const IpAddress& address) const noexcept {
  const auto verdict = context_.guard.check(SocketAddress(address, request_.port));
  return request_.scope == DialScope::parent ? verdict != Guard::Verdict::own_address
                                             : verdict == Guard::Verdict::allowed;
}

bool ExitDial::names_target_itself() {
  const TargetHost& host = *request_.host;
  if (host.address) {
    if (is_permitted(*host.address)) candidates_.push_back(host);
    return true;
  }
  if (request_.exit->resolve() == config::NameResolution::proxy) return false;
  const bool is_reachable = !is_local_name(host.text) || (is_permitted(*IpAddress::parse("127.0.0.1")) &&
                                                          is_permitted(*IpAddress::parse("::1")));
  if (is_reachable) candidates_.push_back(host);
  return true;
}

void ExitDial::on_resolved(Family family, std::vector<IpAddress> addresses) noexcept {
  --unanswered_;
  // IPv4 stands before IPv6 that came first; later, when the parent may have been asked already, nothing
  // moves.
  std::size_t at = family == Family::v4 && step_ == Step::resolving ? 0 : candidates_.size();
  candidates_.reserve(most_candidates);
  for (const auto& address : addresses) {
    if (!is_permitted(address)) {
      nothing_found_ = DialFailure::forbidden;
    } else if (at < most_candidates) {
      if (candidates_.size() == most_candidates) candidates_.pop_back();
      candidates_.insert(candidates_.begin() + static_cast<std::ptrdiff_t>(at++), host_of(address));
    }
  }
  if (step_ != Step::resolving) return;
  if (unanswered_ != 0) {
    if (candidates_.empty()) return;
    // IPv6 came first: IPv4 gets a moment.
    if (family == Family::v6) return static_cast<void>(soon_.add_for(context_.resolution_delay));
  }
  soon_.remove();
  if (!candidates_.empty()) return reach_parent();
  fail({.failure = nothing_found_, .blame = Blame::nobody});
}

void ExitDial::reach_parent() {
  const MonotonicTime now = context_.clock.now();
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(request_.deadline - now);
  step_ = Step::reaching_parent;
  context_.wheel.arm(*this, std::min(request_.deadline, now + request_.patience));
  dial_.emplace(context_,
                DialRequest{.host = request_.exit->parent_host(),
                            .port = request_.exit->parent_port(),
                            .source = request_.exit->source(),
                            .scope = DialScope::parent,
                            .timeout = std::max(left, std::chrono::milliseconds(0))},
                static_cast<DialHandler&>(*this));
  dial_->start();
}

void ExitDial::on_connected(UniqueFd fd) noexcept {
  fd_ = std::move(fd);
  if (is_direct()) return open();
  step_ = Step::talking;
  const TargetHost* host = request_.host == nullptr ? nullptr : &candidates_[next_candidate_++];
  answers_before_ = request_.exit->health().answers();
  talk_.emplace(*request_.exit, host, request_.port, request_.via);
  if (host == nullptr && talk_->has_asked()) return open();
  readable_.assign(context_.base, fd_.get(), EV_READ | EV_PERSIST, on_readable, this);
  writable_.assign(context_.base, fd_.get(), EV_WRITE, on_writable, this);
  readable_.add();
  talk();
}

void ExitDial::talk() {
  if (talk_->has_asked()) context_.wheel.arm(*this, request_.deadline);
  if (!send_unsent())
    on_talk_failed({.failure = DialFailure::exit_failed,
                    .blame = Blame::exit,
                    .why = "its parent closed the connection"});
}

bool ExitDial::send_unsent() {
  std::string& unsent = talk_->unsent();
  while (!unsent.empty()) {
    const ssize_t sent = send(fd_.get(), unsent.data(), unsent.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return writable_.add();
    if (sent < 0) return false;
    unsent.erase(0, static_cast<std::size_t>(sent));
  }
  return true;
}

void ExitDial::on_readable(evutil_socket_t, short, void* self) noexcept {
  static_cast<ExitDial*>(self)->read_parent();
}

void ExitDial::on_writable(evutil_socket_t, short, void* self) noexcept {
  static_cast<ExitDial*>(self)->talk();
}

void ExitDial::read_parent() {
  if (received_.size() < most_received) {
    const auto room = received_.writable(1024);
    const ssize_t got =
        recv(fd_.get(), room.data(), std::min(room.size(), most_received - received_.size()), 0);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
    if (got <= 0) {
      return on_talk_failed({.failure = DialFailure::exit_failed,
                             .blame = Blame::exit,
                             .why = "its parent closed the connection"});
    }
    received_.commit(static_cast<std::size_t>(got));
  }
  switch (talk_->read(received_)) {
    case ParentTalk::Progress::needs_more: return talk();
    case ParentTalk::Progress::open: return open();
    case ParentTalk::Progress::failed: return on_talk_failed(talk_->failure());
  }
}

void ExitDial::on_talk_failed(const WayFailure& failure) {
  WayFailure told = failure;  // it lies in what is let go of
  let_go_of_parent();
  if (told.blame == Blame::target) {
    request_.exit->health().count_answer();
    if (may_try_another_address(told.failure) && next_candidate_ < candidates_.size()) return reach_parent();
  }
  fail(std::move(told));
}

void ExitDial::let_go_of_parent() noexcept {
  readable_.reset();
  writable_.reset();
  fd_.reset();
  received_.clear();
  talk_.reset();
}

WayFailure ExitDial::failure_of_parent(DialFailure failure) const {
  const auto of_exit = [](const char* why) {
    return WayFailure{.failure = DialFailure::exit_failed, .blame = Blame::exit, .why = why};
  };
  switch (failure) {
    case DialFailure::unresolved: return of_exit("its parent's name could not be resolved");
    case DialFailure::forbidden: return of_exit("its parent's address is this proxy's own");
    case DialFailure::refused: return of_exit("its parent refused the connection");
    case DialFailure::timed_out: return of_exit("its parent did not answer in time");
    case DialFailure::exit_failed: return of_exit("its source_address cannot be used");
    case DialFailure::exhausted: return {.failure = failure, .blame = Blame::nobody};
    case DialFailure::unreachable:
    case DialFailure::no_exit: break;
  }
  return of_exit("its parent cannot be reached");
}

void ExitDial::on_dial_failed(DialFailure failure) noexcept {
  if (!is_direct() || failure == DialFailure::exit_failed) return fail(failure_of_parent(failure));
  fail({.failure = failure, .blame = blame_for(failure)});
}

void ExitDial::on_timeout() noexcept {
  if (step_ == Step::resolving) return fail({.failure = DialFailure::unresolved, .blame = Blame::nobody});
  if (step_ == Step::reaching_parent || !talk_->has_asked())
    return fail(failure_of_parent(DialFailure::timed_out));
  // Nobody can tell whether it is the parent that is silent or the target behind it; but a parent that works
  // has answered others meanwhile.
  const bool answered_others = request_.exit->health().answers() != answers_before_;
  fail({.failure = DialFailure::timed_out,
        .blame = answered_others ? Blame::target : Blame::exit,
        .why = "its parent did not answer in time"});
}

void ExitDial::on_soon(evutil_socket_t, short, void* self) noexcept {
  auto& dial = *static_cast<ExitDial*>(self);
  if (dial.step_ == Step::resolving) return dial.reach_parent();
  dial.fail({.failure = dial.failure_soon_, .blame = Blame::nobody});
}

void ExitDial::fail_soon(DialFailure failure) {
  failure_soon_ = failure;
  soon_.add_for(std::chrono::milliseconds(0));
}

void ExitDial::open() {
  UniqueFd fd = std::move(fd_);
  Buffer early = std::move(received_);
  if (!is_direct()) request_.exit->health().count_answer();
  stop();
  handler_.on_exit_open(std::move(fd), std::move(early));
}

void ExitDial::fail(WayFailure failure) noexcept {
  stop();
  handler_.on_exit_failed(std::move(failure));
}

}  // namespace payg::proxy
