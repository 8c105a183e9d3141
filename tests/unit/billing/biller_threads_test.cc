// Workers and the billing thread on one table, as they are in the program: what the sanitizers watch.

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "billing/biller.h"
#include "billing/session_table.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/billing/meter_rig.h"

namespace payg::test {
namespace {

constexpr MonotonicTime now = FakeClock::start;
constexpr billing::Moment moment{now, FakeClock::wall_start};

/// What workers tell the biller.
class Starts {
 public:
  void add(plugin::SessionHandle session) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(session);
  }
  std::vector<plugin::SessionHandle> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(waiting_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<plugin::SessionHandle> waiting_;
};

void come_and_go(SessionTable& table, Starts& starts, std::uint64_t user, int times) {
  for (int i = 0; i < times; ++i) {
    const auto seat = table.join(UserId{user}, "", {});
    if (table.opened(seat->session, "direct", now) == SessionTable::Opened::first) starts.add(seat->session);
    seat->traffic->up_bytes.fetch_add(1, std::memory_order_relaxed);
    table.closed(seat->session, now);
  }
}

/// Every session ends with its first charge, which is when its last connection may be closing.
void bill(Biller& biller, Starts& starts) {
  for (const auto session : starts.take()) biller.start(session, now);
  const auto charges = biller.take_charges(moment);
  if (!charges.empty()) biller.on_charges(std::vector<billing::ChargeResult>(charges.size()), moment);
  const auto ends = biller.take_ends(moment);
  if (!ends.empty()) {
    biller.on_ends(std::vector<billing::EndResult>(ends.size()), moment);
  }
  (void)biller.take_cuts();
}

TEST(BillerThreads, SessionsThatAreCutWhileTheirLastConnectionClosesAreFreedOnce) {
  constexpr std::uint64_t workers = 3;
  SessionTable table(1'000, 1);
  Biller biller(table, minute_at_eighty_cents, {});
  Starts starts;
  std::atomic<std::uint64_t> at_work{workers};
  std::vector<std::thread> threads;
  for (std::uint64_t user = 1; user <= workers; ++user) {
    threads.emplace_back([&, user] {
      come_and_go(table, starts, 1 + user % 2, 30'000);
      --at_work;
    });
  }
  while (at_work > 0) bill(biller, starts);
  for (auto& thread : threads) thread.join();
  bill(biller, starts);
  EXPECT_EQ(biller.unsettled(), 0U);
  EXPECT_EQ(table.size(), 0U);
}

}  // namespace
}  // namespace payg::test
