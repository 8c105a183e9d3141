#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/metered_proxy.h"

namespace payg::test {

/// Does something again and again on a thread of its own, with a moment's rest in between.
class Loop {
 public:
  explicit Loop(std::function<void()> turn);
  ~Loop() { stop(); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Returns when the turn under way is over.
  void stop();

 private:
  void run();

  std::function<void()> turn_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

/// Users with `credits` each, by the names "PREFIX0", "PREFIX1" …
std::vector<Account> many_users(const MeteredProxy& metered, const std::string& prefix, int count,
                                const std::string& credits);

/// A tunnel for each of some users, on which a byte goes to and fro all the time.
class PingPong {
 public:
  struct Latency {
    std::size_t count = 0;
    std::chrono::microseconds median{0}, p99{0}, worst{0};
  };

  /// `metered` outlives it. Returns when all tunnels are there.
  PingPong(const MeteredProxy& metered, const std::vector<Account>& accounts);

  /// Round trips so far, over all tunnels.
  std::size_t round_trips() const;
  /// Waits for so many more of them, and throws HarnessError when they do not come.
  void wait_for(std::size_t more) const;
  /// Tunnels that have ended, which none should.
  int broken() const;
  /// Of the round trips since it was last asked.
  Latency take_latency();
  /// Closes all tunnels.
  void stop();

 private:
  void go_round();

  Origin echo_{scripts::echo()};
  std::vector<RawClient> tunnels_;  // the loop's

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::size_t round_trips_ = 0;
  int broken_ = 0;
  std::vector<std::chrono::microseconds> times_;

  Loop loop_;
};

std::ostream& operator<<(std::ostream& out, const PingPong::Latency& latency);

/// A customer who buys one package of 10 credits after the other, and asks again, with the same
/// Idempotency-Key, until he is told that it is done.
class Shopper {
 public:
  /// `metered` outlives it.
  Shopper(const MeteredProxy& metered, const Account& account);

  int bought() const;
  /// Answers of 503.
  int refused() const;
  /// Waits until he has bought so many more, and throws HarnessError when he never has.
  void wait_for(int more) const;
  /// Ends with the purchase under way, then sees that every one that was acknowledged is there, paid once.
  void stop_and_check();

 private:
  void buy();
  void note(const AdminAnswer& answer);

  const MeteredProxy& metered_;
  const Account account_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<std::string> references_;
  int refused_ = 0;
  std::vector<std::string> oddities_;

  int number_ = 0;  // of the purchase under way: the loop's
  Loop loop_;
};

/// One sample of /metrics, by its whole name.
double metric(const MeteredProxy& metered, const std::string& name);
/// Waits until all sessions have ended and been posted, and sees that what their users' histories show is
/// what the proxy was told that it charged.
void expect_everything_settled(const MeteredProxy& metered, const std::vector<Account>& accounts);

}  // namespace payg::test
