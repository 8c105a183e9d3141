#include "tests/contract/books.h"

namespace payg::test {
namespace {

class Audit : public LedgerContract {
 protected:
  void SetUp() override {
    LedgerContract::SetUp();
    leave_books_broken();
    alice_ = user_with("alice", credits(1));
    value_of(ledger().create_order(order_of(alice_, "one")));
    value_of(ledger().settle_order("one", new_year));
    charge(minute(alice_, session_a, 1));
    charge(minute(alice_, session_b, 1));
    end(ending(alice_, session_b, new_year));
    expect_clean_books();
  }

  /// The findings after the books were damaged, as "invariant subject".
  std::vector<std::string> findings_after(const std::string& damage) {
    books().run(damage);
    std::vector<std::string> found;
    for (const AuditFinding& finding : value_of(ledger().audit()).findings) {
      EXPECT_FALSE(finding.detail.empty());
      found.push_back(finding.invariant + " " + finding.subject);
    }
    return found;
  }
  using Strings = std::vector<std::string>;

  User alice_;
};
PAYG_ON_EVERY_LEDGER(Audit);

TEST_P(Audit, CountsWhatItRead) {
  const AuditReport report = value_of(ledger().audit());
  EXPECT_EQ(report.users, 1);
  EXPECT_EQ(report.transactions, 4);
  EXPECT_EQ(report.sessions, 2);
  EXPECT_EQ(report.orders, 1);
}

TEST_P(Audit, FindsABalanceThatIsNotTheSumOfItsRows) {
  EXPECT_EQ(findings_after("UPDATE user_credits SET balance = balance + 1"), Strings{"I1 user alice"});
  EXPECT_NE(value_of(ledger().audit()).findings.at(0).detail.find("should be 100704000"), std::string::npos);
}

TEST_P(Audit, FindsAMissingBalance) {
  // Nothing would let it go by itself.
  const std::string unguarded =
      GetParam() == Engine::postgres ? "SET session_replication_role = replica; " : "";
  EXPECT_EQ(findings_after(unguarded + "DELETE FROM user_credits"), Strings{"I1 user alice"});
}

TEST_P(Audit, FindsATransactionThatWasChanged) {
  EXPECT_EQ(findings_after("UPDATE credit_transactions SET amount = amount - 1 WHERE type = 'adjustment'"),
            Strings{"I1 user alice"});
}

TEST_P(Audit, FindsAChargeThatWasNotTaken) {
  EXPECT_EQ(findings_after("UPDATE metered_sessions SET charged = charged + 1 WHERE ended_at IS NULL"),
            Strings{"I1 user alice"});
}

TEST_P(Audit, FindsABalanceBelowZero) {
  EXPECT_EQ(findings_after("UPDATE user_credits SET balance = -1"),
            (Strings{"I1 user alice", "I2 user alice"}));
}

TEST_P(Audit, FindsASessionThatPostedMoreThanItWasCharged) {
  EXPECT_EQ(findings_after("UPDATE metered_sessions SET posted = charged + 1 WHERE ended_at IS NULL"),
            (Strings{"I1 user alice", "I1 session 4660 of user " + std::to_string(alice_.id.value)}));
}

TEST_P(Audit, FindsASessionThatEndedWithoutPostingEverything) {
  const auto found = findings_after("UPDATE metered_sessions SET posted = 0 WHERE ended_at IS NOT NULL");
  EXPECT_EQ(found.size(), 2U);
}

TEST_P(Audit, FindsAPaidOrderWithoutItsPurchase) {
  EXPECT_EQ(findings_after("DELETE FROM credit_transactions WHERE type = 'purchase'"),
            (Strings{"I1 user alice", "I4 order one"}));
}

TEST_P(Audit, FindsAPaidOrderWithoutItsBonus) {
  EXPECT_EQ(findings_after("DELETE FROM credit_transactions WHERE type = 'bonus'"),
            (Strings{"I1 user alice", "I4 order one"}));
}

TEST_P(Audit, FindsAPurchaseOfAnotherAmount) {
  EXPECT_EQ(findings_after("UPDATE credit_transactions SET amount = amount + 5 WHERE type = 'purchase';"
                           "UPDATE user_credits SET balance = balance + 5"),
            Strings{"I4 order one"});
}

TEST_P(Audit, FindsABonusThatNobodyOrdered) {
  EXPECT_EQ(findings_after("UPDATE payment_orders SET bonus = 0"), Strings{"I4 order one"});
}

TEST_P(Audit, FindsAPurchaseWhoseOrderIsNotPaid) {
  const std::string user = " of user " + std::to_string(alice_.id.value);
  EXPECT_EQ(findings_after("UPDATE payment_orders SET state = 'pending'"),
            (Strings{"I4 purchase one" + user, "I4 bonus one" + user}));
}

TEST_P(Audit, FindsAPurchaseWithoutAnOrder) {
  const std::string user = " of user " + std::to_string(alice_.id.value);
  EXPECT_EQ(findings_after("DELETE FROM payment_orders"),
            (Strings{"I4 purchase one" + user, "I4 bonus one" + user}));
}

TEST_P(Audit, AnOrderWhoseMoneyWentBackKeepsItsPurchase) {
  EXPECT_EQ(findings_after("UPDATE payment_orders SET state = 'refunded'"), Strings{});
}

}  // namespace
}  // namespace payg::test
