#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "plugin/base/event.h"
#include "plugin/host/plugin_chain.h"
#include "proxy/configuration.h"
#include "proxy/plugin_host.h"
#include "proxy/worker.h"

namespace payg::proxy {

/// How the file descriptors that the process may have are shared out.
struct DescriptorShares {
  std::uint64_t descriptors;  ///< all of them
  unsigned connections;
  std::uint64_t pipes;
  unsigned probes;  ///< of exits, at once
};

/// The whole proxy: plugins, listeners and workers, from start to the last connection's end.
///
/// Threads: made, run and destroyed on the main thread, whose signals SIGTERM, SIGINT and SIGHUP must be
/// blocked before it is made (block_signals()), so that no thread of it takes them.
class Server final : public HostServices {
 public:
  /// `clock` outlives the server.
  Server(Configuration configuration, const Clock& clock);
  ~Server();

  /// Starts the plugins, binds the listeners, starts the workers. Returns what went wrong; empty: it runs.
  std::vector<std::string> start();
  /// Serves until SIGTERM or SIGINT, then drains: stops accepting, lets running transfers go on for
  /// drain_timeout, closes what is left, and has the plugins keep safe what they owe. A second signal ends
  /// the wait. SIGHUP reads the configuration again.
  void run();

  static void block_signals();

 private:
  enum class Phase { running, draining, stopped };

  void end_session(std::size_t plugin, plugin::SessionHandle session,
                   const plugin::Denial& why) noexcept override;
  void protect_address(const SocketAddress& address) override;
  const Clock& clock() const noexcept override { return clock_; }
  std::vector<plugin::Metric> metrics() const override;
  std::vector<plugin::ExitReport> exits() const override;
  std::shared_ptr<const ExitTable> exit_table() const;

  std::vector<std::string> start_plugins();
  void bind_listeners();
  void start_workers();
  void stop();

  static void on_signal(evutil_socket_t fd, short, void* self) noexcept;
  static void on_drain_over(evutil_socket_t, short, void* self) noexcept;
  void handle_signal(int signal);
  void begin_drain();
  void reload();
  /// Parents and a probe target that are this proxy itself, as far as that can be told without asking a name
  /// server.
  std::vector<std::string> refuse_own_addresses(const config::ProxyConfig& config) const;
  /// Puts these exits in force, on every worker; those that stay as they are stay the same.
  void set_exits(const config::ProxyConfig& config);
  /// False when a plugin refused: it keeps what was in force, and so does the proxy.
  bool reload_plugins(const Configuration& fresh);
  /// Of the listeners that stay what they are.
  void reload_certificates(Configuration fresh);
  void remark_on_certificates();
  static void on_remark_time(evutil_socket_t, short, void* self) noexcept;

  struct BoundListener {
    SocketAddress address;
    Entrance entrance;
    std::vector<UniqueFd> sockets;  // one for each worker
  };

  const Clock& clock_;
  Configuration configuration_;
  Settings settings_;
  mutable std::mutex exits_mutex_;
  std::shared_ptr<const ExitTable> exits_;  // guarded by exits_mutex_
  /// What was in force before; kept so that it is no worker's loop that has to free it.
  std::shared_ptr<const ExitTable> former_exits_;
  std::mutex guard_mutex_;
  Guard guard_;  // guarded by guard_mutex_ until the workers run, immutable from then on
  UserLimits user_limits_;
  ClientAddressLimits client_addresses_;
  const DescriptorShares shares_;
  ConnectionLimit connection_limit_;
  AccessLog access_log_;
  std::vector<std::unique_ptr<PluginHost>> hosts_;
  plugin::PluginChain chain_;
  std::vector<BoundListener> listeners_;
  mutable std::mutex certificates_mutex_;
  Certificates certificates_;  // those in force; guarded by certificates_mutex_
  // Keepers inside the workers outlive the plugins: see GateKeeper.
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<plugin::Plugin>> plugins_;
  std::size_t plugins_started_ = 0;
  std::atomic<bool> workers_run_{false};

  EventLoop loop_;
  UniqueFd signals_;
  Event signal_event_;
  Event drain_timer_;
  Event remark_timer_;
  Phase phase_ = Phase::running;
  std::size_t workers_busy_ = 0;
};

}  // namespace payg::proxy
