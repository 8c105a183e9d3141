#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "plugin/base/event.h"
#include "plugin/host/gate_keeper.h"
#include "proxy/access_log.h"
#include "proxy/client_address_limits.h"
#include "proxy/connection.h"
#include "proxy/counters.h"
#include "proxy/exchange.h"
#include "proxy/exit_probes.h"
#include "proxy/exit_table.h"
#include "proxy/hold_list.h"
#include "proxy/http/head.h"
#include "proxy/listener.h"
#include "proxy/net/guard.h"
#include "proxy/pipe_pool.h"
#include "proxy/resolver.h"
#include "proxy/settings.h"
#include "proxy/timer_wheel.h"
#include "proxy/user_limits.h"
#include "proxy/way_out.h"

namespace payg::proxy {

/// What all workers share. Immutable while they run, but for what is thread-safe itself.
struct Shared {
  const Clock& clock;
  const Settings& settings;
  std::shared_ptr<const ExitTable> exits;  ///< at the start; see Worker::set_exits()
  const Guard& guard;
  const plugin::PluginChain& plugins;
  UserLimits& user_limits;
  ClientAddressLimits& client_addresses;
  ConnectionLimit& connection_limit;
  AccessLog& access_log;
  const std::vector<std::string>& nameservers;
  std::size_t most_pipes;  ///< of one worker
  unsigned workers = 1;
  unsigned most_probes = 8;  ///< of exits, under way at once; of one worker
};

/// Memory that parsing a head needs for the length of a call; one for each worker instead of 5 KiB in each
/// connection.
struct HeadScratch {
  http::RequestHead request;
  http::ResponseHead response;
  /// Whose request is in `request` at the moment.
  const void* owner = nullptr;
};

/// One event loop on one thread, with all that its connections need. A connection never leaves its worker.
///
/// Threads: everything on the worker's own thread, but for the constructor, start, post and counters().
class Worker final : public ListenerHandler {
 public:
  /// Throws std::runtime_error when the kernel lacks resources.
  Worker(const Shared& shared, unsigned index);
  ~Worker();

  /// Accepts from this descriptor. Before start().
  void add_listener(UniqueFd listening, Entrance entrance);
  void start();
  /// For the listener that was added as number `listener`, from 0 on; see Listener. Any thread.
  void replace_certificate(std::size_t listener, const TlsContext& tls);
  /// Stops accepting and closes what is idle; on_empty() is called on this worker's thread when no connection
  /// is left. Any thread.
  void drain(std::function<void()> on_empty);
  /// Closes every connection, ends the loop and joins the thread. Not on the worker's thread.
  void stop() noexcept;
  /// Behind stop(), when the plugins have stopped too: what they answered in between still finds its way.
  void hear_late_answers() noexcept;
  /// Connections leave by these from now on; those that have left already are not touched. Any thread.
  void set_exits(std::shared_ptr<const ExitTable> exits);
  /// plugin::Host::end_session for this worker. Any thread.
  void end_session(std::size_t plugin, plugin::SessionHandle session, const plugin::Denial& why);

  const Counters& counters() const noexcept { return counters_; }
  plugin::GateKeeper& gate_keeper() noexcept { return keeper_; }

  // For connections and their stages:

  Counters& counters() noexcept { return counters_; }
  event_base* base() const noexcept { return loop_.base(); }
  TimerWheel& wheel() noexcept { return wheel_; }
  HoldList& holds() noexcept { return holds_; }
  MonotonicTime now() const noexcept { return shared_.clock.now(); }
  WallTime wall_now() const noexcept { return shared_.clock.wall_now(); }
  const Settings& settings() const noexcept { return shared_.settings; }
  const std::shared_ptr<const ExitTable>& exits() const noexcept { return exits_; }
  UserLimits& user_limits() noexcept { return shared_.user_limits; }
  AccessLog& access_log() noexcept { return shared_.access_log; }
  ConnectionLimit& connection_limit() noexcept { return shared_.connection_limit; }
  ClientAddressLimits& client_addresses() noexcept { return shared_.client_addresses; }
  const DialContext& dial_context() const noexcept { return dial_context_; }
  const WayOutContext& way_out_context() const noexcept { return way_out_context_; }
  Resolver& resolver() noexcept { return resolver_; }
  RelayResources& resources() noexcept { return resources_; }
  HeadScratch& head_scratch() noexcept { return head_scratch_; }
  bool draining() const noexcept { return phase_ != Phase::running; }

  /// Destroys it when no callback of it can be on the stack any more.
  void bury(Connection& connection) noexcept;
  void bury(std::unique_ptr<Stage> stage);
  void bury(std::unique_ptr<WayOut> way_out);
  void bury(std::unique_ptr<OriginConnection> origin);

 private:
  enum class Phase { running, draining };

  void on_accepted(UniqueFd fd, const SocketAddress& peer, const Entrance& entrance) noexcept override;
  void on_accept_paused() noexcept override;
  static void on_tick(evutil_socket_t, short, void* self) noexcept;
  static void on_sweep(evutil_socket_t, short, void* self) noexcept;
  void sweep() noexcept;
  void request_sweep() noexcept { sweep_event_.activate(EV_TIMEOUT); }
  void close_all() noexcept;

  const Shared shared_;
  const unsigned index_;
  Counters counters_;
  EventLoop loop_;
  TimerWheel wheel_;
  HoldList holds_;
  Resolver resolver_;
  DialContext dial_context_;
  WayOutContext way_out_context_;
  std::shared_ptr<const ExitTable> exits_;
  ExitProbes probes_;
  std::unique_ptr<char[]> scratch_;
  PipePool pipes_;
  RelayResources resources_;
  HeadScratch head_scratch_;
  plugin::GateKeeper keeper_;
  std::vector<std::unique_ptr<Listener>> listeners_;

  Connection* connections_ = nullptr;
  std::uint64_t last_connection_ = 0;
  std::vector<std::unique_ptr<Connection>> dead_connections_;
  std::vector<std::unique_ptr<Stage>> dead_stages_;
  std::vector<std::unique_ptr<WayOut>> dead_ways_out_;
  std::vector<std::unique_ptr<OriginConnection>> dead_origins_;

  Phase phase_ = Phase::running;
  std::function<void()> on_empty_;
  Event tick_event_;
  Event sweep_event_;
  std::thread thread_;
};

}  // namespace payg::proxy
