#include "billing/standing_reader.h"

#include <utility>

namespace payg::billing {
namespace {

// Each waiting asker holds a question of the proxy: more than a node can have connections coming in at a
// time.
constexpr std::size_t max_waiting = 65'536;
// A read of this many rows by key takes a few milliseconds, which is what the next asker may have to wait.
constexpr std::size_t max_batch = 512;
// One task reads until nobody waits, so there is one at a time, and one more while it finishes.
constexpr std::size_t max_tasks = 4;

}  // namespace

StandingReader::StandingReader(LedgerFactory factory, LedgerHealth& health)
    : health_(health),
      queue_(max_waiting, max_batch),
      thread_("payg-standings", std::move(factory), max_tasks) {}

StandingReader::~StandingReader() {
  stop();
}

void StandingReader::stop() {
  thread_.stop();
}

StandingQueue::Outcome StandingReader::ask(const std::string& name, StandingQueue::Asker asker) {
  const std::lock_guard lock(mutex_);
  if (queue_.ask(name, std::move(asker)) == StandingQueue::Outcome::full) return StandingQueue::Outcome::full;
  if (!is_reading_) is_reading_ = thread_.post([this](Ledger& ledger) { read_all(ledger); });
  return StandingQueue::Outcome::queued;
}

std::vector<std::string> StandingReader::take_batch() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names = queue_.take_batch();
  is_reading_ = !names.empty();
  return names;
}

void StandingReader::read_all(Ledger& ledger) {
  for (auto names = take_batch(); !names.empty(); names = take_batch()) {
    const auto answer =
        health_.read("reading standings", [&] { return ledger.standings(names, session_limit_); });
    reads_.fetch_add(1, std::memory_order_relaxed);
    std::vector<StandingQueue::Delivery> deliveries;
    {
      const std::lock_guard lock(mutex_);
      deliveries = queue_.on_answer(answer);
    }
    for (const auto& delivery : deliveries) {
      for (const auto& asker : delivery.askers) asker(delivery.answer);
    }
  }
}

}  // namespace payg::billing
