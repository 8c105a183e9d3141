#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plugin/api/plugin.h"
#include "proxy/counters.h"
#include "proxy/exit_dial.h"
#include "proxy/exit_table.h"

namespace payg::proxy {

/// A connection to a target, and what it goes through.
struct OpenWay {
  UniqueFd fd;
  ExitRef exit;
  /// What has come of the target already (behind a parent's answer).
  Buffer early;
};

/// Who waits for a way out. Exactly one of the two is called, never from within WayOut::start(); it may bury
/// the way out.
class WayOutHandler {
 public:
  virtual void on_way_open(OpenWay way) noexcept = 0;
  virtual void on_no_way(DialFailure failure) noexcept = 0;

 protected:
  ~WayOutHandler() = default;
};

/// What ways out need; one for each worker.
struct WayOutContext {
  const DialContext& dial;
  std::string_view pseudonym;  ///< this proxy's name in Via
  Counters& counters;
};

/// Where a connection wants to go, and by which exit. What it refers to outlives the way out.
struct WayOutRequest {
  const TargetHost& host;
  std::uint16_t port;
  const plugin::Location& location;
  std::uint64_t key = 0;       ///< the same one gets the same exit
  std::string received_via{};  ///< what its request has come through; empty: nothing
};

/// The way of one connection to its target: chooses an exit, dials straight or through its parent, and takes
/// the next best exit when the first one itself fails, a few of them. What becomes of it is told to the
/// exits' health. All of it takes connect_timeout at most. Destroying it gives up.
class WayOut final : private ExitDialHandler {
 public:
  WayOut(const WayOutContext& context, std::shared_ptr<const ExitTable> exits, WayOutRequest request,
         WayOutHandler& handler);
  void start();
  /// Gives up: the handler hears no more of it. For one that is destroyed a little later.
  void stop() noexcept;

 private:
  static constexpr std::size_t most_exits = 3;

  void on_exit_open(UniqueFd fd, Buffer early) noexcept override;
  void on_exit_failed(WayFailure failure) noexcept override;
  static void on_none(evutil_socket_t, short, void* self) noexcept;
  /// False: no exit is left to try.
  bool try_next();

  const WayOutContext& context_;
  const std::shared_ptr<const ExitTable> exits_;
  const WayOutRequest request_;
  WayOutHandler& handler_;
  MonotonicTime deadline_{};
  std::vector<ExitRef> tried_;  // the last one is being tried
  // An attempt that failed is on the call stack when the next one begins.
  std::vector<std::unique_ptr<ExitDial>> attempts_;
  Event none_;
};

}  // namespace payg::proxy
