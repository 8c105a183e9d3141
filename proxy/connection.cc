#include "proxy/connection.h"

#include "proxy/opening_stage.h"
#include "proxy/worker.h"

namespace payg::proxy {

Connection::Connection(Worker& worker, plugin::ConnectionId id, const SocketAddress& peer)
    : worker_(worker), gate_(worker.gate_keeper(), id, *this), peer_(peer.ip().unmapped(), peer.port()) {
  if (!worker.access_log().is_open()) return;
  record_ = std::make_unique<AccessRecord>();
  record_->began_at = worker.now();
}

Connection::~Connection() {
  close(ConnectionEnd::stopped);
}

bool Connection::start(UniqueFd fd, const Entrance& entrance) {
  if (!client_.open(worker_.base(), std::move(fd), *this)) return false;
  entrance_ = &entrance;
  become(std::make_unique<OpeningStage>(*this, entrance));
  return true;
}

void Connection::set_timeout(std::chrono::milliseconds delay) noexcept {
  worker_.wheel().arm(*this, worker_.now() + delay);
}

void Connection::drain() noexcept {
  if (stage_) stage_->on_drain();
}

void Connection::close(ConnectionEnd why) noexcept {
  if (closed_) return;
  closed_ = true;
  write_record(why);
  disarm();
  worker_.holds().let_go(*this);
  if (stage_) stage_->close();
  client_.close();
  gate_.close();
  place_ = {};
  address_place_ = {};
  worker_.bury(*this);
}

void Connection::abort(ConnectionEnd why) noexcept {
  client_.abort();
  close(why);
}

void Connection::on_request(plugin::Protocol protocol, std::string_view host, std::uint16_t port) {
  if (!record_) return;
  record_->protocol = protocol;
  record_->target = host.empty() ? std::string() : authority_of(host, port);
  record_->refusal = {};
  ++record_->requests;
}

void Connection::established(const Exit& exit) {
  gate_.established(exit.name());
  if (record_) record_->exit = exit.name();
  note_standing();
}

void Connection::note_standing() {
  if (!record_) return;
  if (const auto user = gate_.user_name(); !user.empty()) record_->user = user;
  for (const auto* session : gate_.traffic()) {
    const std::uint64_t shown_as = session->shown_as.load(std::memory_order_relaxed);
    if (shown_as != 0) record_->session = shown_as;
  }
}

void Connection::write_record(ConnectionEnd why) noexcept {
  if (!record_) return;
  note_standing();
  record_->connection = gate_.connection();
  record_->client = peer_;
  record_->up_bytes = up_bytes_;
  record_->down_bytes = down_bytes_;
  record_->duration = std::chrono::floor<std::chrono::milliseconds>(worker_.now() - record_->began_at);
  record_->ended_at = worker_.wall_now();
  record_->end = record_->cut == AccessRecord::Cut::yes ? ConnectionEnd::cut : why;
  worker_.access_log().write(*record_);
  record_.reset();
}

void Connection::become(std::unique_ptr<Stage> stage) {
  if (stage_) {
    stage_->close();
    worker_.bury(std::move(stage_));
  }
  stage_ = std::move(stage);
  stage_->start();
}

bool Connection::enter_user_limit() {
  const std::uint64_t user = gate_.user();
  if (user == place_.user()) return true;
  place_ = {};
  if (user != 0) place_ = worker_.user_limits().enter(user, worker_.now());
  return user == 0 || static_cast<bool>(place_);
}

ClientAddressLimits::Verdict Connection::enter_address_limit() {
  address_place_ = worker_.client_addresses().enter(peer_.ip());
  return address_place_.verdict();
}

std::uint64_t Connection::exit_key() const noexcept {
  return gate_.affinity() != 0 ? gate_.affinity() : gate_.connection().value;
}

ExitRef Connection::choose_exit(const plugin::Location& location, ExitUse use,
                                std::span<const ExitRef> tried) const {
  return worker_.exits()->choose(location, exit_key(), use, tried);
}

void Connection::note_failure(const Exit& exit, std::string_view why) const {
  worker_.exits()->note_failure(exit, ExitHealth::Source::traffic, why, worker_.now());
}

std::unique_ptr<WayOut> Connection::begin_way_out(WayOutRequest request, WayOutHandler& handler) {
  worker_.counters().dials_total.fetch_add(1, std::memory_order_relaxed);
  request.key = exit_key();
  auto way_out =
      std::make_unique<WayOut>(worker_.way_out_context(), worker_.exits(), std::move(request), handler);
  way_out->start();
  return way_out;
}

void Connection::count_refusal(RefusalKind kind) noexcept {
  worker_.counters().refusals[static_cast<std::size_t>(kind)].fetch_add(1, std::memory_order_relaxed);
  if (record_) record_->refusal = row_of(kind).code;
}

bool Connection::may_move(MonotonicTime now) const noexcept {
  return now <= relay_until(gate_.traffic()) && (place_.pace() == nullptr || place_.pace()->has_room(now));
}

Passage Connection::up_passage(MonotonicTime now) noexcept {
  const ByteCount count{worker_.counters().up_bytes, up_bytes_, gate_.traffic(),
                        &plugin::SessionTraffic::up_bytes};
  return {count, place_.pace(), *this, worker_.holds(), now};
}

Passage Connection::down_passage(MonotonicTime now) noexcept {
  const ByteCount count{worker_.counters().down_bytes, down_bytes_, gate_.traffic(),
                        &plugin::SessionTraffic::down_bytes};
  return {count, place_.pace(), *this, worker_.holds(), now};
}

Passage Connection::down_passage() noexcept {
  return down_passage(worker_.now());
}

Passage Connection::answer_passage() noexcept {
  return Passage(
      {worker_.counters().down_bytes, down_bytes_, gate_.traffic(), &plugin::SessionTraffic::down_bytes});
}

void Connection::on_ready(Socket&) noexcept {
  stage_->on_client_ready();
  // Of a held client nothing is read, so that it is gone has to be asked for; one that only ended is not
  // gone.
  if (held() && client_.has_failed()) close(ConnectionEnd::client_reset);
}

void Connection::on_timeout() noexcept {
  stage_->on_timeout();
}

void Connection::on_authenticated() noexcept {
  note_standing();
  stage_->on_authenticated();
}
void Connection::on_admitted(const plugin::Location& location) noexcept {
  stage_->on_admitted(location);
}
void Connection::on_denied(const plugin::Denial& denial) noexcept {
  stage_->on_denied(denial);
}

void Connection::on_session_ended(const plugin::Denial& why) noexcept {
  worker_.counters().cuts_total.fetch_add(1, std::memory_order_relaxed);
  note_standing();
  if (record_) record_->cut = AccessRecord::Cut::yes;
  if (stage_ && stage_->on_cut(why) == CutManner::farewell) {
    gate_.close();
    place_ = {};
  } else {
    if (record_) record_->refusal = row_of(kind_of(why.reason)).code;
    abort(ConnectionEnd::cut);
  }
}

}  // namespace payg::proxy
