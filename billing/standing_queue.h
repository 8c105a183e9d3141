#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "billing/ledger/ledger.h"

namespace payg::billing {

/// Whoever waits for a user's standing. Many who ask for one name are one read; those who ask while a batch
/// is under way get the next one, so that nobody is told what was read before he asked. Names are read in the
/// order in which they came. Deterministic; not thread-safe.
class StandingQueue {
 public:
  /// The user's standing; nullopt: nobody has that name.
  using Answer = LedgerResult<std::optional<Standing>>;
  using Asker = std::function<void(const Answer&)>;

  /// One name's answer and who waits for it, to be called by whoever runs the queue.
  struct Delivery {
    std::vector<Asker> askers;
    Answer answer;
  };

  enum class Outcome { queued, full };

  /// At most `max_waiting` askers wait; at most `max_batch` names are read at once.
  StandingQueue(std::size_t max_waiting, std::size_t max_batch)
      : max_waiting_(max_waiting), max_batch_(max_batch) {}

  /// `full`: the asker is not kept and not called.
  Outcome ask(const std::string& name, Asker asker);
  /// The names to read now; empty: nobody waits, or a batch is under way.
  std::vector<std::string> take_batch();
  /// The answer to the batch under way.
  std::vector<Delivery> on_answer(const LedgerResult<std::vector<std::optional<Standing>>>& answer);

 private:
  const std::size_t max_waiting_;
  const std::size_t max_batch_;
  std::size_t waiting_count_ = 0;  // askers, of both kinds
  struct Waiting {
    std::string name;
    std::vector<Asker> askers;
  };
  std::deque<Waiting> gathering_;  // in the order in which the names were first asked for
  /// Where each of their names stands, counted from the first one that ever waited.
  std::unordered_map<std::string, std::uint64_t> places_;
  std::uint64_t taken_ = 0;                    // names that no longer wait
  std::vector<std::vector<Asker>> under_way_;  // in the order of the names of the batch
};

}  // namespace payg::billing
