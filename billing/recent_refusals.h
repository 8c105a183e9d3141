#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "plugin/base/clock.h"

namespace payg::billing {

/// User names that the ledger gave reason to refuse within the last second: who asks again and again is
/// refused without asking it again. Short, because what was changed elsewhere has to count soon; what is
/// changed here is forgotten at once. Bounded: when it is full, the oldest is forgotten. Thread-safe.
class RecentRefusals {
 public:
  static constexpr std::chrono::seconds max_age{1};
  /// A name takes some 200 bytes. More names than this in a second are no loops of a few clients.
  static constexpr std::size_t max_names = 16'384;

  /// One question to the ledger.
  class Question {
   private:
    friend class RecentRefusals;
    MonotonicTime asked_at;
    std::uint64_t forgotten = 0;
  };

  /// The name was refused a moment ago, for a reason that still holds as far as this node knows.
  bool holds(std::string_view name, MonotonicTime now) const;

  /// Called before the ledger is asked, so that remember() knows what its answer may have missed.
  Question ask(MonotonicTime now) const;
  /// Remembers the refusal until `max_age` after the question; not if anything was forgotten since, because
  /// the answer may be older than the change.
  void remember(const std::string& name, const Question& question);

  void forget(std::string_view name);
  void forget_all();
  std::size_t size() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept {
      return std::hash<std::string_view>{}(name);
    }
  };
  struct Entry {
    std::string name;
    MonotonicTime until;
  };

  /// Takes the oldest out of both.
  void drop_oldest();

  mutable std::mutex mutex_;
  // All guarded by mutex_.
  std::unordered_map<std::string, MonotonicTime, Hash, std::equal_to<>> until_;
  std::deque<Entry> in_order_;  // as they were remembered; some forgotten already
  std::uint64_t forgotten_ = 0;
};

}  // namespace payg::billing
