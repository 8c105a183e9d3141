#include "proxy/user_limits.h"

namespace payg::proxy {

UserLimits::Place UserLimits::enter(std::uint64_t user) {
  Shard& shard = shard_of(user);
  const std::lock_guard lock(shard.mutex);
  const auto [entry, is_new] = shard.counts.try_emplace(user, 0);
  if (entry->second >= most_.load(std::memory_order_relaxed)) {
    if (is_new) shard.counts.erase(entry);
    return {};
  }
  ++entry->second;
  return Place(this, user);
}

void UserLimits::leave(std::uint64_t user) noexcept {
  Shard& shard = shard_of(user);
  const std::lock_guard lock(shard.mutex);
  const auto entry = shard.counts.find(user);
  if (--entry->second == 0) shard.counts.erase(entry);
}

}  // namespace payg::proxy
