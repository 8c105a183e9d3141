#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace payg::proxy {

/// How many connections each user has over all workers. Thread-safe; a lock is held for one map look-up, and
/// users are spread over many.
class UserLimits {
 public:
  explicit UserLimits(unsigned most) : most_(most) {}

  /// One connection of one user, counted until it is destroyed.
  class Place {
   public:
    Place() noexcept = default;
    Place(Place&& other) noexcept : limits_(std::exchange(other.limits_, nullptr)), user_(other.user_) {}
    Place& operator=(Place&& other) noexcept {
      if (this != &other) {
        leave();
        limits_ = std::exchange(other.limits_, nullptr);
        user_ = other.user_;
      }
      return *this;
    }
    ~Place() { leave(); }

    explicit operator bool() const noexcept { return limits_ != nullptr; }
    std::uint64_t user() const noexcept { return limits_ == nullptr ? 0 : user_; }

   private:
    friend class UserLimits;
    Place(UserLimits* limits, std::uint64_t user) noexcept : limits_(limits), user_(user) {}
    void leave() noexcept {
      if (limits_ != nullptr) std::exchange(limits_, nullptr)->leave(user_);
    }

    UserLimits* limits_ = nullptr;
    std::uint64_t user_ = 0;
  };

  /// An empty place when the user has as many as he may.
  Place enter(std::uint64_t user);
  /// SIGHUP. Those who are above a lower limit stay; no new ones come in.
  void set_most(unsigned most) noexcept { most_.store(most, std::memory_order_relaxed); }

 private:
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, unsigned> counts;  // guarded by mutex
  };

  void leave(std::uint64_t user) noexcept;
  Shard& shard_of(std::uint64_t user) noexcept { return shards_[user % shards_.size()]; }

  std::atomic<unsigned> most_;
  std::array<Shard, 64> shards_;
};

}  // namespace payg::proxy
