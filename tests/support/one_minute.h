#pragma once

#include <chrono>
#include <cstdint>

#include "billing/ledger/ledger.h"

namespace payg::test {

/// A minute of a session at 0.80 credits an hour: 48,000 units.
inline billing::ChargeRequest one_minute(billing::UserId user, billing::SessionId session,
                                         std::uint32_t number, WallTime from) {
  return {.user = user,
          .session = session,
          .number = number,
          .price = billing::Credits::from_units(48'000),
          .increment = std::chrono::minutes(1),
          .rate = billing::Rate::from_thousandths(800),
          .from = from,
          .label = "blue",
          .exit = "direct"};
}

}  // namespace payg::test
