#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "billing/ledger/ledger.h"

namespace payg::billing {

/// One thread with one Ledger of its own: the only kind of thread on which a ledger call may block. Work runs
/// in the order in which it was posted. Different kinds of work (charges, standings, the admin port) have a
/// thread each, so that a slow report never delays a charge.
class LedgerThread {
 public:
  /// Runs on the ledger thread. Must not throw.
  using Task = std::function<void(Ledger&)>;

  /// `name` is shown by ps and debuggers, at most 15 characters. At most `limit` tasks wait at a time.
  LedgerThread(std::string name, LedgerFactory factory, std::size_t limit);
  /// Calls stop().
  ~LedgerThread();
  LedgerThread(const LedgerThread&) = delete;
  LedgerThread& operator=(const LedgerThread&) = delete;

  /// Any thread; never blocks. False: `limit` tasks wait already, or stop() was called; the task is not kept
  /// and will not run. The caller answers "unavailable" then.
  [[nodiscard]] bool post(Task task);

  /// Runs what waits, then ends the thread. Blocks until then. Calling it again does nothing. Not to be
  /// called on the ledger thread itself.
  void stop();

 private:
  void run();

  const std::string name_;
  const LedgerFactory factory_;
  const std::size_t limit_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;  // guarded by mutex_
  bool stopping_ = false;   // guarded by mutex_

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace payg::billing
