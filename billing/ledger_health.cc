#include "billing/ledger_health.h"

#include <string>

namespace payg::billing {

void LedgerHealth::note_answer() {
  if (state_.exchange(LedgerState::up) == LedgerState::away)
    host_.log(plugin::LogLevel::info, "billing", "the ledger answers");
}

void LedgerHealth::note_error(std::string_view what, const LedgerError& error) {
  const std::string message = std::string(what) + ": " + error.message;
  if (error.code == LedgerError::Code::unavailable) {
    if (state_.exchange(LedgerState::away) == LedgerState::up)
      host_.log(plugin::LogLevel::error, "billing", "the ledger is away: " + message);
  } else if (error.code == LedgerError::Code::broken || error.code == LedgerError::Code::invalid) {
    host_.log(plugin::LogLevel::error, "billing", message);
  }
}

}  // namespace payg::billing
