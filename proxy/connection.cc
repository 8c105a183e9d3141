#include "proxy/connection.h"

#include "proxy/http_stage.h"
#include "proxy/socks_stage.h"
#include "proxy/worker.h"

namespace payg::proxy {

Connection::Connection(Worker& worker, plugin::ConnectionId id, ListenerProtocols protocols,
                       const SocketAddress& peer)
    : worker_(worker), gate_(worker.gate_keeper(), id, *this), peer_(peer), protocols_(protocols) {}

Connection::~Connection() {
  close();
}

bool Connection::start(UniqueFd fd) {
  if (!client_.open(worker_.base(), std::move(fd), *this)) return false;
  set_timeout(worker_.settings().handshake_timeout);
  return true;
}

void Connection::set_timeout(std::chrono::milliseconds delay) noexcept {
  worker_.wheel().arm(*this, worker_.now() + delay);
}

void Connection::drain() noexcept {
  if (stage_) {
    stage_->on_drain();
  } else {
    set_timeout(drain_patience);
  }
}

void Connection::close() noexcept {
  if (closed_) return;
  closed_ = true;
  disarm();
  worker_.holds().let_go(*this);
  if (stage_) stage_->close();
  client_.close();
  gate_.close();
  place_ = {};
  worker_.bury(*this);
}

void Connection::abort() noexcept {
  client_.abort();
  close();
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
  if (user != 0) place_ = worker_.user_limits().enter(user);
  return user == 0 || static_cast<bool>(place_);
}

const Exit* Connection::choose_exit(const plugin::Location& location) const noexcept {
  const std::uint64_t key = gate_.affinity() != 0 ? gate_.affinity() : gate_.connection().value;
  return worker_.exits().choose(location, key);
}

void Connection::count_refusal(RefusalKind kind) noexcept {
  worker_.counters().refusals[static_cast<std::size_t>(kind)].fetch_add(1, std::memory_order_relaxed);
}

Passage Connection::up_passage(MonotonicTime now) noexcept {
  const ByteCount count{worker_.counters().up_bytes, gate_.traffic(), &plugin::SessionTraffic::up_bytes};
  return {count, *this, worker_.holds(), now};
}

Passage Connection::down_passage(MonotonicTime now) noexcept {
  const ByteCount count{worker_.counters().down_bytes, gate_.traffic(), &plugin::SessionTraffic::down_bytes};
  return {count, *this, worker_.holds(), now};
}

Passage Connection::down_passage() noexcept {
  return down_passage(worker_.now());
}

Passage Connection::answer_passage() noexcept {
  return Passage({worker_.counters().down_bytes, gate_.traffic(), &plugin::SessionTraffic::down_bytes});
}

void Connection::on_ready(Socket&) noexcept {
  if (!stage_) return choose_stage();
  stage_->on_client_ready();
  // Of a held client nothing is read, so that it is gone has to be asked for; one that only ended is not
  // gone.
  if (held() && client_.has_failed()) close();
}

void Connection::choose_stage() {
  if (!client_.readable()) return;
  const auto scratch = worker_.resources().scratch;
  const auto got = client_.read(scratch);
  if (got.outcome == Socket::Outcome::blocked) return;
  if (got.outcome != Socket::Outcome::some) return close();

  Buffer received;
  received.append({scratch.data(), got.count});
  constexpr char socks4 = 0x04;
  constexpr char socks5 = 0x05;
  const char first = received.view().front();
  const bool looks_like_socks = first == socks4 || first == socks5;
  if (looks_like_socks && protocols_.socks5) {
    become(std::make_unique<SocksStage>(*this, std::move(received)));
  } else if (protocols_.http) {
    become(std::make_unique<HttpStage>(*this, std::move(received)));
  } else {
    close();
  }
}

void Connection::on_timeout() noexcept {
  if (stage_) {
    stage_->on_timeout();
  } else {
    close();
  }
}

void Connection::on_authenticated() noexcept {
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
  if (stage_ && stage_->on_cut(why) == CutManner::farewell) {
    gate_.close();
    place_ = {};
  } else {
    abort();
  }
}

}  // namespace payg::proxy
