#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "plugin/base/clock.h"

namespace payg::billing {

/// Why somebody was refused.
enum class Refusal {
  wrong_token,  ///< or nobody has that name
  disabled,
  no_money,
  too_little_to_start,  ///< but enough to come back with, when a session of his ends
  too_many_sessions,
};

/// User names that the ledger gave reason to refuse within the last second: who asks again and again is
/// refused without asking it again. Short, because what was changed elsewhere has to count soon; what is
/// changed here is forgotten at once, and a refusal that the end of a session may mend holds no longer when
/// one has ended. Bounded: when it is full, the oldest is forgotten. Thread-safe.
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
    std::uint64_t ends = 0;
  };

  /// Why the name was refused a moment ago, if for a reason that still holds as far as this node knows.
  /// `ends`: SessionTable::ends_of() the user; 0 where nobody is refused for what an end may mend.
  std::optional<Refusal> find(std::string_view name, MonotonicTime now, std::uint64_t ends = 0) const;

  /// Called before the ledger is asked, so that remember() knows what its answer may have missed.
  Question ask(MonotonicTime now, std::uint64_t ends = 0) const;
  /// Remembers the refusal until `max_age` after the question; not if anything was forgotten since, because
  /// the answer may be older than the change.
  void remember(const std::string& name, const Question& question, Refusal why);

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
  struct Known {
    MonotonicTime until;
    std::uint64_t ends = 0;
    Refusal why = Refusal::wrong_token;
  };
  struct Entry {
    std::string name;
    MonotonicTime until;
  };

  /// Takes the oldest out of both.
  void drop_oldest();

  mutable std::mutex mutex_;
  // All guarded by mutex_.
  std::unordered_map<std::string, Known, Hash, std::equal_to<>> known_;
  std::deque<Entry> in_order_;  // as they were remembered; some forgotten already
  std::uint64_t forgotten_ = 0;
};

}  // namespace payg::billing
