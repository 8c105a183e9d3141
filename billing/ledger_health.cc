#include "billing/ledger_health.h"

#include <algorithm>
#include <string>

namespace payg::billing {

LedgerState LedgerHealth::state() const noexcept {
  return is_away(reads_) || is_away(charges_) ? LedgerState::away : LedgerState::up;
}

std::chrono::milliseconds LedgerHealth::charge_wait() const noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(wait_of(charges_));
}

std::chrono::nanoseconds LedgerHealth::wait_of(const Side& side) const noexcept {
  const MonotonicTime asked_at = side.asked_at;
  if (asked_at == none) return {};
  return std::max(std::chrono::nanoseconds(0), host_.clock().now() - asked_at);
}

bool LedgerHealth::is_away(const Side& side) const noexcept {
  return side.known.load(std::memory_order_relaxed) != Known::up || wait_of(side) > patience;
}

void LedgerHealth::note_success(Side& side) {
  if (side.known.exchange(Known::up) != Known::up)
    host_.log(plugin::LogLevel::info, "billing", side.back_again);
}

void LedgerHealth::note_error(Side& side, std::string_view what, const LedgerError& error, Verdict verdict) {
  const bool is_gone = verdict == Verdict::always || error.code == LedgerError::Code::unavailable;
  if (is_gone) {
    // Said once: it is asked again five times a second.
    if (side.known.exchange(Known::away) != Known::away)
      log(plugin::LogLevel::error, std::string(side.gone) + ": " + std::string(what), error);
  } else if (error.code == LedgerError::Code::broken || error.code == LedgerError::Code::invalid) {
    log(plugin::LogLevel::error, what, error);
  }
}

void LedgerHealth::log(plugin::LogLevel level, std::string_view what, const LedgerError& error) {
  host_.log(level, "billing", std::string(what) + ": " + error.message);
}

}  // namespace payg::billing
