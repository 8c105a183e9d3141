#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "proxy/pace.h"

namespace payg::proxy {

/// How many connections each user has over all workers, and how fast their bytes move. Thread-safe; a lock is
/// held for one map look-up, and users are spread over many.
class UserLimits {
  struct Entry;

 public:
  struct Settings {
    unsigned most_connections;
    std::uint64_t bytes_per_second = 0;  ///< up and down together; 0: no bound
  };
  explicit UserLimits(const Settings& settings)
      : most_(settings.most_connections), bytes_per_second_(settings.bytes_per_second) {}

  /// One connection of one user, counted until it is destroyed.
  class Place {
   public:
    Place() noexcept = default;
    Place(Place&& other) noexcept
        : limits_(std::exchange(other.limits_, nullptr)), entry_(other.entry_), user_(other.user_) {}
    Place& operator=(Place&& other) noexcept {
      if (this != &other) {
        leave();
        limits_ = std::exchange(other.limits_, nullptr);
        entry_ = other.entry_;
        user_ = other.user_;
      }
      return *this;
    }
    ~Place() { leave(); }

    explicit operator bool() const noexcept { return limits_ != nullptr; }
    std::uint64_t user() const noexcept { return limits_ == nullptr ? 0 : user_; }
    /// The user's, which all his connections share; nullptr: an empty place.
    Pace* pace() const noexcept;

   private:
    friend class UserLimits;
    Place(UserLimits* limits, Entry* entry, std::uint64_t user) noexcept
        : limits_(limits), entry_(entry), user_(user) {}
    void leave() noexcept {
      if (limits_ != nullptr) std::exchange(limits_, nullptr)->leave(user_);
    }

    UserLimits* limits_ = nullptr;
    Entry* entry_ = nullptr;
    std::uint64_t user_ = 0;
  };

  /// An empty place when the user has as many as he may.
  Place enter(std::uint64_t user, MonotonicTime now);
  /// SIGHUP. Those who are above a lower limit stay; no new ones come in.
  void set(const Settings& settings) noexcept;

 private:
  struct Entry {
    explicit Entry(const std::atomic<std::uint64_t>& bytes_per_second) noexcept : pace(bytes_per_second) {}
    unsigned connections = 0;
    Pace pace;
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, Entry> users;  // guarded by mutex; entries stay where they are
    std::size_t worth_sweeping = 64;                 // guarded by mutex
  };

  void leave(std::uint64_t user) noexcept;
  static void sweep(Shard& shard, MonotonicTime now);
  Shard& shard_of(std::uint64_t user) noexcept { return shards_[user % shards_.size()]; }

  std::atomic<unsigned> most_;
  std::atomic<std::uint64_t> bytes_per_second_;
  std::array<Shard, 64> shards_;
};

inline Pace* UserLimits::Place::pace() const noexcept {
  return limits_ == nullptr ? nullptr : &entry_->pace;
}

}  // namespace payg::proxy
