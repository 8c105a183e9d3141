#include "plugin/host/gate.h"

#include <cstdlib>
#include <utility>

#include "plugin/host/gate_keeper.h"

namespace payg::plugin {
namespace {

void require(bool holds) noexcept {
  if (!holds) std::abort();
}

}  // namespace

Gate::Gate(GateKeeper& keeper, ConnectionId connection, GateListener& listener) noexcept
    : keeper_(keeper), listener_(listener), connection_(connection) {
  for (auto& seat : seats_) seat.link.gate = this;
}

Gate::~Gate() {
  close();
}

void Gate::authenticate(const AuthenticationRequest& request) noexcept {
  require(phase_ == Phase::idle);
  authenticated_ = false;
  for (auto& seat : seats_) seat.identity.reset();
  phase_ = Phase::authenticating;
  AuthenticationRequest ours = request;
  ours.connection = connection_;
  ask_who(0, ours);
}

void Gate::admit(const Target& target) noexcept {
  require(phase_ == Phase::idle && authenticated_);
  phase_ = Phase::admitting;
  affinity_ = 0;
  Location location;
  ask_where(0, target, location);
}

void Gate::ask_who(std::size_t index, const AuthenticationRequest& request) noexcept {
  for (; index < keeper_.chain_.size(); ++index) {
    auto content = keeper_.ask(*this, index, request);
    if (!content) return;
    if (const auto* denial = std::get_if<Denial>(&*content)) return refuse(*denial);
    identify(index, std::get<Authentication>(*std::move(content)));
  }
  phase_ = Phase::idle;
  authenticated_ = true;
  listener_.on_authenticated();
}

void Gate::ask_where(std::size_t index, const Target& target, Location& location) noexcept {
  for (; index < keeper_.chain_.size(); ++index) {
    auto content = keeper_.ask(*this, index, target, location);
    if (!content) return;
    if (const auto* denial = std::get_if<Denial>(&*content)) return refuse(*denial);
    seat(index, std::get<Admission>(*std::move(content)), location);
  }
  phase_ = Phase::idle;
  listener_.on_admitted(location);
}

void Gate::resume(std::size_t index, const AuthenticationRequest& request, Authentication verdict) noexcept {
  identify(index, std::move(verdict));
  ask_who(index + 1, request);
}

void Gate::resume(std::size_t index, const Target& target, Location& location, Admission verdict) noexcept {
  seat(index, std::move(verdict), location);
  ask_where(index + 1, target, location);
}

void Gate::identify(std::size_t index, Authentication verdict) noexcept {
  seats_[index].identity = std::move(verdict.identity);
}

void Gate::seat(std::size_t index, Admission verdict, Location& location) noexcept {
  if (location.empty()) location = std::move(verdict.location);
  if (affinity_ == 0) affinity_ = verdict.affinity;
  Seat& seat = seats_[index];
  if (seat.session != verdict.session) {
    unseat(index);
    if (!verdict.session) return;
    seat.session = verdict.session;
    seat.stage = Stage::admitted;
    keeper_.link(index, seat.session, seat.link);
  }
  seat.traffic = verdict.session ? verdict.traffic : nullptr;
  collect_traffic();
}

void Gate::unseat(std::size_t index) noexcept {
  Seat& seat = seats_[index];
  if (!seat.session) return;
  const std::string exit = std::exchange(seat.exit, {});
  const Attachment attachment{connection_, seat.session, exit};
  keeper_.unlink(index, seat.session, seat.link);
  seat.session = {};
  seat.traffic = nullptr;
  seat.stage = Stage::none;
  collect_traffic();
  keeper_.chain_[index].on_closed(attachment);
}

void Gate::unseat_unestablished() noexcept {
  for (std::size_t index = 0; index < seats_.size(); ++index)
    if (seats_[index].stage == Stage::admitted) unseat(index);
}

void Gate::refuse(const Denial& denial) noexcept {
  phase_ = Phase::idle;
  unseat_unestablished();
  listener_.on_denied(denial);
}

void Gate::established(std::string_view exit) noexcept {
  for (std::size_t index = 0; index < seats_.size(); ++index) {
    Seat& seat = seats_[index];
    if (seat.stage != Stage::admitted) continue;
    seat.stage = Stage::established;
    seat.exit = exit;
    keeper_.chain_[index].on_established({connection_, seat.session, exit});
  }
}

void Gate::dial_failed() noexcept {
  unseat_unestablished();
}

void Gate::close() noexcept {
  if (phase_ == Phase::closed) return;
  if (asking()) keeper_.abandon_question(ticket_);
  phase_ = Phase::closed;
  for (std::size_t index = 0; index < seats_.size(); ++index) unseat(index);
}

std::uint64_t Gate::user() const noexcept {
  for (const auto& seat : seats_)
    if (seat.identity && seat.identity->user != 0) return seat.identity->user;
  return 0;
}

std::string_view Gate::user_name() const noexcept {
  for (const auto& seat : seats_)
    if (seat.identity && !seat.identity->display_name.empty()) return seat.identity->display_name;
  return {};
}

std::array<SessionHandle, max_chain_length> Gate::sessions() const noexcept {
  std::array<SessionHandle, max_chain_length> handles;
  for (std::size_t index = 0; index < seats_.size(); ++index) handles[index] = seats_[index].session;
  return handles;
}

void Gate::collect_traffic() noexcept {
  traffic_count_ = 0;
  for (const auto& seat : seats_)
    if (seat.traffic != nullptr) traffic_[traffic_count_++] = seat.traffic;
}

}  // namespace payg::plugin
