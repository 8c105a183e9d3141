// The check that others lean on: whatever it is there for, it has to notice.

#include "tests/integration/book_check.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/support/harness/process.h"
#include "tests/support/harness/temp_folder.h"

namespace payg::test {
namespace {

using namespace std::chrono_literals;

constexpr PriceOfTime price{.units_per_increment = 360, .increment = 100ms};

/// One user with a paid order, a gift, a session that has ended and one that lives, all of it right.
class BookCheckTest : public testing::Test {
 protected:
  BookCheckTest() {
    const auto made = run_program({built("paygctl"), "--ledger", url_, "user", "add", "alice"});
    EXPECT_EQ(made.status.code, 0) << made.errors;
    run("UPDATE user_credits SET balance = 36000000 + 500 - 720 - 360");
    run("INSERT INTO payment_orders VALUES (1, 'order-1', 'simulated', 'paid', 36000000, 'USD', 36000000, 0, "
        "'key-1',"
        " '', '', 0, 0)");
    run("INSERT INTO credit_transactions VALUES (1, 1, 'purchase', 36000000, 'order-1', '', 0, 0),"
        " (1, 2, 'adjustment', 500, 'gift-1', '', 0, 0), (1, 3, 'usage', -720, 'session-000000000000000a-2', "
        "'', 200, 0)");
    run("INSERT INTO metered_sessions (user_id, session_id, node, label, exit, charge_number, last_amount,"
        " last_grant, charged, posted, granted, granted_posted, started_at, paid_until, last_posted_at, "
        "ended_at, why)"
        " VALUES (1, 10, 'node-1', '', '', 2, 360, 100, 720, 720, 200, 200, 0, 200, 0, 200, 'node_lost'),"
        " (1, 11, 'node-1', '', '', 1, 360, 100, 360, 0, 100, 0, 0, 100, 0, NULL, NULL)");
    promises_.purchase_answered("key-1", "order-1");
    promises_.adjustment_answered("gift-1", 500);
    promises_.charge_shown("000000000000000b", 360);
    settled_ = check_.look(promises_);
  }

  void run(const std::string& sql) { rows_.select(sql); }
  void look_after(const std::string& damage) {
    run(damage);
    check_.look(promises_);
  }

  const TempFolder folder_;
  const std::string url_ = "sqlite:" + folder_.path() + "/ledger.db";
  const LedgerRows rows_{url_};
  BookCheck check_{url_, price};
  Promises promises_;
  BookCheck::Settled settled_;
};

/// Runs something whose checks have to fail, for this reason among others.
void expect_noticed(const std::string& reason, const std::function<void()>& something) {
  testing::TestPartResultArray failures;
  {
    using Reporter = testing::ScopedFakeTestPartResultReporter;
    const Reporter reporter(Reporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
    something();
  }
  std::string found;
  for (int i = 0; i < failures.size(); ++i) found += failures.GetTestPartResult(i).message();
  EXPECT_NE(found.find(reason), found.npos) << "expected: " << reason << "\nfound: " << found;
}

TEST_F(BookCheckTest, FindsNothingInBooksThatAreRight) {
  EXPECT_EQ(settled_, (BookCheck::Settled{.sessions = 1, .units = 720}));
  EXPECT_EQ(check_.look(promises_), BookCheck::Settled{}) << "settled before the last look";
  check_.expect_no_others(promises_);
  EXPECT_EQ(check_.open_sessions(), 1);
  EXPECT_EQ(check_.charges(), 3);
}

TEST_F(BookCheckTest, NoticesAChargeThatWasTakenTwice) {
  expect_noticed("paid more than 1 increments", [&] {
    look_after(
        "UPDATE metered_sessions SET charged = charged + 360, granted = granted + 100"
        " WHERE session_id = 11");
  });
}

TEST_F(BookCheckTest, NoticesAChargeThatIsGone) {
  expect_noticed("is gone", [&] { look_after("DELETE FROM metered_sessions WHERE session_id = 11"); });
}

TEST_F(BookCheckTest, NoticesASessionThatGoesOnAfterItsEnd) {
  expect_noticed("changed after its end", [&] {
    look_after("UPDATE metered_sessions SET ended_at = NULL, why = NULL WHERE session_id = 10");
  });
}

TEST_F(BookCheckTest, NoticesTimeThatNobodyPaid) {
  expect_noticed("granted time that it did not pay",
                 [&] { look_after("UPDATE metered_sessions SET granted = 101 WHERE session_id = 11"); });
}

TEST_F(BookCheckTest, NoticesMoreTimeThanThereWas) {
  BookCheck first_look(url_, price);
  expect_noticed("paid for more time than there was", [&] { first_look.look(promises_, -101ms); });
}

TEST_F(BookCheckTest, NoticesAPurchaseThatIsLost) {
  expect_noticed("key-1", [&] { look_after("DELETE FROM credit_transactions WHERE type = 'purchase'"); });
  expect_noticed("purchase", [&] { check_.expect_no_others(promises_); });
}

TEST_F(BookCheckTest, NoticesAPurchaseThatNobodyMade) {
  run("INSERT INTO payment_orders SELECT user_id, 'order-2', provider, state, price, currency, credits,"
      " bonus, 'key-2', '', '', 0, 0 FROM payment_orders");
  expect_noticed("payment_orders", [&] { check_.expect_no_others(promises_); });
}

TEST_F(BookCheckTest, NoticesAnAdjustmentOfAnotherAmount) {
  expect_noticed(
      "gift-1", [&] { look_after("UPDATE credit_transactions SET amount = 501 WHERE type = 'adjustment'"); });
}

TEST_F(BookCheckTest, NoticesUsageThatWasPostedTwice) {
  expect_noticed("usage that was posted", [&] {
    look_after("INSERT INTO credit_transactions VALUES (1, 4, 'usage', -720, 'again', '', 200, 0)");
  });
}

}  // namespace
}  // namespace payg::test
