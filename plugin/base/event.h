#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "plugin/base/unique_fd.h"

namespace payg {

/// Owns an event_base: one loop, run by one thread.
class EventLoop {
 public:
  /// Throws std::runtime_error when the kernel gives no epoll descriptor (start-up only).
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  event_base* base() const noexcept { return base_; }

  /// Dispatches until stop(). The calling thread becomes the loop's thread.
  void run();
  /// Any thread. run() returns after the callbacks that are already active.
  void stop() noexcept;

  /// Runs `task` on the loop's thread, soon, in the order of the posts. Any thread; never blocks on the loop,
  /// never drops. Tasks posted after the loop has stopped run when drain() is called, or never.
  void post(std::function<void()> task);
  /// The loop's thread, or after run() has returned: runs what was posted and has not run yet.
  void drain();

 private:
  static void on_wakeup(evutil_socket_t, short, void* self) noexcept;

  event_base* base_;
  UniqueFd wakeup_;
  event wakeup_event_;
  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;  // guarded by mutex_
};

/// One event of an EventLoop, held by value inside its owner, which must stay where it is. Destroying it
/// takes it out of the loop. The callback is a noexcept trampoline that calls a method and does nothing else.
class Event {
 public:
  using Callback = void (*)(evutil_socket_t, short, void*) noexcept;

  Event() noexcept = default;
  ~Event() { reset(); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void assign(event_base* base, evutil_socket_t fd, short what, Callback callback, void* owner) noexcept {
    reset();
    event_assign(&event_, base, fd, what, callback, owner);
    assigned_ = true;
  }
  /// False when the kernel refuses (out of memory).
  bool add() noexcept { return event_add(&event_, nullptr) == 0; }
  bool add_for(std::chrono::milliseconds delay) noexcept {
    const timeval timeout{.tv_sec = delay.count() / 1000, .tv_usec = (delay.count() % 1000) * 1000};
    return event_add(&event_, &timeout) == 0;
  }
  void remove() noexcept {
    if (assigned_) event_del_noblock(&event_);
  }
  /// Waits for its time to come.
  bool is_timer_pending() const noexcept {
    return assigned_ && event_pending(&event_, EV_TIMEOUT, nullptr) != 0;
  }
  void activate(short what) noexcept { event_active(&event_, what, 0); }
  void reset() noexcept {
    remove();
    assigned_ = false;
  }
  bool assigned() const noexcept { return assigned_; }

 private:
  event event_;
  bool assigned_ = false;
};

}  // namespace payg
