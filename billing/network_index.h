#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "billing/ledger/ledger.h"
#include "plugin/base/address.h"
#include "plugin/base/clock.h"

namespace payg::billing {

/// Whose a client's address is, by the networks that users have listed and that are confirmed. All of them
/// are in memory, in step with the ledger: read at the start, then told by the same news as other changes of
/// users. Looking an address up is a hash probe for each width of network that anybody has listed, the ledger
/// is not asked.
///
/// Changed in place under a lock that those who look share: a change costs what one user may list, however
/// many networks there are. Thread-safe.
class NetworkIndex {
 public:
  struct Owner {
    UserId user;
    std::string name;
  };

  /// `seed`: random, so that nobody can list networks that are slow to find.
  explicit NetworkIndex(std::uint64_t seed) : networks_(0, Hash{seed}) {}

  /// Of several networks that hold the address the narrowest counts. An IPv4-mapped address is IPv4.
  std::optional<Owner> find(const IpAddress& client) const;

  /// The networks that this user has listed, that hold this address of his, and that are to be confirmed.
  /// Tells of each once in `told_again_after`, or when something of his is changed: somebody else may have
  /// had it. Costs next to nothing while nobody has any.
  std::vector<Cidr> unconfirmed(UserId user, const IpAddress& client, MonotonicTime now);
  static constexpr std::chrono::seconds told_again_after{600};

  /// The ledger's news, in their order: what these users have listed, as it was when the ledger gave the mark
  /// `upto` (ChangeMark::users) or later.
  void follow(const std::vector<NetworkList>& lists, std::int64_t upto);
  /// What was changed through this process, ahead of the news; or behind them, and then they stand.
  void changed_here(const NetworkList& list);

  /// Confirmed networks.
  std::size_t size() const;

 private:
  struct Hash {
    std::uint64_t seed;
    std::size_t operator()(const Cidr& network) const noexcept;
  };
  struct Unconfirmed {
    Cidr network;
    MonotonicTime told_from;  ///< and not before
  };
  struct Listing {
    std::string name;
    std::int64_t change = 0;
    std::vector<Cidr> confirmed;
    std::vector<Unconfirmed> unconfirmed;
  };
  /// How many networks there are with a prefix of so many bits.
  using Widths = std::array<std::size_t, 129>;

  Widths& widths_of(const Cidr& network);
  void put(const NetworkList& list);
  void forget(UserId user, const std::vector<Cidr>& networks);

  mutable std::shared_mutex mutex_;
  // All guarded by mutex_.
  std::unordered_map<Cidr, UserId, Hash> networks_;
  /// Also of a user who has just taken his last one back, until the news say so.
  std::unordered_map<UserId, Listing> listings_;
  Widths v4_widths_{}, v6_widths_{};
  std::int64_t upto_ = 0;

  /// Of all listings together; changed under the lock.
  std::atomic<std::size_t> unconfirmed_{0};
};

}  // namespace payg::billing
