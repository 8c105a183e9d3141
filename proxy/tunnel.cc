#include "proxy/tunnel.h"

#include "proxy/worker.h"

namespace payg::proxy {

Tunnel::Tunnel(Connection& connection, std::unique_ptr<Socket> target, Buffer to_target, Buffer to_client)
    : connection_(connection),
      target_(std::move(target)),
      up_{.pump = Pump(std::move(to_target))},
      down_{.pump = Pump(std::move(to_client))},
      last_activity_(connection.worker().now()) {
  target_->set_handler(*this);
}

void Tunnel::start() noexcept {
  connection_.worker().counters().tunnels_total.fetch_add(1, std::memory_order_relaxed);
  connection_.set_timeout(connection_.worker().settings().idle_timeout);
  relay();
}

void Tunnel::relay() noexcept {
  last_activity_ = connection_.worker().now();
  const bool up_first = connection_.order() == Connection::Order::reversed;
  up_first ? relay_up() : relay_down();
  if (connection_.is_closed()) return;
  up_first ? relay_down() : relay_up();
  if (connection_.is_closed()) return;
  if (up_.way == Way::over && down_.way == Way::over)
    return connection_.close(end_.value_or(ConnectionEnd::client_closed));
  if (up_.way != Way::open && down_.way != Way::open && phase_ == Phase::relaying) {
    phase_ = Phase::lingering;
    connection_.set_timeout(linger_time);
  }
}

void Tunnel::relay_up() noexcept {
  Passage passage = connection_.up_passage(last_activity_);
  step(up_, connection_.client(), *target_, passage);
}

void Tunnel::relay_down() noexcept {
  Passage passage = connection_.down_passage(last_activity_);
  step(down_, *target_, connection_.client(), passage);
}

void Tunnel::step(Direction& direction, Socket& source, Socket& sink, Passage& passage) noexcept {
  if (direction.way == Way::discarding) return discard(direction, source);
  if (direction.way == Way::over) return;
  RelayResources& resources = connection_.worker().resources();
  switch (direction.pump.run(source, sink, resources, passage)) {
    case Pump::Status::waiting: break;
    case Pump::Status::yielding: source.ready_again(); break;
    case Pump::Status::source_failed:
      // A reset, not a half-close: nothing will be read of it nor taken by it any more.
      direction.pump.drop(resources.pipes);
      if (&source == &connection_.client()) return connection_.close(ConnectionEnd::client_reset);
      note_end(ConnectionEnd::target_reset);
      sink.shut_down_writing();
      direction.way = Way::over;
      up_.pump.drop(resources.pipes);
      if (up_.way == Way::open) {
        up_.way = Way::discarding;
        discard(up_, connection_.client());
      }
      break;
    case Pump::Status::done:
    case Pump::Status::ended:
      note_end(&direction == &up_ ? ConnectionEnd::client_closed : ConnectionEnd::target_closed);
      direction.pump.drop(resources.pipes);
      sink.shut_down_writing();
      direction.way = Way::over;
      break;
    case Pump::Status::sink_failed:
      note_end(&direction == &up_ ? ConnectionEnd::target_reset : ConnectionEnd::client_reset);
      direction.pump.drop(resources.pipes);
      direction.way = Way::discarding;
      discard(direction, source);
      break;
  }
}

void Tunnel::discard(Direction& direction, Socket& source) noexcept {
  const auto scratch = connection_.worker().resources().scratch;
  if (source.discard(scratch) == Socket::Discarded::all) direction.way = Way::over;
}

void Tunnel::on_timeout() noexcept {
  if (phase_ == Phase::lingering) return connection_.close(end_.value_or(ConnectionEnd::client_closed));
  const auto idle =
      std::chrono::floor<std::chrono::milliseconds>(connection_.worker().now() - last_activity_);
  const auto limit = connection_.worker().settings().idle_timeout;
  if (idle >= limit) {
    connection_.close(ConnectionEnd::idle_timeout);
  } else {
    connection_.set_timeout(limit - idle);
  }
}

CutManner Tunnel::on_cut(const plugin::Denial&) noexcept {
  target_->abort();
  return CutManner::abort;
}

void Tunnel::close() noexcept {
  PipePool& pipes = connection_.worker().resources().pipes;
  up_.pump.drop(pipes);
  down_.pump.drop(pipes);
  target_->close();
}

}  // namespace payg::proxy
