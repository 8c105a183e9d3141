#pragma once

#include <cstdint>

namespace payg::billing {

/// Why a session ended; stored as its name.
enum class EndReason : std::uint8_t {
  idle,         ///< the paid time ran out and no connection was open
  exhausted,    ///< the balance could not buy another grant
  requested,    ///< the user or the operator ended it
  disabled,     ///< the user was disabled
  drained,      ///< the node was shut down
  node_lost,    ///< the node died and its session was settled later
  unavailable,  ///< the ledger was away for longer than outage_grace
  too_many,     ///< it was one more than the user may have at a time; never stored
};

}  // namespace payg::billing
