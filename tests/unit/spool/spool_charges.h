#pragma once

#include "tests/support/one_minute.h"

namespace payg::test {

/// A minute of a session, as a node owes it; the user is told by the session.
inline billing::ChargeRequest owed_minute(std::uint64_t session, std::uint32_t number) {
  using namespace std::chrono_literals;
  billing::ChargeRequest charge = one_minute(billing::UserId{100 + session}, billing::SessionId{session},
                                             number, WallTime(1'767'225'600'000ms + number * 1min));
  charge.label = number == 1 ? "blue" : "";
  charge.exit = number == 1 ? "berlin \"1\"" : "";
  return charge;
}

}  // namespace payg::test
