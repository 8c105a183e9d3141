#pragma once

#include <cstdint>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

namespace payg::billing {

/// The names of the exits that sessions leave by, each kept once: a session remembers a number. There are as
/// many as the configuration has ever named. Thread-safe.
class ExitNames {
 public:
  using Index = std::uint16_t;

  /// The number of a name, which is kept. When there are more names than numbers, the last number is shared.
  Index index_of(std::string_view name);
  std::string name_of(Index index) const;

 private:
  mutable std::shared_mutex mutex_;
  std::vector<std::string> names_;  // guarded by mutex_
};

}  // namespace payg::billing
