#include "proxy/exit_group.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "plugin/base/spread_bits.h"

namespace payg::proxy {
namespace {

// So many draw one number each: 3 µs.
constexpr std::size_t largest_without_buckets = 256;
// For 10,000 exits: 128 numbers drawn among buckets, and about 80 within one.
constexpr std::uint64_t most_buckets = 128;

// Draws until an exit that can be used has been found; beyond it most are down, and all are looked at.
constexpr unsigned most_draws = 16;

std::uint64_t bucket_of(std::uint64_t name_hash, std::uint64_t buckets) {
  return name_hash % buckets;
}

/// -ln(u) / weight, with u in (0, 1) drawn from the key and a seed: exponential variates, the least of which
/// is each one's with the probability of its weight's share. (Efraimidis and Spirakis 2006.)
double drawn(std::uint64_t key, std::uint64_t seed, double inverse_weight) {
  constexpr double step = 1.0 / 9007199254740992.0;  // 2^-53
  const std::uint64_t bits = spread_bits(key ^ seed) >> 11;
  return -std::log((static_cast<double>(bits) + 0.5) * step) * inverse_weight;
}

std::uint64_t changed(std::uint64_t key, unsigned draws) {
  constexpr std::uint64_t golden = 0x9e3779b97f4a7c15U;
  return spread_bits(key + draws * golden);
}

bool is_among(const Exit& exit, std::span<const ExitRef> others) {
  return std::any_of(others.begin(), others.end(),
                     [&](const ExitRef& other) { return other.get() == &exit; });
}

}  // namespace

double ExitGroup::draw(std::uint64_t key, const Member& member) noexcept {
  // Another key than the buckets drew with.
  return drawn(spread_bits(key), member.seed, member.inverse_weight);
}

ExitGroup::ExitGroup(const std::vector<const Exit*>& exits) {
  const std::uint64_t buckets = exits.size() <= largest_without_buckets ? 1 : most_buckets;
  members_.reserve(exits.size());
  for (const Exit* exit : exits)
    members_.push_back({.exit = exit, .seed = exit->name_hash(), .inverse_weight = 1.0 / exit->weight()});
  std::sort(members_.begin(), members_.end(), [buckets](const Member& a, const Member& b) {
    return std::pair(bucket_of(a.seed, buckets), a.seed) < std::pair(bucket_of(b.seed, buckets), b.seed);
  });
  std::uint32_t begin = 0;
  while (begin < members_.size()) {
    const std::uint64_t number = bucket_of(members_[begin].seed, buckets);
    std::uint64_t weight = 0;
    std::uint32_t end = begin;
    for (; end < members_.size() && bucket_of(members_[end].seed, buckets) == number; ++end)
      weight += members_[end].exit->weight();
    buckets_.push_back({.seed = spread_bits(number + 1),
                        .inverse_weight = 1.0 / static_cast<double>(weight),
                        .begin = begin,
                        .end = end});
    begin = end;
  }
}

const ExitGroup::Bucket& ExitGroup::choose_bucket(std::uint64_t key) const noexcept {
  const Bucket* chosen = &buckets_.front();
  if (buckets_.size() == 1) return *chosen;
  double best = std::numeric_limits<double>::infinity();
  for (const Bucket& bucket : buckets_) {
    const double number = drawn(key, bucket.seed, bucket.inverse_weight);
    if (number < best) {
      best = number;
      chosen = &bucket;
    }
  }
  return *chosen;
}

const Exit& ExitGroup::winner(std::uint64_t key) const noexcept {
  const Bucket& bucket = choose_bucket(key);
  const Member* chosen = &members_[bucket.begin];
  if (bucket.end - bucket.begin == 1) return *chosen->exit;
  double best = std::numeric_limits<double>::infinity();
  for (std::uint32_t i = bucket.begin; i < bucket.end; ++i) {
    const double number = draw(key, members_[i]);
    if (number < best) {
      best = number;
      chosen = &members_[i];
    }
  }
  return *chosen->exit;
}

const Exit* ExitGroup::choose(std::uint64_t key, std::span<const ExitRef> tried) const noexcept {
  const auto usable = [tried](const Exit& exit) { return exit.health().is_up() && !is_among(exit, tried); };
  for (unsigned draws = 0; draws < most_draws; ++draws) {
    const Exit& exit = winner(changed(key, draws));
    if (usable(exit)) return &exit;
    if (members_.size() == 1) return nullptr;
  }
  const Exit* chosen = nullptr;
  double best = std::numeric_limits<double>::infinity();
  for (const Member& member : members_) {
    if (!usable(*member.exit)) continue;
    const double number = draw(key, member);
    if (number < best) {
      best = number;
      chosen = member.exit;
    }
  }
  return chosen;
}

}  // namespace payg::proxy
