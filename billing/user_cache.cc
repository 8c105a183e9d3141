#include "billing/user_cache.h"

#include <mutex>

namespace payg::billing {

std::optional<User> UserCache::find(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto found = users_.find(name);
  return found == users_.end() ? std::nullopt : std::optional(found->second);
}

void UserCache::remember(const User& user) {
  const std::unique_lock lock(mutex_);
  if (users_.size() >= max_users_ && !users_.contains(user.name)) users_.erase(users_.begin());
  users_.insert_or_assign(user.name, user);
}

void UserCache::refresh(const User& user) {
  const std::unique_lock lock(mutex_);
  const auto found = users_.find(user.name);
  if (found != users_.end()) found->second = user;
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
