#pragma once

#include <atomic>
#include <string_view>

#include "billing/ledger/ledger.h"
#include "billing/metering.h"
#include "plugin/api/plugin.h"

namespace payg::billing {

/// Whether the ledger answered when it was last asked, by anybody on this node; says in the log when that
/// changes. Thread-safe.
class LedgerHealth {
 public:
  explicit LedgerHealth(plugin::Host& host) : host_(host) {}

  LedgerState state() const noexcept { return state_.load(std::memory_order_relaxed); }

  /// `what` was asked, and this is the answer: only `unavailable` means that it is away.
  template <class T>
  void note(std::string_view what, const LedgerResult<T>& result) {
    result.ok() ? note_answer() : note_error(what, result.error());
  }

 private:
  void note_answer();
  void note_error(std::string_view what, const LedgerError& error);

  plugin::Host& host_;
  std::atomic<LedgerState> state_{LedgerState::away};  // until the first answer
};

}  // namespace payg::billing
