#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "plugin/api/plugin.h"
#include "plugin/base/address.h"

namespace spdlog {
class logger;
namespace details {
class thread_pool;
}
}  // namespace spdlog

namespace payg::proxy {

/// Why a client connection is over: whatever came first.
enum class ConnectionEnd : std::uint8_t {
  client_closed,      ///< the client ended its side first
  target_closed,      ///< the target did
  client_reset,       ///< the client was gone: reset, or it took nothing any more
  target_reset,       ///< the target was
  answered,           ///< the proxy closed behind its last answer, a refusal perhaps
  idle_timeout,       ///< no byte moved for idle_timeout
  handshake_timeout,  ///< the client took too long to say what it wants
  cut,                ///< its session was ended
  stopped,            ///< the process stopped
  failed,             ///< the proxy had no resources left for it, or the client did not keep to the protocol
};
std::string_view name_of(ConnectionEnd end) noexcept;

/// What the access log says of one client connection.
struct AccessRecord {
  plugin::ConnectionId connection;
  SocketAddress client;
  std::optional<plugin::Protocol> protocol;  ///< nullopt: it never asked for anything
  std::string user;                          ///< empty: nobody in particular
  std::uint64_t session = 0;                 ///< plugin::SessionTraffic::shown_as; 0: none
  std::string exit;                          ///< the last that it left by; empty: none
  std::string target;                        ///< "host:port", the last; empty: none
  unsigned requests = 0;                     ///< HTTP: all of the connection; SOCKS5: 1
  std::uint64_t up_bytes = 0;
  std::uint64_t down_bytes = 0;
  std::chrono::milliseconds duration{0};
  WallTime ended_at{};
  ConnectionEnd end = ConnectionEnd::client_closed;
  /// Its session was ended, whatever closed it then.
  enum class Cut : std::uint8_t { no, yes } cut = Cut::no;
  MonotonicTime began_at{};
  /// The code of the last refusal, or of why it was cut; empty: the last request was not refused.
  std::string_view refusal;
};

/// The record as one line of JSON, without the newline.
std::string to_json(const AccessRecord& record);

/// One line of JSON for each client connection that is over, in a file. Lines are written by a thread of its
/// own; a worker hands them over and goes on. When that thread is behind by `most_waiting` lines, because the
/// disk is, the oldest are dropped and counted: customers do not wait for a log.
class AccessLog {
 public:
  static constexpr std::size_t most_waiting = 16 * 1024;

  AccessLog() = default;
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  /// Writes to the end of this file from now on, also when it is the same one again, which may have been
  /// moved away (logrotate); "-": standard output; empty: nothing is written. Returns what went wrong, and
  /// then all stays as it was; empty: done. What waits for the old one is written first, which takes as long
  /// as its disk does; nobody else waits for that. Main thread.
  std::string open(const std::string& path);
  /// Any thread, at any time; does not block.
  bool is_open() const noexcept { return is_open_.load(std::memory_order_relaxed); }
  void write(const AccessRecord& record) noexcept;
  /// Lines that were dropped. Any thread.
  std::uint64_t dropped() const;

 private:
  /// A file, and the thread that writes to it.
  struct Output {
    std::shared_ptr<spdlog::details::thread_pool> pool;
    std::shared_ptr<spdlog::logger> logger;
  };
  static void end(Output output);

  mutable std::mutex mutex_;
  Output in_force_;                   // guarded by mutex_
  std::uint64_t dropped_before_ = 0;  // guarded by mutex_; by what was in force before
  std::atomic<bool> is_open_{false};
};

}  // namespace payg::proxy
