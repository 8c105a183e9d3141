#include "proxy/worker.h"

namespace payg::proxy {
namespace {

// Large enough that a bulk sender fills it and is handed to splice(2); small enough for the second-level
// cache.
constexpr std::size_t scratch_bytes = 64 * 1024;
// Connection ids carry their worker's number, so that workers need not agree on a counter.
constexpr unsigned worker_shift = 48;

template <class T>
std::vector<T> taken(std::vector<T>& from) {
  std::vector<T> all;
  all.swap(from);
  return all;
}

}  // namespace

Worker::Worker(const Shared& shared, unsigned index)
    : shared_(shared),
      index_(index),
      wheel_(shared.clock.now()),
      holds_(loop_.base(), shared.clock, counters_),
      resolver_(loop_.base(), shared.nameservers),
      dial_context_{.base = loop_.base(),
                    .resolver = resolver_,
                    .wheel = wheel_,
                    .clock = shared_.clock,
                    .guard = shared_.guard,
                    .connect_timeout = shared_.settings.connect_timeout},
      way_out_context_{.dial = dial_context_, .pseudonym = shared_.settings.pseudonym, .counters = counters_},
      exits_(shared.exits),
      probes_(way_out_context_,
              {.worker = index, .workers = shared.workers, .most_at_once = shared.most_probes}),
      scratch_(new char[scratch_bytes]),
      pipes_(shared_.most_pipes),
      resources_{.scratch = {scratch_.get(), scratch_bytes}, .pipes = pipes_},
      keeper_(shared_.plugins, [this](std::function<void()> task) { loop_.post(std::move(task)); }) {
  tick_event_.assign(loop_.base(), -1, EV_PERSIST, on_tick, this);
  tick_event_.add_for(TimerWheel::tick);
  sweep_event_.assign(loop_.base(), -1, 0, on_sweep, this);
}

Worker::~Worker() {
  stop();
}

void Worker::add_listener(UniqueFd listening, Entrance entrance) {
  listeners_.push_back(std::make_unique<Listener>(loop_.base(), std::move(listening), std::move(entrance),
                                                  shared_.connection_limit, *this));
}

void Worker::replace_certificate(std::size_t listener, const TlsContext& tls) {
  loop_.post([this, listener, tls] { listeners_[listener]->replace_certificate(tls); });
}

void Worker::start() {
  probes_.set_exits(exits_);
  thread_ = std::thread([this] { loop_.run(); });
}

void Worker::drain(std::function<void()> on_empty) {
  loop_.post([this, on_empty = std::move(on_empty)]() mutable {
    for (auto& listener : listeners_) listener->stop();
    phase_ = Phase::draining;
    probes_.stop();
    on_empty_ = std::move(on_empty);
    for (Connection* connection = connections_; connection != nullptr;) {
      Connection* const next = connection->next_;
      connection->drain();
      connection = next;
    }
    request_sweep();
  });
}

void Worker::stop() noexcept {
  if (!thread_.joinable()) return;
  loop_.post([this] {
    for (auto& listener : listeners_) listener->stop();
    probes_.stop();
    close_all();
  });
  loop_.stop();
  thread_.join();
  // What was posted behind the stop: late answers, and ends of sessions that are gone by now.
  loop_.drain();
  keeper_.drain();
  sweep();
  resolver_.close();
  event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
}

void Worker::hear_late_answers() noexcept {
  loop_.drain();
  keeper_.drain();
}

void Worker::set_exits(std::shared_ptr<const ExitTable> exits) {
  loop_.post([this, exits = std::move(exits)]() mutable {
    exits_ = std::move(exits);
    if (phase_ == Phase::running) probes_.set_exits(exits_);
  });
}

void Worker::end_session(std::size_t plugin, plugin::SessionHandle session, const plugin::Denial& why) {
  loop_.post([this, plugin, session, why] { keeper_.end_session(plugin, session, why); });
}

void Worker::close_all() noexcept {
  while (connections_ != nullptr) connections_->abort(ConnectionEnd::stopped);
}

void Worker::on_accepted(UniqueFd fd, const SocketAddress& peer, const Entrance& entrance) noexcept {
  const plugin::ConnectionId id{(std::uint64_t{index_ + 1} << worker_shift) | ++last_connection_};
  auto connection = std::make_unique<Connection>(*this, id, peer);
  counters_.connections_total.fetch_add(1, std::memory_order_relaxed);
  counters_.connections_open.fetch_add(1, std::memory_order_relaxed);
  connection->next_ = connections_;
  if (connections_ != nullptr) connections_->previous_ = connection.get();
  connections_ = connection.get();
  Connection& owned_by_list = *connection.release();
  if (!owned_by_list.start(std::move(fd), entrance)) owned_by_list.close(ConnectionEnd::failed);
}

void Worker::on_accept_paused() noexcept {
  counters_.accept_pauses_total.fetch_add(1, std::memory_order_relaxed);
}

void Worker::bury(Connection& connection) noexcept {
  Connection*& towards = connection.previous_ != nullptr ? connection.previous_->next_ : connections_;
  towards = connection.next_;
  if (connection.next_ != nullptr) connection.next_->previous_ = connection.previous_;
  connection.previous_ = connection.next_ = nullptr;
  shared_.connection_limit.leave();
  counters_.connections_open.fetch_sub(1, std::memory_order_relaxed);
  dead_connections_.emplace_back(&connection);
  request_sweep();
}

void Worker::bury(std::unique_ptr<Stage> stage) {
  dead_stages_.push_back(std::move(stage));
  request_sweep();
}

void Worker::bury(std::unique_ptr<WayOut> way_out) {
  way_out->stop();
  dead_ways_out_.push_back(std::move(way_out));
  request_sweep();
}

void Worker::bury(std::unique_ptr<OriginConnection> origin) {
  dead_origins_.push_back(std::move(origin));
  request_sweep();
}

void Worker::on_tick(evutil_socket_t, short, void* self) noexcept {
  auto& worker = *static_cast<Worker*>(self);
  const MonotonicTime now = worker.now();
  worker.wheel_.advance(now);
  worker.probes_.look(now);
}

void Worker::on_sweep(evutil_socket_t, short, void* self) noexcept {
  static_cast<Worker*>(self)->sweep();
}

void Worker::sweep() noexcept {
  // Destroying one may bury another.
  while (!dead_connections_.empty() || !dead_stages_.empty() || !dead_ways_out_.empty() ||
         !dead_origins_.empty()) {
    taken(dead_ways_out_).clear();
    taken(dead_connections_).clear();
    taken(dead_stages_).clear();
    taken(dead_origins_).clear();
  }
  if (phase_ == Phase::draining && connections_ == nullptr && on_empty_) std::exchange(on_empty_, nullptr)();
}

}  // namespace payg::proxy
