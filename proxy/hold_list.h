#pragma once

#include <algorithm>
#include <chrono>
#include <span>
#include <unordered_set>
#include <vector>

#include "plugin/api/plugin.h"
#include "plugin/base/clock.h"
#include "plugin/base/event.h"
#include "proxy/counters.h"
#include "proxy/pace.h"

namespace payg::proxy {

/// The sessions that one connection is attached to.
using Sessions = std::span<plugin::SessionTraffic* const>;

/// The last moment at which all of them permit bytes to move; max(): no bound.
inline MonotonicTime relay_until(Sessions sessions) noexcept {
  MonotonicTime earliest = MonotonicTime::max();
  for (const auto* session : sessions)
    earliest = std::min(earliest, session->relay_until.load(std::memory_order_relaxed));
  return earliest;
}

class HoldList;

/// A connection that can be held; sits in its owner, which takes it out of the list before it is destroyed.
class Holdable {
 public:
  bool held() const noexcept { return list_ != nullptr; }

 protected:
  Holdable() noexcept = default;
  ~Holdable() = default;

  /// The answer of its Passage: would a piece move now?
  virtual bool may_move(MonotonicTime now) const noexcept = 0;
  /// What it shares with others of its user; nullptr: nothing.
  virtual const Pace* pace() const noexcept = 0;
  /// Its bytes may move again. It is out of the list; it closes nothing within the call.
  virtual void on_released() noexcept = 0;

 private:
  friend class HoldList;
  HoldList* list_ = nullptr;  // nullptr: it is not held
  Holdable* previous_ = nullptr;
  Holdable* next_ = nullptr;
};

/// The connections of one worker that had bytes to move and were not permitted to. Looks at each of them
/// every `interval` and releases those that are; costs nothing while nobody is held. Of those who share a
/// pace one at a time is released, whoever has waited longest: what there is room for he may use up, and then
/// he stands behind the others. The worker's thread.
class HoldList {
 public:
  /// Nobody notices that he was released this much late, and looking at ten thousand takes 0.3 ms: 3 % of a
  /// worker's time for as long as they are held.
  static constexpr std::chrono::milliseconds interval{10};

  /// All outlive it.
  HoldList(event_base* base, const Clock& clock, Counters& counters);

  const Clock& clock() const noexcept { return clock_; }
  /// Takes it in, until it is released or let go. One that is held already stays.
  void hold(Holdable& connection) noexcept;
  /// Takes it out without a word. Any number of times.
  void let_go(Holdable& connection) noexcept;

 private:
  static void on_interval(evutil_socket_t, short, void* self) noexcept;
  void look() noexcept;

  const Clock& clock_;
  Counters& counters_;
  Holdable* first_ = nullptr;  // has waited longest
  Holdable* last_ = nullptr;
  std::unordered_set<const Pace*> served_;  // within a look; kept for its memory
  Event again_;
};

}  // namespace payg::proxy
