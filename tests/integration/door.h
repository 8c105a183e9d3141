#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>

#include "plugin/base/address.h"

namespace payg::test {

/// Where a proxy can be reached at this moment: each life of it has other ports. Clients wait here while it
/// is down. Thread-safe.
class Door {
 public:
  struct Way {
    SocketAddress proxy, admin;
  };

  void open(const Way& way) {
    const std::lock_guard lock(mutex_);
    way_ = way;
    changed_.notify_all();
  }
  void shut() {
    const std::lock_guard lock(mutex_);
    way_.reset();
  }
  /// Whoever waits, and whoever comes, is sent away.
  void close_for_good() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

  /// Waits while it is shut; nullopt: closed for good.
  std::optional<Way> wait() const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || way_; });
    return closed_ ? std::nullopt : way_;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::optional<Way> way_;  // guarded by mutex_
  bool closed_ = false;     // guarded by mutex_
};

}  // namespace payg::test
