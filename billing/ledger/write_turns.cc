#include "billing/ledger/write_turns.h"

#include <map>

namespace payg::billing {

std::shared_ptr<WriteTurns> WriteTurns::of(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<WriteTurns>> all;
  const std::lock_guard lock(mutex);
  auto& known = all[path];
  auto turns = known.lock();
  if (!turns) known = turns = std::make_shared<WriteTurns>();
  return turns;
}

std::uint64_t WriteTurns::waiting() {
  const std::lock_guard lock(mutex_);
  // Whoever is served has drawn a number too.
  return drawn_ == serving_ ? 0 : drawn_ - serving_ - 1;
}

void WriteTurns::wait() {
  std::unique_lock lock(mutex_);
  const std::uint64_t mine = drawn_++;
  called_.wait(lock, [&] { return serving_ == mine; });
}

void WriteTurns::next() {
  const std::lock_guard lock(mutex_);
  ++serving_;
  called_.notify_all();
}

}  // namespace payg::billing
