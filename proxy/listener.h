#pragma once

#include <atomic>
#include <utility>

#include "plugin/base/address.h"
#include "plugin/base/event.h"
#include "plugin/base/unique_fd.h"
#include "proxy/entrance.h"

namespace payg::proxy {

/// The places that there are for client connections over all workers. A connection takes one; a UDP
/// association takes two, as it has more descriptors. Thread-safe.
class ConnectionLimit {
 public:
  explicit ConnectionLimit(unsigned most) noexcept : most_(most) {}
  bool enter() noexcept {
    if (open_.fetch_add(1, std::memory_order_relaxed) < most_) return true;
    leave();
    return false;
  }
  void leave() noexcept { open_.fetch_sub(1, std::memory_order_relaxed); }

  /// A further one for a connection that needs more descriptors than others, until it is destroyed.
  class Place {
   public:
    Place() noexcept = default;
    explicit Place(ConnectionLimit& limit) noexcept : limit_(limit.enter() ? &limit : nullptr) {}
    Place(Place&& other) noexcept : limit_(std::exchange(other.limit_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      if (this != &other) {
        if (limit_ != nullptr) limit_->leave();
        limit_ = std::exchange(other.limit_, nullptr);
      }
      return *this;
    }
    ~Place() {
      if (limit_ != nullptr) limit_->leave();
    }
    /// False: there was none.
    explicit operator bool() const noexcept { return limit_ != nullptr; }

   private:
    ConnectionLimit* limit_ = nullptr;
  };

 private:
  const unsigned most_;
  std::atomic<unsigned> open_{0};
};

class ListenerHandler {
 public:
  /// A connection was accepted; its place in the ConnectionLimit goes with it.
  /// `entrance` lives as long as the listener.
  virtual void on_accepted(UniqueFd fd, const SocketAddress& peer, const Entrance& entrance) noexcept = 0;
  /// Accepting pauses: no descriptor or no place is left.
  virtual void on_accept_paused() noexcept = 0;

 protected:
  ~ListenerHandler() = default;
};

/// Accepts clients in batches. When the process has no descriptor or place left it lets them wait in the
/// kernel's queue and tries again in a moment, instead of spinning.
class Listener {
 public:
  Listener(event_base* base, UniqueFd listening, Entrance entrance, ConnectionLimit& limit,
           ListenerHandler& handler);

  /// Handshakes that begin from now on show this certificate.
  void replace_certificate(const TlsContext& tls) { entrance_.tls = tls; }
  /// Takes in who waits already, then closes.
  void stop() noexcept;

 private:
  static void on_readable(evutil_socket_t, short, void* self) noexcept;
  static void on_retry(evutil_socket_t, short, void* self) noexcept;
  enum class Batch { full, over };
  Batch accept_batch() noexcept;
  void pause() noexcept;

  UniqueFd fd_;
  Entrance entrance_;
  ConnectionLimit& limit_;
  ListenerHandler& handler_;
  Event readable_;
  Event retry_;
};

/// A listening TCP socket with SO_REUSEPORT, so that each worker has its own queue. Throws std::runtime_error
/// that names the address.
UniqueFd listen_on(const SocketAddress& address);

/// SO_REUSEPORT would let a second process of the same user share the port without a word: this throws
/// std::runtime_error when somebody listens there already.
void ensure_unused(const SocketAddress& address);

}  // namespace payg::proxy
