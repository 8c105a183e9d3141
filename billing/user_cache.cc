#include "billing/user_cache.h"

#include <mutex>

namespace payg::billing {

std::optional<UserCache::Known> UserCache::find(std::string_view name, MonotonicTime now) const {
  const std::shared_lock lock(mutex_);
  const auto found = users_.find(name);
  if (found == users_.end()) return std::nullopt;
  const Entry& entry = found->second;
  MonotonicTime due_at = entry.due_at;
  const bool claimed = due_at <= now && entry.due_at.compare_exchange_strong(due_at, now + max_age);
  return Known{.user = entry.user, .age = claimed ? Age::due : Age::fresh};
}

void UserCache::remember(const User& user, MonotonicTime now) {
  const std::unique_lock lock(mutex_);
  if (users_.size() >= max_users_ && !users_.contains(user.name)) users_.erase(users_.begin());
  const auto [place, is_new] = users_.try_emplace(user.name, user, now);
  if (is_new) return;
  place->second.user = user;
  place->second.due_at = now + max_age;
}

void UserCache::refresh(const User& user) {
  const std::unique_lock lock(mutex_);
  const auto found = users_.find(user.name);
  if (found != users_.end()) found->second.user = user;
}

void UserCache::forget(std::string_view name) {
  const std::unique_lock lock(mutex_);
  const auto found = users_.find(name);
  if (found != users_.end()) users_.erase(found);
}

std::size_t UserCache::size() const {
  const std::shared_lock lock(mutex_);
  return users_.size();
}

}  // namespace payg::billing
