#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "plugin/base/address.h"

namespace payg::proxy {

/// How many connections each client address has over all workers. Who has IPv6 has a network of addresses,
/// and counts by his /64. Thread-safe; a lock is held for one map look-up, and addresses are spread over
/// many.
class ClientAddressLimits {
 public:
  /// 0: as many as anybody likes.
  explicit ClientAddressLimits(unsigned most) : most_(most) {}

  enum class Verdict : std::uint8_t {
    admitted,
    refused,  ///< one too many; there is room for telling him
    unheard,  ///< so many too many that nothing is said any more
  };
  /// One connection from one address, counted until it is destroyed. An empty one was not admitted anywhere.
  class Place {
   public:
    Place() noexcept = default;
    Place(Place&& other) noexcept
        : limits_(std::exchange(other.limits_, nullptr)), key_(other.key_), verdict_(other.verdict_) {}
    Place& operator=(Place&& other) noexcept {
      if (this == &other) return *this;
      leave();
      limits_ = std::exchange(other.limits_, nullptr);
      key_ = other.key_;
      verdict_ = other.verdict_;
      return *this;
    }
    ~Place() { leave(); }

    Verdict verdict() const noexcept { return verdict_; }

   private:
    friend class ClientAddressLimits;
    Place(ClientAddressLimits* limits, std::uint64_t key, Verdict verdict) noexcept
        : limits_(limits), key_(key), verdict_(verdict) {}
    void leave() noexcept {
      if (limits_ != nullptr) std::exchange(limits_, nullptr)->leave(key_, verdict_);
    }

    ClientAddressLimits* limits_ = nullptr;
    std::uint64_t key_ = 0;
    Verdict verdict_ = Verdict::unheard;
  };

  Place enter(const IpAddress& address);
  /// SIGHUP. Those who are above a lower limit stay; no new ones come in.
  void set_most(unsigned most) noexcept { most_.store(most, std::memory_order_relaxed); }

 private:
  /// Of one address, being told at the same time: telling costs a handshake where clients speak TLS.
  static constexpr unsigned most_refused = 4;

  struct Count {
    unsigned admitted = 0;
    unsigned refused = 0;
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, Count> counts;  // guarded by mutex
  };

  static std::uint64_t key_of(const IpAddress& address) noexcept;
  void leave(std::uint64_t key, Verdict verdict) noexcept;
  Shard& shard_of(std::uint64_t key) noexcept { return shards_[key % shards_.size()]; }

  std::atomic<unsigned> most_;
  std::array<Shard, 64> shards_;
};

}  // namespace payg::proxy
