#pragma once

#include <cstdint>
#include <memory>

#include "plugin/base/address.h"
#include "plugin/host/gate.h"
#include "proxy/access_log.h"
#include "proxy/client_address_limits.h"
#include "proxy/entrance.h"
#include "proxy/exit_table.h"
#include "proxy/hold_list.h"
#include "proxy/passage.h"
#include "proxy/refusal_kind.h"
#include "proxy/socket.h"
#include "proxy/stage.h"
#include "proxy/timer_wheel.h"
#include "proxy/user_limits.h"
#include "proxy/way_out.h"

namespace payg::proxy {

class Worker;

/// One client connection, from accept to close: its socket, its standing with the plugins, its timer, and the
/// stage it is in. Owned by its worker, used on the worker's thread only.
class Connection final : private SocketHandler,
                         private plugin::GateListener,
                         private Timer,
                         private Holdable {
 public:
  Connection(Worker& worker, plugin::ConnectionId id, const SocketAddress& peer);
  ~Connection() override;

  /// Takes the accepted descriptor and waits for the first byte. `entrance` outlives the connection. False:
  /// the kernel refused to watch it.
  bool start(UniqueFd fd, const Entrance& entrance);
  /// The worker is about to stop.
  void drain() noexcept;
  /// Closes everything now, tells the plugins and writes the access log's line. The object lives until the
  /// worker sweeps. Any number of times; the first cause is the one that counts.
  void close(ConnectionEnd why) noexcept;
  /// The same for a connection whose bytes must not go on: what the kernel holds unsent is thrown away.
  void abort(ConnectionEnd why) noexcept;

  // For stages:

  Worker& worker() noexcept { return worker_; }
  Socket& client() noexcept { return client_; }
  plugin::Gate& gate() noexcept { return gate_; }
  /// The client: who connected, or for whom that was done (PROXY protocol). Never an IPv4-mapped address.
  const SocketAddress& peer() const noexcept { return peer_; }
  /// REQUIRES: it was started.
  const Entrance& entrance() const noexcept { return *entrance_; }
  void set_peer(const SocketAddress& peer) noexcept { peer_ = peer; }
  bool is_closed() const noexcept { return closed_; }

  /// Puts another stage in place and starts it. The old one is closed, and destroyed a little later.
  void become(std::unique_ptr<Stage> stage);
  /// The timer is one: setting it takes the place of what was set.
  void set_timeout(std::chrono::milliseconds delay) noexcept;
  void stop_timeout() noexcept { disarm(); }

  /// Takes a place among the user's connections, if the gate names a user and the connection has none yet.
  /// False: he has as many as he may.
  bool enter_user_limit();
  /// Takes a place among those of its client's address, for as long as it lives.
  ClientAddressLimits::Verdict enter_address_limit();
  /// An exit that is up at this location, the same for all connections of one session as long as it is, and
  /// none of those `tried`; nullptr: there is none.
  ExitRef choose_exit(const plugin::Location& location, ExitUse use = ExitUse::tcp,
                      std::span<const ExitRef> tried = {}) const;
  /// An exit failed by itself. `why`: for the operator.
  void note_failure(const Exit& exit, std::string_view why) const;
  /// Begins to make a way by that exit, or the next best one when it does not work. The request's key is
  /// filled in here; what it refers to and the handler outlive the way.
  std::unique_ptr<WayOut> begin_way_out(WayOutRequest request, WayOutHandler& handler);
  void count_refusal(RefusalKind kind) noexcept;
  /// The client asks for this: what the access log shows, and counts.
  void on_request(plugin::Protocol protocol, std::string_view host, std::uint16_t port);
  /// The target of the last admission answered, through this exit.
  void established(const Exit& exit);

  /// The way of its sessions' bytes to the target, and to the client. `now`: as just read.
  Passage up_passage(MonotonicTime now) noexcept;
  Passage down_passage(MonotonicTime now) noexcept;
  Passage down_passage() noexcept;
  /// In which order the two are to move now.
  using Holdable::Order;
  using Holdable::order;
  /// The proxy's own words to the client need nobody's leave.
  Passage answer_passage() noexcept;

 private:
  friend class Worker;

  void on_ready(Socket& socket) noexcept override;
  void on_timeout() noexcept override;
  bool may_move(MonotonicTime now) const noexcept override;
  void on_released() noexcept override { client_.ready_again(); }
  void on_authenticated() noexcept override;
  void on_admitted(const plugin::Location& location) noexcept override;
  void on_denied(const plugin::Denial& denial) noexcept override;
  void on_session_ended(const plugin::Denial& why) noexcept override;

  /// What has to be noted while the gate still knows it.
  void note_standing();
  void write_record(ConnectionEnd why) noexcept;
  /// Connections with the same one leave by the same exit.
  std::uint64_t exit_key() const noexcept;

  Worker& worker_;
  Socket client_;
  plugin::Gate gate_;
  std::unique_ptr<Stage> stage_;  // none: not started
  UserLimits::Place place_;
  ClientAddressLimits::Place address_place_;
  SocketAddress peer_;
  const Entrance* entrance_ = nullptr;
  std::uint64_t up_bytes_ = 0;
  std::uint64_t down_bytes_ = 0;
  std::unique_ptr<AccessRecord> record_;  // none: nobody keeps a log
  bool closed_ = false;
  // The worker's list of its connections.
  Connection* previous_ = nullptr;
  Connection* next_ = nullptr;
};

}  // namespace payg::proxy
