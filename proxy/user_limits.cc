#include "proxy/user_limits.h"

namespace payg::proxy {

UserLimits::Place UserLimits::enter(std::uint64_t user, MonotonicTime now) {
  Shard& shard = shard_of(user);
  const std::lock_guard lock(shard.mutex);
  if (shard.users.size() >= shard.worth_sweeping) sweep(shard, now);
  Entry& entry = shard.users.try_emplace(user, bytes_per_second_).first->second;
  if (entry.connections >= most_.load(std::memory_order_relaxed)) return {};
  ++entry.connections;
  return Place(this, &entry, user);
}

void UserLimits::leave(std::uint64_t user) noexcept {
  Shard& shard = shard_of(user);
  const std::lock_guard lock(shard.mutex);
  const auto entry = shard.users.find(user);
  // One with a pace stays until that has run out: or a user who comes and goes would be faster than one who
  // stays.
  if (--entry->second.connections == 0 && !entry->second.pace.is_bounded()) shard.users.erase(entry);
}

void UserLimits::sweep(Shard& shard, MonotonicTime now) {
  std::erase_if(shard.users, [now](const auto& user) {
    return user.second.connections == 0 && user.second.pace.has_room(now);
  });
  // Half of what there is at the least goes or has come before it is looked at again.
  shard.worth_sweeping = std::max<std::size_t>(64, 2 * shard.users.size());
}

void UserLimits::set(const Settings& settings) noexcept {
  most_.store(settings.most_connections, std::memory_order_relaxed);
  bytes_per_second_.store(settings.bytes_per_second, std::memory_order_relaxed);
}

}  // namespace payg::proxy
