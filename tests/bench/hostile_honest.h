#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/bench/script.h"

namespace payg::bench {

/// How long an honest user waited, each time, and how often he got something else than what he wanted.
struct Waits {
  std::vector<std::chrono::nanoseconds> pings;  ///< small requests in a tunnel that stands
  std::vector<std::chrono::nanoseconds> opens;  ///< new tunnels, from connect to the answer
  std::size_t failed_pings = 0;                 ///< his tunnel was closed, or silent for ten seconds
  std::size_t failed_opens = 0;                 ///< refused, closed, or without an answer for ten seconds
};

/// Somebody who pays and wants to work: 200 small requests a second in one tunnel, and 20 new tunnels a
/// second, on threads of their own from his making until his end.
class HonestUser {
 public:
  explicit HonestUser(Route route);
  ~HonestUser();
  HonestUser(const HonestUser&) = delete;
  HonestUser& operator=(const HonestUser&) = delete;

  /// What he has waited since the last time, with what he is waiting for at this moment.
  Waits take();

 private:
  enum class Outcome { done, failed };

  void ping_all_the_time();
  void open_all_the_time();
  void pause(std::chrono::milliseconds time);
  void note(std::vector<std::chrono::nanoseconds> Waits::*samples, std::size_t Waits::*failures,
            const std::function<Outcome()>& attempt);

  const Route route_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Waits waits_;           // guarded by mutex_
  unsigned waiting_ = 0;  // guarded by mutex_: attempts under way
  std::atomic<bool> stopping_{false};
  std::thread pinging_, opening_;
};

}  // namespace payg::bench
