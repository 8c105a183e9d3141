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

  std::string of_alice() const { return " of user " + std::to_string(alice_.id.value); }
  /// The session that lives, and the one that has ended.
  std::string session_a_of_alice() const { return "session " + to_string(session_a) + of_alice(); }
  std::string session_b_of_alice() const { return "session " + to_string(session_b) + of_alice(); }

  /// SQL after which rows may refer to nothing; the statements behind it belong into the same run().
  std::string without_references() const {
    return GetParam() == Engine::postgres ? "SET session_replication_role = replica; " : "";
  }
  /// SQL after which a table may hold a row twice.
  std::string without_uniqueness(const std::string& table, const std::string& key) const {
    if (GetParam() == Engine::postgres) return "ALTER TABLE " + table + " DROP CONSTRAINT " + key + "; ";
    return "DROP VIEW transactions_in_credits; CREATE TABLE copy AS SELECT * FROM " + table +
           "; DROP TABLE " + table + "; ALTER TABLE copy RENAME TO " + table + "; ";
  }
  std::string repeat_transaction(const std::string& type) const {
    const bool postgres = GetParam() == Engine::postgres;
    return without_uniqueness("credit_transactions", "credit_transactions_user_id_type_reference_key") +
           "INSERT INTO credit_transactions " + (postgres ? "OVERRIDING SYSTEM VALUE " : "") +
           "SELECT user_id, id + 1000, type, amount, reference, note, time_ms, created_at"
           " FROM credit_transactions WHERE type = '" +
           type + "'";
  }

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
            (Strings{"I1 user alice", "I3 " + session_a_of_alice()}));
}

TEST_P(Audit, FindsABalanceBelowZero) {
  EXPECT_EQ(findings_after("UPDATE user_credits SET balance = -1"),
            (Strings{"I1 user alice", "I2 user alice"}));
}

TEST_P(Audit, FindsASessionThatPostedMoreThanItWasCharged) {
  EXPECT_EQ(findings_after("UPDATE metered_sessions SET posted = charged + 1 WHERE ended_at IS NULL"),
            (Strings{"I1 user alice", "I1 " + session_a_of_alice(), "I1 " + session_a_of_alice()}));
}

TEST_P(Audit, FindsASessionThatEndedWithoutPostingEverything) {
  const auto found = findings_after("UPDATE metered_sessions SET posted = 0 WHERE ended_at IS NOT NULL");
  EXPECT_EQ(found, (Strings{"I1 user alice", "I1 " + session_b_of_alice(), "I1 " + session_b_of_alice()}));
}

TEST_P(Audit, FindsASessionThatEndedWithoutPostingItsTime) {
  EXPECT_EQ(findings_after("UPDATE metered_sessions SET granted_posted = 59999 WHERE ended_at IS NOT NULL"),
            (Strings{"I1 " + session_b_of_alice(), "I1 " + session_b_of_alice()}));
}

TEST_P(Audit, FindsUsageThatItsSessionDidNotPost) {
  EXPECT_EQ(findings_after("UPDATE credit_transactions SET amount = amount - 7 WHERE type = 'usage';"
                           "UPDATE user_credits SET balance = balance - 7"),
            Strings{"I1 " + session_b_of_alice()});
  EXPECT_EQ(value_of(ledger().audit()).findings.at(0).detail,
            "posted 48000 in 60000 ms, its 1 usage rows say 48007 in 60000 ms");
}

TEST_P(Audit, FindsUsageOfATimeThatItsSessionDidNotPost) {
  EXPECT_EQ(findings_after("UPDATE credit_transactions SET time_ms = 1 WHERE type = 'usage'"),
            Strings{"I1 " + session_b_of_alice()});
}

TEST_P(Audit, FindsUsageOfNoSession) {
  const std::string missing = "session-0000000000000099";
  EXPECT_EQ(
      findings_after("UPDATE credit_transactions SET reference = '" + missing + "-1' WHERE type = 'usage'"),
      (Strings{"I1 usage " + missing + of_alice(), "I1 " + session_b_of_alice()}));
}

