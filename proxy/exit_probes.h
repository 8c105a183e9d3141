#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "proxy/exit_table.h"
#include "proxy/parent_talk.h"
#include "proxy/way_out.h"

namespace payg::proxy {

/// How the exits are shared out among the workers that look after them.
struct ProbeShare {
  unsigned worker = 0;
  unsigned workers = 1;
  unsigned most_at_once = 8;  ///< probes of this worker that are under way
};

/// Looks after one worker's share of the exits: tries those that are down, after a back-off that doubles, and
/// probes those that are up once an interval, spread over it. A probe goes the way of any connection, to the
/// probe target; without one the parent is reached and greeted, or the source address bound.
///
/// A probe target that is not reached says something of an exit only when another exit has reached it between
/// two probes of this one that did not: a target that is gone, or goes while it is asked for, takes no exit
/// down. Where that has taken an exit down it stays down until it reaches the target, or has not been blamed
/// so for two intervals.
/// What the exit itself does wrong is its failure in any case; and a probe that never came to ask a parent,
/// as the target's name was not resolved, says nothing of it: one that is down is asked without a target
/// then.
///
/// Belongs to its worker's thread.
class ExitProbes {
 public:
  ExitProbes(const WayOutContext& context, ProbeShare share);
  ~ExitProbes();

  /// Looks after these from now on.
  void set_exits(std::shared_ptr<const ExitTable> exits);
  /// Begins what is due. Called at every tick of the worker; costs next to nothing when nothing is.
  void look(MonotonicTime now);
  /// Ends all probes and begins no more.
  void stop() noexcept;

 private:
  class Probe;
  enum class Activity : std::uint8_t { waiting, under_way };
  /// What a probe goes to when there is a probe target.
  enum class Aim : std::uint8_t { target, parent };
  /// One exit that is looked after.
  struct Charge {
    ExitRef exit;
    MonotonicTime due;
    Activity activity = Activity::waiting;
    Aim aim = Aim::target;  ///< of the next probe
    /// Its retry_at() that was heard of: what is past is not taken for news.
    MonotonicTime retry_heard = MonotonicTime::min();
    /// When the last probe of it was over that did not reach the target; nullopt: since then one has.
    std::optional<MonotonicTime> missed_target_at{};
    /// When it was last blamed for that.
    std::optional<MonotonicTime> blamed_at{};
  };

  void hear_of_troubles();
  void begin(std::size_t index, MonotonicTime now);
  void on_done(Probe& probe, const WayFailure* failure);
  /// `failure` nullptr: it worked.
  void judge(Charge& charge, const WayFailure* failure, MonotonicTime begun, Aim aim);
  void note_success(Charge& charge, MonotonicTime begun);
  void note_failure(Charge& charge, const std::string& why);
  void note_missed_target(Charge& charge, DialFailure failure);
  /// It is there; what it reaches is not known.
  void note_reached(Charge& charge);
  /// The target's name was not resolved, and the parent not asked: it is looked at without the target now.
  void look_at_parent_alone(Charge& charge);
  void put_off(Charge& charge);
  MonotonicTime due_while_up(const Exit& exit, MonotonicTime now) const noexcept;
  std::optional<WayFailure> try_source(const Exit& exit) const;

  const WayOutContext& context_;
  const ProbeShare share_;
  std::shared_ptr<const ExitTable> exits_;  // nullptr: stopped
  std::vector<Charge> charges_;
  std::size_t first_ = 0;  // where look() begins: those who had to wait come first
  MonotonicTime next_due_ = MonotonicTime::max();
  std::uint64_t troubles_heard_ = 0;
  std::vector<std::unique_ptr<Probe>> probes_;
  std::vector<std::unique_ptr<Probe>> done_;  // they may be on the call stack until the next look
};

}  // namespace payg::proxy
