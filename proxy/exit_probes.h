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
/// A probe target that is not reached says something of an exit only when another exit reached it meanwhile:
/// a target that is gone takes no exit down. What goes wrong before the target is asked for is the exit's own
/// failure in any case.
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
  /// One exit that is looked after.
  struct Charge {
    ExitRef exit;
    MonotonicTime due;
    Activity activity = Activity::waiting;
    /// ExitTable::target_answers() before the first probe of it that did not reach the target.
    std::optional<std::uint64_t> doubted_since{};
  };

  void hear_of_troubles();
  void begin(std::size_t index, MonotonicTime now);
  void on_done(Probe& probe, const WayFailure* failure);
  /// `failure` nullptr: it worked.
  void judge(Charge& charge, const WayFailure* failure, std::uint64_t answers_before);
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
