#include "tests/support/harness/patience.h"

#include <thread>

namespace payg::test {

bool eventually(const std::function<bool()>& condition) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

void Signal::set() {
  const std::lock_guard lock(mutex_);
  set_ = true;
  changed_.notify_all();
}

bool Signal::is_set() const {
  const std::lock_guard lock(mutex_);
  return set_;
}

void Signal::wait() const {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, patience, [this] { return set_; })) {
    throw HarnessError("nobody gave the signal in time");
  }
}

}  // namespace payg::test
