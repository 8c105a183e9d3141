#pragma once

#include <chrono>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "billing/core/node_lease.h"
#include "plugin/base/clock.h"

namespace payg::billing {

/// Says which other nodes have been silent for their whole lease, by one watcher's own monotonic clock: from
/// the answer in which a beat was first seen to the question whose answer showed it still. How long a node
/// was silent when nobody looked does not count, and neither does how long the ledger gave no answer or took
/// no renewal: then no node could renew its lease, and everybody is watched afresh.
///
/// Pure; not thread-safe.
class LeaseWatch {
 public:
  /// Between two answers. Much more than a look takes that is taken several times a second: whoever has not
  /// looked for longer was paused, or the ledger was away.
  static constexpr std::chrono::seconds longest_gap{5};

  /// Its own node it does not watch.
  explicit LeaseWatch(std::string own_node) : own_node_(std::move(own_node)) {}

  /// One look at all nodes: when the ledger was asked and when it had answered.
  void look(MonotonicTime asked_at, MonotonicTime answered_at, std::span<const NodeSign> nodes);
  /// A look that got no answer, or a renewal of its own node's lease that failed.
  void missed() noexcept { watched_.clear(); }

  /// Those that were lost at the last look, by name.
  std::vector<NodeSign> lost() const;
  /// A lost node has no open sessions any more: it is lost again when it stays silent for another lease, lest
  /// one that woke up only to start a session and die is forgotten.
  void settled(const std::string& node) { watched_.erase(node); }

 private:
  struct Watched {
    NodeSign sign;
    MonotonicTime seen_first;
    MonotonicTime seen_last;
  };

  const std::string own_node_;
  std::map<std::string, Watched> watched_;
  MonotonicTime last_answer_{};
};

}  // namespace payg::billing
