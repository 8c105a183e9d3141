#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "billing/ledger/ledger.h"
#include "plugin/base/clock.h"

namespace payg::billing {

/// What was last read of users' records, so that a known user's token is checked on the spot. Not the truth:
/// NodeKeeper brings it up to date every second, a token that does not match is looked up in the ledger, and
/// what has not been confirmed for a while is to be read again, in case that everything else has failed.
/// Bounded: a new name pushes out another one. Thread-safe.
class UserCache {
 public:
  static constexpr std::chrono::seconds max_age{60};

  enum class Age {
    fresh,
    due,  ///< may be used, and whoever is told so reads the user again; told to one asker in each max_age
  };
  struct Known {
    User user;
    Age age = Age::fresh;
  };

  explicit UserCache(std::size_t max_users) : max_users_(max_users) {}

  std::optional<Known> find(std::string_view name, MonotonicTime now) const;
  /// `now` is when the user was asked for, or later.
  void remember(const User& user, MonotonicTime now);
  /// Only if he is remembered.
  void refresh(const User& user);
  void forget(std::string_view name);
  std::size_t size() const;

 private:
  struct Entry {
    Entry(const User& read, MonotonicTime at) : user(read), due_at(at + max_age) {}
    User user;
    /// When he is to be read again. Changed by finders, who share the lock.
    mutable std::atomic<MonotonicTime> due_at;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept {
      return std::hash<std::string_view>{}(name);
    }
  };

  const std::size_t max_users_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> users_;  // guarded by mutex_
};

}  // namespace payg::billing
