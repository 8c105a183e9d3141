#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "plugin/base/id.h"

namespace payg::billing {

/// One life of a node, counted by the ledger: whoever starts by a node's name begins the next one, and every
/// earlier life of that name is over from then on.
using NodeLife = Id<struct NodeLifeTag>;

/// Who does something as a node: what it has begun is its own only as long as no later life of it has begun.
struct NodeRef {
  std::string name;
  NodeLife life{};  ///< none: of a node that has not been started, whom nothing is sold
};

/// A node as the ledger shows it to all nodes: it lives while its beat rises.
struct NodeSign {
  std::string node;
  NodeLife life{};
  std::int64_t beat = 0;  ///< one more at each renewal of the lease
  /// How long its beat may stay the same before the others end its sessions; 0: they never do.
  std::chrono::milliseconds lease{0};
  bool operator==(const NodeSign&) const = default;
};

// How long a lease is.
//
// What must not be is that a session is ended by another node while its own may still relay on it. A node
// relays until its last increment that the ledger sold has run out and outage_grace behind it, and no longer:
// the proxy itself stops there, also in a process that was paused and wakes up. The ledger sells an increment
// when it begins or later, so a node that reaches the ledger no more relays for at most increment +
// outage_grace after its last charge. Nobody compares clocks: the others measure, each by its own monotonic
// clock, for how long they have seen the same beat, which is at most as long as it has stayed the same.
//
// The last charge may be younger than the last beat. They travel on connections of their own, so a lease is
// longer than increment + outage_grace by what lies between two beats while charges go on: the interval, and
// at worst one renewal that hangs until it is given up (Ledger::longest_silence) with the pause before the
// next one. The usual lease has room for that; the shortest one only for the interval. A node whose lease is
// too short for its luck loses sessions that were paid for a little longer; nobody is charged twice by it.
inline constexpr std::chrono::milliseconds shortest_lease_slack = std::chrono::seconds(1);
inline constexpr std::chrono::milliseconds usual_lease_slack = std::chrono::seconds(30);

}  // namespace payg::billing
