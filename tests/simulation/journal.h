#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "billing/core/credits.h"
#include "billing/ledger/ledger.h"
#include "plugin/base/clock.h"
#include "tests/simulation/scenario.h"

namespace payg::simulation {

/// One thing that happened, as a reader of a failure wants to see it.
struct Entry {
  MonotonicTime at{};
  std::string_view what;  ///< lives for ever
  std::optional<NodeNumber> node{};
  UserId user{};  ///< 0: it concerns everybody
  billing::SessionId session{};
  std::uint64_t number = 0;
  billing::Credits amount{};
  std::chrono::nanoseconds time{0};
  std::string_view detail{};  ///< lives for ever
};

/// What happened, in order. Always counted into a digest, by which two runs are compared; kept only when a
/// failure is to be explained.
class Journal {
 public:
  enum class Keep { nothing, everything };

  explicit Journal(Keep keep) : keep_(keep) {}

  void note(const Entry& entry);
  std::uint64_t digest() const noexcept { return digest_; }
  /// One line for each thing that concerns the user, or everybody; the last `most` of them.
  std::string text(UserId user, std::size_t most) const;

 private:
  void mix(std::uint64_t value) noexcept { digest_ = (digest_ ^ value) * 0x100000001b3U; }

  const Keep keep_;
  std::uint64_t digest_ = 0xcbf29ce484222325U;
  std::vector<Entry> entries_;
};

/// Days, hours … nanoseconds since the run began.
std::string show_time(MonotonicTime at);

}  // namespace payg::simulation
