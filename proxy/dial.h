#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "plugin/base/address.h"
#include "plugin/base/event.h"
#include "plugin/base/unique_fd.h"
#include "proxy/net/guard.h"
#include "proxy/net/target_host.h"
#include "proxy/resolver.h"
#include "proxy/timer_wheel.h"

namespace payg::proxy {

enum class DialFailure {
  unresolved,   ///< the name has no address, or DNS did not answer
  forbidden,    ///< every address it has is guarded
  refused,      ///< ECONNREFUSED
  unreachable,  ///< no route, or any other error of the network
  timed_out,    ///< nobody answered within connect_timeout
  exhausted,    ///< this process is out of file descriptors or ports
  exit_failed,  ///< the exit itself: its source address, its parent; the target has not been heard of
  no_exit,      ///< none stands where the connection is to leave, or none that is up
};

/// Who waits for a connection to a target. Exactly one of the two is called, never from within Dial::start;
/// it may destroy the dial.
class DialHandler {
 public:
  virtual void on_connected(UniqueFd fd) noexcept = 0;
  virtual void on_dial_failed(DialFailure failure) noexcept = 0;

 protected:
  ~DialHandler() = default;
};

/// What dials need; one for each worker.
struct DialContext {
  event_base* base;
  Resolver& resolver;
  TimerWheel& wheel;
  const Clock& clock;
  const Guard& guard;
  std::chrono::milliseconds connect_timeout;
  /// RFC 8305 §8: Connection Attempt Delay and Resolution Delay.
  std::chrono::milliseconds attempt_delay{250};
  std::chrono::milliseconds resolution_delay{50};
};

/// What a dial may connect to.
enum class DialScope {
  target,  ///< what the guard lets through
  parent,  ///< anything but the addresses that this process listens on: the operator named it
};

/// What to connect to. What it points to outlives the dial.
struct DialRequest {
  const TargetHost& host;
  std::uint16_t port;
  std::optional<IpAddress> source{};  ///< what to connect from; nullopt: the kernel chooses
  DialScope scope = DialScope::target;
  /// For all of it, name resolution included.
  std::chrono::milliseconds timeout;
};

/// One attempt to reach a target, by RFC 8305: both families are asked for, IPv6 is preferred, a further
/// address is tried 250 ms after the last, and the first connection that stands wins. Each address is checked
/// by the guard, and the connection goes to the very address that was checked. Destroying it gives up.
class Dial final : private ResolutionHandler, private Timer {
 public:
  Dial(const DialContext& context, const DialRequest& request, DialHandler& handler);
  ~Dial() override = default;
  void start();
  /// Gives up: the handler hears no more of it. For a dial that is destroyed a little later.
  void stop() noexcept;

 private:
  static constexpr std::size_t most_attempts = 8;
  using Family = IpAddress::Family;

  struct Attempt {
    UniqueFd fd;
    Event event;
  };

  void on_resolved(Family family, std::vector<IpAddress> addresses) noexcept override;
  void on_timeout() noexcept override;
  void on_attempt_ready(std::size_t index) noexcept;
  static void on_event(evutil_socket_t fd, short what, void* self) noexcept;
  static void on_pace(evutil_socket_t, short, void* self) noexcept;

  void add_candidates(std::vector<IpAddress> addresses);
  /// Starts the next attempt, or finishes when nothing is left to try or to wait for.
  void try_next();
  bool begin_attempt(const IpAddress& address);
  bool is_permitted(const SocketAddress& address) const noexcept;
  /// A listener on a wildcard address is reached by every address of this machine, also by one that it got
  /// after the start.
  bool is_own_address(int fd) const noexcept;
  void note_error(int error) noexcept;
  bool resolving() const noexcept { return unanswered_ != 0; }
  void fail(DialFailure failure) noexcept;

  enum class Phase : std::uint8_t { starting, running };

  const DialContext& context_;
  const DialRequest request_;
  DialHandler& handler_;
  std::unique_ptr<Resolver::Resolution> resolution_;
  std::vector<IpAddress> candidates_[2];  // those not tried yet, by family; the next one is the last
  std::array<Attempt, most_attempts> attempts_;
  std::size_t begun_ = 0;
  std::size_t under_way_ = 0;
  int unanswered_ = 0;  // families whose answer has not come
  Phase phase_ = Phase::starting;
  Family next_family_ = Family::v6;
  DialFailure nothing_found_ = DialFailure::unresolved;  // why there is nothing to try
  std::optional<DialFailure> failed_attempt_;            // the last; it says more
  Event pace_;  // the pause between attempts, and the wait for IPv6 when IPv4 came first
};

/// Binds a socket to a source address, its port left open; errno when false.
bool bind_to(int fd, const IpAddress& source) noexcept;

/// What an errno says that came of binding a socket to an exit's source address: `exhausted` when this
/// process or the machine is out of something, `exit_failed` otherwise.
DialFailure failure_of_bind(int error) noexcept;

}  // namespace payg::proxy
