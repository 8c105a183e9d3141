#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "plugin/api/plugin.h"
#include "plugin/base/clock.h"
#include "plugin/base/event.h"
#include "proxy/counters.h"

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

/// A connection that can be held; sits in its owner, which takes it out of the list before it is destroyed.
class Holdable {
 public:
  bool held() const noexcept { return queue_ != nullptr; }
  /// Bytes of it have moved.
  void had_its_turn() noexcept { turn_ = Turn::had; }
  /// In which order its two directions move: changes with each turn, so that neither of them always takes all
  /// the room that its pace has.
  enum class Order : std::uint8_t { usual, reversed };
  Order order() const noexcept { return order_; }

 protected:
  Holdable() noexcept = default;
  ~Holdable() = default;

  /// The answer of its Passage: would a piece move now?
  virtual bool may_move(MonotonicTime now) const noexcept = 0;
  /// Its bytes may move again. It is out of the list; it closes nothing within the call.
  virtual void on_released() noexcept = 0;

 private:
  friend class HoldList;
  struct Queue {
    Holdable* first = nullptr;  // has waited longest
    Holdable* last = nullptr;
  };
  enum class Turn : std::uint8_t {
    had,    // its bytes have moved since it was released; also when it never was
    to_get  // it was released, and found no room any more, or nothing to move
  };
  Queue* queue_ = nullptr;  // nullptr: it is not held
  Holdable* previous_ = nullptr;
  Holdable* next_ = nullptr;
  Turn turn_ = Turn::had;
  Order order_ = Order::usual;
};

/// The connections of one worker that had bytes to move and were not permitted to. Looks at each of them
/// every `interval` and releases those that are; costs nothing while nobody is held. Those who share a pace
/// move in the order in which they are released, as long as it has room: who has moved stands behind all
/// others when he is held again, and who was released and has not stands before them. The worker's thread.
class HoldList {
 public:
  /// Nobody notices that he was released this much late, and looking at ten thousand takes 0.3 ms: 3 % of a
  /// worker's time for as long as they are held. Whoever is released costs a run of his relaying besides,
  /// also when his pace has no room any more.
  static constexpr std::chrono::milliseconds interval{10};

  /// All outlive it.
  HoldList(event_base* base, const Clock& clock, Counters& counters);

  const Clock& clock() const noexcept { return clock_; }
  /// Takes it in, until it is released or let go. One that is held already stays.
  void hold(Holdable& connection) noexcept;
  /// Takes it out without a word. Any number of times.
  void let_go(Holdable& connection) noexcept;

 private:
  using Queue = Holdable::Queue;

  static void on_interval(evutil_socket_t, short, void* self) noexcept;
  void look() noexcept;
  void look_at(Queue& queue, MonotonicTime now) noexcept;
  bool is_empty() const noexcept { return passed_over_.first == nullptr && waiting_.first == nullptr; }

  const Clock& clock_;
  Counters& counters_;
  Queue passed_over_;  // still to get a turn
  Queue waiting_;
  Event again_;
};

}  // namespace payg::proxy
