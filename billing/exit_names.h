#pragma once

#include <cstdint>
#include <deque>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace payg::billing {

/// The names of the exits that sessions leave by, each kept once: a session remembers a number. There are as
/// many as the configuration has ever named. Thread-safe.
class ExitNames {
 public:
  using Index = std::uint32_t;

  /// The number of a name, which is kept.
  Index index_of(std::string_view name);
  /// Empty: nobody has that number.
  std::string name_of(Index index) const;

 private:
  mutable std::shared_mutex mutex_;
  // Both guarded by mutex_. The names stay where they are: the numbers are found by what they say.
  std::deque<std::string> names_;
  std::unordered_map<std::string_view, Index> indices_;
};

}  // namespace payg::billing
