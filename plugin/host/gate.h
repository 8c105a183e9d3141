#pragma once

// How the proxy asks its plugins, seen from a worker. A worker has one GateKeeper and, inside each client
// connection, one Gate. The gate turns the whole chain of plugins into one:
//
//   authenticate  each plugin in order; the first denial wins, all must accept
//   admit         likewise; the location is that of the first plugin that gives one
//   established   told to each plugin that holds an attachment of the connection and has not been told
//   close         each attachment that is left gets its on_closed; a question that is under way is dropped
//
// Without any plugin everything is accepted at once.
//
// Threads: everything here belongs to the worker's thread, except what a plugin's Answer calls. An answer
// given within the call that asked is delivered before Gate::authenticate or Gate::admit returns, without a
// hop and without an allocation of ours; any other answer is posted to the worker.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "plugin/api/plugin.h"
#include "plugin/host/plugin_chain.h"

namespace payg::plugin {

class GateKeeper;

/// What the owner of a gate hears, on the worker's thread. The gate touches itself no more after each of
/// these calls, so that the owner may ask the next question, close the gate or destroy it within them.
class GateListener {
 public:
  /// Every plugin knows who this is; Gate::user() says so.
  virtual void on_authenticated() noexcept = 0;
  /// Every plugin lets the connection through to the target. Dial now, then call Gate::established or
  /// Gate::dial_failed.
  virtual void on_admitted(const Location& location) noexcept = 0;
  /// The question that was asked is answered with no. Attachments that this question began are over; older
  /// ones stand, and so does the connection.
  virtual void on_denied(const Denial& denial) noexcept = 0;
  /// A plugin ended a session that this connection is attached to. The owner refuses a request that has had
  /// no answer yet with `why`, cuts everything else, and closes the gate before it returns.
  virtual void on_session_ended(const Denial& why) noexcept = 0;

 protected:
  ~GateListener() = default;
};

/// Where a connection wants to go. Views are valid during the call only; the gate keeps copies if it has to.
struct Target {
  Protocol protocol;
  std::string_view host;  ///< as AdmissionRequest::target_host
  std::uint16_t port;
};

/// One connection's standing with the plugins: its identities, its attachments and at most one question
/// under way. Held by value inside the connection, which must stay where it is. A breach of a REQUIRES is our
/// own bug and ends the program.
class Gate {
 public:
  Gate(GateKeeper& keeper, ConnectionId connection, GateListener& listener) noexcept;
  /// Closes.
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// Asks who this is; who it was before is forgotten, attachments stand. request.connection is filled in
  /// here. What the request points at need only live during the call.
  /// Ends in exactly one on_authenticated or on_denied, unless the gate is closed before.
  /// REQUIRES: open, no question under way.
  void authenticate(const AuthenticationRequest& request) noexcept;

  /// Asks whether it may go there. A connection that is attached already (HTTP keep-alive) asks again: the
  /// same session adds nothing, another one closes the old attachment first.
  /// Ends in exactly one on_admitted or on_denied, unless the gate is closed before.
  /// REQUIRES: authenticated, open, no question under way.
  void admit(const Target& target) noexcept;

  /// The target of the last admission answered, through this exit.
  void established(std::string_view exit) noexcept;
  /// The target of the last admission did not answer: what it began is over. An attachment that was
  /// established by an earlier request stands.
  void dial_failed() noexcept;
  /// The connection is over. Late answers are dropped; an admission that comes late still gets its on_closed,
  /// so that the plugin's counts hold. Any number of times.
  void close() noexcept;

  bool asking() const noexcept { return phase_ == Phase::authenticating || phase_ == Phase::admitting; }
  bool closed() const noexcept { return phase_ == Phase::closed; }
  ConnectionId connection() const noexcept { return connection_; }
  /// The user to count limits by: of the first plugin that names one; 0: nobody in particular.
  std::uint64_t user() const noexcept;
  /// What each plugin of the chain has this connection attached to; 0: nothing.
  std::array<SessionHandle, max_chain_length> sessions() const noexcept;
  /// What the first plugin that names this user calls him; empty: nobody does. Valid until the next
  /// authenticate or close.
  std::string_view user_name() const noexcept;
  /// Of the last admission, of the first plugin that gives one: see Admission::affinity.
  std::uint64_t affinity() const noexcept { return affinity_; }

  /// What this connection's bytes are counted in and bounded by. Valid until the next admit, dial_failed or
  /// close.
  std::span<SessionTraffic* const> traffic() const noexcept { return {traffic_.data(), traffic_count_}; }

 private:
  friend class GateKeeper;

  enum class Phase : std::uint8_t { idle, authenticating, admitting, closed };
  enum class Stage : std::uint8_t { none, admitted, established };

  /// A place in the keeper's list of the connections of one session.
  struct SessionLink {
    SessionLink* previous = nullptr;
    SessionLink* next = nullptr;
    Gate* gate = nullptr;
    bool linked() const noexcept { return next != nullptr; }
  };
  struct Seat {
    std::unique_ptr<Identity> identity;
    SessionHandle session;
    SessionTraffic* traffic = nullptr;
    std::string exit;
    SessionLink link;
    Stage stage = Stage::none;
  };

  void ask_who(std::size_t index, const AuthenticationRequest& request) noexcept;
  void ask_where(std::size_t index, const Target& target, Location& location) noexcept;
  void resume(std::size_t index, const AuthenticationRequest& request, Authentication verdict) noexcept;
  void resume(std::size_t index, const Target& target, Location& location, Admission verdict) noexcept;
  void identify(std::size_t index, Authentication verdict) noexcept;
  void seat(std::size_t index, Admission verdict, Location& location) noexcept;
  void unseat(std::size_t index) noexcept;
  void unseat_unestablished() noexcept;
  void refuse(const Denial& denial) noexcept;
  void collect_traffic() noexcept;

  GateKeeper& keeper_;
  GateListener& listener_;
  const ConnectionId connection_;
  std::array<Seat, max_chain_length> seats_;
  std::array<SessionTraffic*, max_chain_length> traffic_{};
  std::uint64_t affinity_ = 0;
  std::uint64_t ticket_ = 0;  // of the question under way, when asking()
  std::uint8_t traffic_count_ = 0;
  Phase phase_ = Phase::idle;
  bool authenticated_ = false;
};

}  // namespace payg::plugin
