#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "plugin/api/plugin.h"
#include "plugin/host/gate.h"
#include "plugin/host/plugin_chain.h"

namespace payg::plugin {

/// Runs a task on the worker's thread, soon, in the order of the posts (EventLoop::post). Any thread.
using Poster = std::function<void(std::function<void()>)>;

/// One for each worker: where the answers to its gates' questions arrive, and where its connections are found
/// by session.
///
/// Lives longer than its gates, and longer than every plugin in the chain (a plugin may hold an Answer as
/// long as it lives), and so must what the Poster posts to. Order of the end: close the gates, stop the
/// loop, drain(), Plugin::stop, destroy the plugins, destroy the keepers.
class GateKeeper final : private AnswerSink<Authentication>, private AnswerSink<Admission> {
 public:
  /// `chain` outlives the keeper.
  GateKeeper(const PluginChain& chain, Poster post);
  ~GateKeeper();
  GateKeeper(const GateKeeper&) = delete;
  GateKeeper& operator=(const GateKeeper&) = delete;

  /// Host::end_session's part on this worker, to be posted to it: each gate that the chain's plugin number
  /// `plugin` has attached to the session gets its on_session_ended once. Two plugins may use the same handle
  /// for two sessions, so each plugin needs a Host of its own. A session that nothing is attached to is no
  /// error. An answer and an end that one thread gives one after the other arrive here in that order.
  void end_session(std::size_t plugin, SessionHandle session, const Denial& why) noexcept;

  /// Handles the answers that have arrived from other threads. Posted by itself; called by the owner only
  /// after the loop has stopped.
  void drain() noexcept;

  /// Questions that no plugin has answered yet, those of closed gates included.
  std::size_t questions_under_way() const noexcept { return under_way_; }

 private:
  friend class Gate;

  using Ticket = std::uint64_t;  // a place in questions_
  using Content = std::variant<Authentication, Admission, Denial>;

  /// A question that a plugin has not answered yet, with what it takes to ask the plugins behind it.
  struct Question {
    Gate* gate = nullptr;  // nullptr: the gate was closed meanwhile
    std::size_t plugin = 0;
    ConnectionId connection;
    SessionHandle attached;
    // Copies of what was asked, made only when the answer does not come at once.
    Protocol protocol = Protocol::http_connect;
    std::string host, name, password;
    std::uint16_t port = 0;
    bool has_credentials = false;
    std::optional<sockaddr_storage> client;
    Location location;  // given by the plugins before this one
  };
  struct Letter {
    Ticket ticket;
    Content content;
  };
  /// The call into a plugin that a thread is in, so that an answer within it finds its way without a lock.
  struct Asking {
    const GateKeeper* keeper;
    Ticket ticket;
    std::optional<Content> answer;
  };

  /// Each asks one plugin. nullopt: the answer comes later, to Gate::resume.
  std::optional<Content> ask(Gate& gate, std::size_t plugin, const AuthenticationRequest& request);
  std::optional<Content> ask(Gate& gate, std::size_t plugin, const Target& target, Location& location);
  template <class Verdict, class Call>
  std::optional<Content> call(Ticket ticket, const Call& call);
  Ticket open_question(Gate& gate, std::size_t plugin);
  Question take_question(Ticket ticket);
  void free_question(Ticket ticket);
  /// The gate is closing: its question's answer finds nobody.
  void abandon_question(Ticket ticket) noexcept { questions_[ticket].gate = nullptr; }

  void link(std::size_t plugin, SessionHandle session, Gate::SessionLink& link);
  void unlink(std::size_t plugin, SessionHandle session, Gate::SessionLink& link) noexcept;

  void accept(Ticket ticket, Authentication verdict) noexcept override;
  void accept(Ticket ticket, Admission verdict) noexcept override;
  void deny(Ticket ticket, Denial denial) noexcept override;
  void arrive(Ticket ticket, Content content) noexcept;
  void deliver(Letter letter) noexcept;

  static constinit thread_local Asking* asking_;

  const PluginChain& chain_;
  const Poster post_;
  // The worker's thread only:
  std::vector<Question> questions_;
  std::vector<Ticket> free_questions_;
  std::size_t under_way_ = 0;
  // For each plugin, its sessions that have a connection here: heads of rings of links.
  std::array<std::unordered_map<SessionHandle, Gate::SessionLink>, max_chain_length> sessions_;

  std::mutex mutex_;
  std::vector<Letter> inbox_;  // guarded by mutex_
};

}  // namespace payg::plugin
