#include "billing/billing_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "tests/fakes/failing_ledger.h"
#include "tests/support/harness/patience.h"
#include "tests/support/harness/temp_folder.h"
#include "tests/unit/billing/meter_rig.h"
#include "tests/unit/billing/plugin_rig.h"

namespace payg::test {
namespace {

using namespace billing;
using namespace std::chrono_literals;

class BillingThreads : public testing::Test {
 protected:
  BillingThreads() {
    EXPECT_TRUE(ledger->migrate().ok());
    thread.begin(start_node());
  }

  NodeRef start_node() {
    return {"node-1", ledger->start_node("node-1", 7min, host.clock().wall_now())->life};
  }
  User add_user(const std::string& name) {
    const WallTime now = host.clock().wall_now();
    const User user = ledger->create_user(name, "", {static_cast<unsigned char>(++users)}, now).value();
    EXPECT_TRUE(ledger->adjust(user.id, *Credits::parse("10"), "start", "", now).ok());
    return user;
  }
  /// A session that has just begun, and of which the billing thread is told.
  void connect(UserId user) {
    const MonotonicTime now = host.clock().now();
    const auto seat = table.join(user, "", {});
    ASSERT_EQ(table.opened(seat->session, "direct", now), SessionTable::Opened::first);
    thread.post([session = seat->session, now](Biller& told, auto&) { told.start(session, now); });
  }
  /// Returns when the billing thread is held up, with nothing behind it that was posted before.
  void hold_up() {
    Signal earlier_ones_done;
    thread.post([&](auto&...) { earlier_ones_done.set(); });
    earlier_ones_done.wait();
    thread.post([this](auto&...) {
      held_up.set();
      go_on.wait();
    });
    held_up.wait();
  }

  TempFolder folder;
  LedgerFactory factory = open_ledger("sqlite:" + folder.path() + "/payg.db").value();
  std::unique_ptr<Ledger> ledger = factory();
  int users = 0;
  RecordingHost host;
  LedgerHealth health{host};
  SessionTable table{10'000, 1};
  std::atomic<int> cuts = 0, lives_over = 0;
  Signal held_up, go_on;
  Biller biller{table, minute_at_eighty_cents, {}};
  std::shared_ptr<LedgerFaults> faults = std::make_shared<LedgerFaults>();
  BillingThread thread{{biller, host, health, failing(factory, faults),
                        Spool::open(folder.path() + "/spool", "node-1").value(),
                        [this](const Cut&) { ++cuts; }, [this] { ++lives_over; }}};
};

TEST_F(BillingThreads, ADrainThatHasNotBeenHeardDoesNotSayThatNothingIsLeft) {
  const User alice = add_user("alice");
  hold_up();
  connect(alice.id);
  EXPECT_EQ(thread.drain(0ms), std::nullopt);
  go_on.set();
  EXPECT_EQ(thread.drain(patience), 0U);
  EXPECT_EQ(cuts, 1);
  EXPECT_TRUE(ledger->live_sessions(std::nullopt)->empty());
  EXPECT_EQ(ledger->transactions(alice.id, {}, std::nullopt, 1)->at(0).amount, Credits::from_units(-48'000));
}

TEST_F(BillingThreads, OfAProcessThatWasSupersededASessionThatBeginsIsCutAndCostsNothing) {
  const User alice = add_user("alice");
  (void)start_node();
  connect(alice.id);
  EXPECT_TRUE(eventually([&] { return cuts == 1; }));
  connect(alice.id);
  EXPECT_TRUE(eventually([&] { return cuts == 2; }));
  EXPECT_EQ(lives_over, 1) << "said once, so that nobody else is let in";
  EXPECT_TRUE(ledger->live_sessions(std::nullopt)->empty());
  EXPECT_EQ(*ledger->balance(alice.id), *Credits::parse("10"));
}

TEST_F(BillingThreads, ManyUsersAreCutInPortionsBetweenWhichOtherThingsAreDone) {
  faults->set(LedgerFault::refused);  // so that nobody is cut for another reason
  constexpr std::uint64_t count = 1'000;
  std::vector<UserId> many;
  for (std::uint64_t user = 1; user <= count; ++user) many.push_back(UserId{user});
  for (const UserId user : many) connect(user);
  hold_up();
  thread.end_users(many, EndReason::disabled);
  std::uint64_t live_in_between = 0;
  Signal looked;
  thread.post([&](Biller& told, auto&) {
    live_in_between = told.counters().sessions_live;
    looked.set();
  });
  go_on.set();
  looked.wait();
  EXPECT_GT(live_in_between, 0U);
  EXPECT_LT(live_in_between, count);
  EXPECT_TRUE(eventually([&] { return cuts == static_cast<int>(count); }));
}

}  // namespace
}  // namespace payg::test
