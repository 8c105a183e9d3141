#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "billing/ledger_health.h"
#include "billing/ledger_thread.h"
#include "billing/standing_queue.h"

namespace payg::billing {

/// Runs a StandingQueue on a ledger thread of its own. Thread-safe.
class StandingReader {
 public:
  StandingReader(LedgerFactory factory, LedgerHealth& health);
  /// Calls stop().
  ~StandingReader();

  /// Reads a user's standing after this call and hands it to `asker`, on the ledger thread. `full`: the asker
  /// was not kept; refuse as unavailable.
  StandingQueue::Outcome ask(const std::string& name, StandingQueue::Asker asker);
  /// Answers who waits, then ends the thread. Whoever asks later is never called.
  void stop();
  /// Up to which live sessions are counted, from the next read on; 0: not at all.
  void set_session_limit(std::uint32_t limit) noexcept { session_limit_ = limit; }
  /// How often the ledger was asked: each time for all who waited.
  std::uint64_t reads() const noexcept { return reads_.load(std::memory_order_relaxed); }

 private:
  void read_all(Ledger& ledger);
  std::vector<std::string> take_batch();

  LedgerHealth& health_;
  std::mutex mutex_;
  StandingQueue queue_;      // guarded by mutex_
  bool is_reading_ = false;  // guarded by mutex_
  std::atomic<std::uint64_t> reads_{0};
  std::atomic<std::uint32_t> session_limit_{0};
  LedgerThread thread_;  // last: it uses all of the above
};

}  // namespace payg::billing
