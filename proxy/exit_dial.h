#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "plugin/base/event.h"
#include "proxy/buffer.h"
#include "proxy/dial.h"
#include "proxy/exit.h"
#include "proxy/parent_talk.h"

namespace payg::proxy {

/// What an ExitDial is to do.
struct ExitDialRequest {
  ExitRef exit;
  /// The target; nullptr: only the parent is to be reached and greeted, which no direct exit has. Outlives
  /// the dial.
  const TargetHost* host;
  std::uint16_t port;
  /// Guarded like what a client asks for, or named by the operator.
  DialScope scope = DialScope::target;
  ViaOfRequest via;        ///< outlives the dial
  MonotonicTime deadline;  ///< of everything
  /// For the exit to be reached and to greet, before it is asked for the target.
  std::chrono::milliseconds patience;
};

/// Who waits for an ExitDial. Exactly one of the two is called, never from within start(), and nothing of the
/// dial is touched behind it.
class ExitDialHandler {
 public:
  /// `early`: what has come of the target already.
  virtual void on_exit_open(UniqueFd fd, Buffer early) noexcept = 0;
  virtual void on_exit_failed(WayFailure failure) noexcept = 0;

 protected:
  ~ExitDialHandler() = default;
};

/// One attempt to reach a target by one exit: straight, or through its parent. A name that a parent is to be
/// asked for as an address is resolved first, each address is checked by the guard, and the very address that
/// was checked is asked for; IPv4 first, since most parents have nothing else, and another one when the
/// parent cannot reach it.
class ExitDial final : private DialHandler, private ResolutionHandler, private Timer {
 public:
  ExitDial(const DialContext& context, ExitDialRequest request, ExitDialHandler& handler);
  ~ExitDial() override = default;
  void start();
  /// Gives up: the handler hears no more of it.
  void stop() noexcept;

 private:
  static constexpr std::size_t most_candidates = 3;
  using Family = IpAddress::Family;
  enum class Step { resolving, reaching_parent, talking };

  void on_connected(UniqueFd fd) noexcept override;
  void on_dial_failed(DialFailure failure) noexcept override;
  void on_resolved(Family family, std::vector<IpAddress> addresses) noexcept override;
  void on_timeout() noexcept override;
  static void on_readable(evutil_socket_t, short, void* self) noexcept;
  static void on_writable(evutil_socket_t, short, void* self) noexcept;
  static void on_soon(evutil_socket_t, short, void* self) noexcept;

  bool is_direct() const noexcept { return request_.exit->kind() == config::ExitKind::direct; }
  bool is_permitted(const IpAddress& address) const noexcept;
  /// What a parent is told to go to, without asking anybody; false: it has to be resolved.
  bool names_target_itself();
  void reach_parent();
  void talk();
  void read_parent();
  /// False: the connection is gone.
  bool send_unsent();
  void on_talk_failed(const WayFailure& failure);
  void open();
  void fail(WayFailure failure) noexcept;
  /// In the loop's next round.
  void fail_soon(DialFailure failure);
  void let_go_of_parent() noexcept;
  WayFailure failure_of_parent(DialFailure failure) const;

  const DialContext& context_;
  const ExitDialRequest request_;
  ExitDialHandler& handler_;
  Step step_ = Step::reaching_parent;
  std::optional<Dial> dial_;

  // Of a parent only.
  std::unique_ptr<Resolver::Resolution> resolution_;
  int unanswered_ = 0;
  DialFailure nothing_found_ = DialFailure::unresolved;
  std::vector<TargetHost> candidates_;
  std::size_t next_candidate_ = 0;
  UniqueFd fd_;
  Event readable_;
  Event writable_;
  Event soon_;
  DialFailure failure_soon_ = DialFailure::unreachable;
  Buffer received_;
  std::optional<ParentTalk> talk_;
  std::uint64_t answers_before_ = 0;
};

}  // namespace payg::proxy
