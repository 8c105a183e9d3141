#include "proxy/way_out.h"

#include <utility>

namespace payg::proxy {

WayOut::WayOut(const WayOutContext& context, std::shared_ptr<const ExitTable> exits, WayOutRequest request,
               WayOutHandler& handler)
    : context_(context), exits_(std::move(exits)), request_(std::move(request)), handler_(handler) {}

void WayOut::start() {
  deadline_ = context_.dial.clock.now() + context_.dial.connect_timeout;
  if (try_next()) return;
  none_.assign(context_.dial.base, -1, 0, on_none, this);
  none_.add_for(std::chrono::milliseconds(0));
}

void WayOut::stop() noexcept {
  none_.reset();
  for (auto& attempt : attempts_) attempt->stop();
}

bool WayOut::try_next() {
  if (tried_.size() == most_exits) return false;
  auto exit = exits_->choose(request_.location, request_.key, ExitUse::tcp, tried_);
  if (exit == nullptr) return false;
  tried_.push_back(exit);
  // As long as there may be another one an exit has its share of the time, and no more.
  const auto patience = context_.dial.connect_timeout / static_cast<int>(most_exits);
  const bool is_last = tried_.size() == most_exits ||
                       exits_->choose(request_.location, request_.key, ExitUse::tcp, tried_) == nullptr;
  attempts_.push_back(std::make_unique<ExitDial>(
      context_.dial,
      ExitDialRequest{.exit = std::move(exit),
                      .host = &request_.host,
                      .port = request_.port,
                      .via = {.pseudonym = context_.pseudonym, .received = request_.received_via},
                      .deadline = deadline_,
                      .patience = is_last ? context_.dial.connect_timeout : patience},
      static_cast<ExitDialHandler&>(*this)));
  attempts_.back()->start();
  return true;
}

void WayOut::on_exit_open(UniqueFd fd, Buffer early) noexcept {
  exits_->note_success(*tried_.back(), ExitHealth::Evidence::whole);
  handler_.on_way_open({.fd = std::move(fd), .exit = tried_.back(), .early = std::move(early)});
}

void WayOut::on_exit_failed(WayFailure failure) noexcept {
  if (failure.blame == Blame::exit) {
    context_.counters.exit_failures_total.fetch_add(1, std::memory_order_relaxed);
    exits_->note_failure(*tried_.back(), ExitHealth::Source::traffic, failure.why, context_.dial.clock.now());
  }
  const bool may_go_on = failure.failure == DialFailure::exit_failed && context_.dial.clock.now() < deadline_;
  if (may_go_on && try_next()) return;
  handler_.on_no_way(failure.failure);
}

void WayOut::on_none(evutil_socket_t, short, void* self) noexcept {
  static_cast<WayOut*>(self)->handler_.on_no_way(DialFailure::no_exit);
}

}  // namespace payg::proxy
