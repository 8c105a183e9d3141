#pragma once

#include "billing/ledger/ledger.h"

namespace payg::test {

/// A minute of a session, as a node owes it; the user is told by the session.
inline billing::ChargeRequest owed_minute(std::uint64_t session, std::uint32_t number) {
  using namespace std::chrono_literals;
  return {.user = billing::UserId{100 + session},
          .session = billing::SessionId{session},
          .number = number,
          .price = billing::Credits::from_units(48'000),
          .increment = 1min,
          .rate = billing::Rate::from_thousandths(800),
          .from = WallTime(1'767'225'600'000ms + number * 1min),
          .label = number == 1 ? "blue" : "",
          .exit = number == 1 ? "berlin \"1\"" : ""};
}

}  // namespace payg::test