TEST_P(Audit, FindsUsageOfAnotherUsersSession) {
  const User bob = user_with("bob", credits(1));
  const std::string of_bob = " of user " + std::to_string(bob.id.value);
  const auto found = findings_after(
      "UPDATE credit_transactions SET user_id = " + std::to_string(bob.id.value) + " WHERE type = 'usage'");
  EXPECT_EQ(found, (Strings{"I1 user alice", "I1 user bob", "I1 " + session_b_of_alice(),
                            "I1 usage session-" + to_string(session_b) + of_bob}));
}

TEST_P(Audit, FindsASessionWhoseChargesContradictEachOther) {
  const std::string session = "I3 " + session_b_of_alice();
  const auto after = [&](const std::string& change) {
    return findings_after("UPDATE metered_sessions SET " + change + " WHERE ended_at IS NOT NULL");
  };
  EXPECT_EQ(after("charge_number = 2"), Strings{session}) << "two charges took more than the last one";
  EXPECT_EQ(after("charge_number = 1, last_amount = 47999"), Strings{session});
  EXPECT_EQ(after("last_amount = 0"), Strings{session}) << "a charge that takes nothing leaves no trace";
  EXPECT_EQ(after("last_amount = 48000, last_grant = 60001"), Strings{session});
  EXPECT_EQ(after("last_grant = 59999"), Strings{session});
  EXPECT_EQ(after("last_grant = 60000"), Strings{});
}

TEST_P(Audit, FindsUsageThatIsThereTwice) {
  const std::string usage = "I3 usage session-" + to_string(session_b) + "-1" + of_alice();
  EXPECT_EQ(findings_after(repeat_transaction("usage")),
            (Strings{"I1 user alice", "I1 " + session_b_of_alice(), usage}));
}

TEST_P(Audit, FindsAPurchaseThatIsThereTwice) {
  EXPECT_EQ(findings_after(repeat_transaction("purchase")),
            (Strings{"I1 user alice", "I4 purchase one" + of_alice()}));
}

TEST_P(Audit, FindsAnOrderThatIsThereTwice) {
  const User bob = user_with("bob", credits(1));
  books().run(without_uniqueness("payment_orders", "payment_orders_reference_key") +
              "INSERT INTO payment_orders SELECT " + std::to_string(bob.id.value) +
              ", reference, provider, 'pending', price, currency, credits, bonus, idempotency_key,"
              " request_digest, authorization_url, created_at, NULL FROM payment_orders");
  EXPECT_EQ(findings_after("SELECT 1"), Strings{"I4 order one"});
}

TEST_P(Audit, FindsWhatBelongsToNoUser) {
  const std::string nobody = "user " + std::to_string(alice_.id.value);
  EXPECT_EQ(findings_after(without_references() + "DELETE FROM users"),
            (Strings{"I1 " + nobody, "I4 " + nobody, "I1 " + nobody, "I1 " + nobody}));
}

TEST_P(Audit, CountsAllFindingsAndListsAsManyAsItIsAskedFor) {
  books().run(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) "
      "INSERT INTO metered_sessions (user_id, session_id, node, label, exit, charge_number, last_amount, "
      "last_grant,"
      " charged, posted, granted, granted_posted, started_at, paid_until, last_posted_at)"
      " SELECT " +
      std::to_string(alice_.id.value) + ", i, 'node-1', '', '', 1, 1, 1, 1, 2, 1, 0, 0, 1, 0 FROM n");
  const AuditReport some = value_of(ledger().audit());
  EXPECT_EQ(some.found, 3001)
      << "her balance, and each session twice: it posted too much, and no row says so";
  EXPECT_EQ(some.findings.size(), 2001U);
  const AuditReport all = value_of(ledger().audit(AuditListing::all));
  EXPECT_EQ(all.found, 3001);
  EXPECT_EQ(all.findings.size(), 3001U);
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
  EXPECT_EQ(findings_after("UPDATE payment_orders SET state = 'pending'"),
            (Strings{"I4 purchase one" + of_alice(), "I4 bonus one" + of_alice()}));
}

TEST_P(Audit, FindsAPurchaseWithoutAnOrder) {
  EXPECT_EQ(findings_after("DELETE FROM payment_orders"),
            (Strings{"I4 purchase one" + of_alice(), "I4 bonus one" + of_alice()}));
}

TEST_P(Audit, AnOrderWhoseMoneyWentBackKeepsItsPurchase) {
  EXPECT_EQ(findings_after("UPDATE payment_orders SET state = 'refunded'"), Strings{});
}

}  // namespace
}  // namespace payg::test
