#include "billing/network_index.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "plugin/base/spread_bits.h"

namespace payg::billing {

std::size_t NetworkIndex::Hash::operator()(const Cidr& network) const noexcept {
  std::uint64_t halves[2];
  static_assert(sizeof halves == sizeof network.network().bytes());
  std::memcpy(halves, network.network().bytes().data(), sizeof halves);
  const auto width = static_cast<std::uint64_t>(network.bits() + (network.network().is_v4() ? 256 : 0));
  return spread_bits(spread_bits(spread_bits(seed ^ width) ^ halves[0]) ^ halves[1]);
}

NetworkIndex::Widths& NetworkIndex::widths_of(const Cidr& network) {
  return network.network().is_v4() ? v4_widths_ : v6_widths_;
}

std::optional<NetworkIndex::Owner> NetworkIndex::find(const IpAddress& client) const {
  const IpAddress plain = client.unmapped();
  const std::shared_lock lock(mutex_);
  if (networks_.empty()) return std::nullopt;
  const Widths& widths = plain.is_v4() ? v4_widths_ : v6_widths_;
  for (int bits = plain.is_v4() ? 32 : 128; bits >= 0; --bits) {
    if (widths[static_cast<std::size_t>(bits)] == 0) continue;
    const auto found = networks_.find(Cidr::around(plain, bits));
    if (found != networks_.end()) return Owner{found->second, listings_.at(found->second).name};
  }
  return std::nullopt;
}

std::vector<Cidr> NetworkIndex::unconfirmed(UserId user, const IpAddress& client, MonotonicTime now) {
  if (unconfirmed_.load(std::memory_order_relaxed) == 0) return {};
  const IpAddress plain = client.unmapped();
  const auto is_due = [&](const Unconfirmed& one) {
    return one.told_from <= now && one.network.contains(plain);
  };
  {
    const std::shared_lock lock(mutex_);
    const auto listing = listings_.find(user);
    if (listing == listings_.end() || std::ranges::none_of(listing->second.unconfirmed, is_due)) return {};
  }
  const std::unique_lock lock(mutex_);
  const auto listing = listings_.find(user);
  if (listing == listings_.end()) return {};
  std::vector<Cidr> told;
  for (Unconfirmed& one : listing->second.unconfirmed) {
    if (!is_due(one)) continue;
    told.push_back(one.network);
    one.told_from = now + told_again_after;
  }
  return told;
}

void NetworkIndex::follow(const std::vector<NetworkList>& lists, std::int64_t upto) {
  const std::unique_lock lock(mutex_);
  upto_ = upto;
  for (const NetworkList& list : lists) {
    const auto known = listings_.find(list.user);
    if (known == listings_.end() && list.networks.empty()) continue;
    if (known != listings_.end() && list.change < known->second.change) continue;
    put(list);
    if (list.networks.empty()) listings_.erase(list.user);
  }
}

void NetworkIndex::changed_here(const NetworkList& list) {
  const std::unique_lock lock(mutex_);
  if (list.change <= upto_) return;
  const auto known = listings_.find(list.user);
  if (known == listings_.end() || list.change >= known->second.change) put(list);
}

/// Takes each of his networks again, also one that he had: somebody else may have had it in between.
void NetworkIndex::put(const NetworkList& list) {
  Listing& listing = listings_[list.user];
  forget(list.user, listing.confirmed);
  unconfirmed_.fetch_sub(listing.unconfirmed.size(), std::memory_order_relaxed);
  listing = {.name = list.user_name, .change = list.change, .confirmed = {}, .unconfirmed = {}};
  for (const ListedNetwork& one : list.networks) {
    if (!one.confirmed_at) {
      listing.unconfirmed.push_back({.network = one.network, .told_from = MonotonicTime::min()});
      continue;
    }
    listing.confirmed.push_back(one.network);
    const auto [place, is_new] = networks_.insert_or_assign(one.network, list.user);
    if (is_new) ++widths_of(one.network)[static_cast<std::size_t>(one.network.bits())];
  }
  unconfirmed_.fetch_add(listing.unconfirmed.size(), std::memory_order_relaxed);
}

/// One that is somebody else's by now stays his.
void NetworkIndex::forget(UserId user, const std::vector<Cidr>& networks) {
  for (const Cidr& network : networks) {
    const auto found = networks_.find(network);
    if (found == networks_.end() || found->second != user) continue;
    networks_.erase(found);
    --widths_of(network)[static_cast<std::size_t>(network.bits())];
  }
}

std::size_t NetworkIndex::size() const {
  const std::shared_lock lock(mutex_);
  return networks_.size();
}

}  // namespace payg::billing
