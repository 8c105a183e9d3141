#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <thread>

#include "plugin/base/address.h"

namespace payg::bench {

/// What each member of a hostile crowd does, over and over.
struct Habit {
  enum class Reading {
    everything,
    a_byte_a_beat,  ///< and with the smallest receive buffer that the kernel gives
  };
  enum class Answered {
    stays,
    comes_back,  ///< resets its connection and makes another one at the next beat
  };

  std::size_t members = 1;
  /// What it says first on a new connection; each connection has a number of its own, from 0 on.
  std::function<std::string(std::uint64_t connection)> opening;
  /// Sent behind that a byte at each beat, over and over; empty: nothing more.
  std::string drip{};
  std::chrono::milliseconds beat{10};
  Reading reading = Reading::everything;
  Answered answered = Answered::stays;
  /// How many addresses of 127.0.0.0/8 it comes from, by turns.
  std::size_t addresses = 1;
};

/// What the proxy did to the crowd.
struct CrowdFate {
  std::uint64_t connections = 0;  ///< made
  /// Connections by the first answer they got: an HTTP status, what SOCKS5 said, or "closed" without a word.
  /// Those that got none and stand are in no entry.
  std::map<std::string, std::uint64_t> answers;
};

/// A crowd on a thread of its own, from its making until stop(). Whoever is closed comes back at the next
/// beat.
class Crowd {
 public:
  Crowd(const SocketAddress& entry, Habit habit);
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  /// Resets all connections. Once.
  CrowdFate stop();

 private:
  void run();

  const SocketAddress entry_;
  const Habit habit_;
  std::atomic<bool> stopping_{false};
  CrowdFate fate_;
  std::thread thread_;
};

}  // namespace payg::bench
