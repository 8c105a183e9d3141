#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "billing/ledger/ledger.h"

namespace payg::billing {

/// What was last read of users' records, so that a known user's token is checked on the spot. Not the truth:
/// NodeKeeper brings it up to date every second, and a token that does not match is looked up in the ledger.
/// Bounded: a new name pushes out another one. Thread-safe.
class UserCache {
 public:
  explicit UserCache(std::size_t max_users) : max_users_(max_users) {}

  std::optional<User> find(std::string_view name) const;
  void remember(const User& user);
  /// Only if he is remembered.
  void refresh(const User& user);
  void forget(std::string_view name);
  std::size_t size() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept {
      return std::hash<std::string_view>{}(name);
    }
  };

  const std::size_t max_users_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, User, Hash, std::equal_to<>> users_;  // guarded by mutex_
};

}  // namespace payg::billing
