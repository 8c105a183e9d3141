#include "billing/earlier_life.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/support/one_minute.h"
#include "tests/support/postgres_lock.h"
#include "tests/support/postgres_server.h"
#include "tests/unit/billing/logging_host.h"

namespace payg::test {
namespace {

using namespace billing;
using namespace std::chrono_literals;

/// A node that was killed while the ledger was away, and what its next life makes of it.
class EarlierLives : public testing::Test {
 protected:
  EarlierLives() {
    EXPECT_TRUE(ledger->migrate().ok());
    alice = add_user("alice", "10");
    bob = add_user("bob", "10");
    (void)start_node();
  }
  ~EarlierLives() override { EXPECT_TRUE(ledger->audit()->findings.empty()); }

  User add_user(const std::string& name, std::string_view credits) {
    const User user = *ledger->create_user(name, "", {static_cast<unsigned char>(name[0])}, now());
    EXPECT_TRUE(ledger->adjust(user.id, *Credits::parse(credits), name, "", now()).ok());
    return user;
  }
  std::vector<SessionKey> start_node() {
    const NodeStart start = *ledger->start_node("node-1", 1h, now());
    self.life = start.life;
    return start.left_open;
  }
  WallTime now() const { return host.clock().wall_now(); }
  ChargeRequest minute(const User& user, std::uint32_t number) const {
    return one_minute(user.id, SessionId{7 * user.id.value}, number, now() + number * 1min);
  }
  /// Reaches the ledger while the node lives.
  void charge(const User& user, std::uint32_t number) {
    EXPECT_EQ(ledger->charge(self, std::vector{minute(user, number)})->at(0).outcome,
              ChargeResult::Outcome::granted);
  }
  EarlierLife restart(std::vector<ChargeRequest> spooled) {
    EarlierLife life(host, std::move(spooled));
    const auto left_open = start_node();
    life.begin(self, left_open);
    return life;
  }
  /// All that is free.
  EarlierLife::Left settle(EarlierLife& life) {
    for (;;) {
      const auto left = life.settle(*ledger);
      EXPECT_TRUE(left.ok());
      if (!left.ok() || *left != EarlierLife::Left::more) return left.value();
    }
  }
  /// What the user's history shows as used, in minutes, and how many lines it takes.
  std::string history(const User& user) {
    std::int64_t units = 0;
    int lines = 0;
    const auto rows = ledger->transactions(user.id, {}, std::nullopt, 100);
    for (const Transaction& row : rows.value()) {
      if (row.type != TransactionType::usage) continue;
      units -= row.amount.units();
      ++lines;
    }
    EXPECT_TRUE(ledger->live_sessions(user.id)->empty()) << user.name;
    return std::to_string(units / 48'000) + " minutes in " + std::to_string(lines);
  }

  PostgresDatabase database;
  LoggingHost host;
  std::unique_ptr<Ledger> ledger = open_ledger(database.url()).value()();
  NodeRef self{.name = "node-1"};
  User alice, bob;
};

TEST_F(EarlierLives, WhatTheSpoolKeptIsPaidAndThenTheSessionEnds) {
  charge(alice, 1);
  EarlierLife life = restart({minute(alice, 2), minute(alice, 3)});
  EXPECT_EQ(settle(life), EarlierLife::Left::nothing);
  EXPECT_EQ(history(alice), "3 minutes in 1");
  EXPECT_EQ(life.take_settled_charges().size(), 2U);
  EXPECT_EQ(host.lines, (std::vector<std::string>{
                            "charged 0.02666666 credits for 2 charges that node node-1 had kept in its spool",
                            "ended 1 session that node node-1 had left open: 0.04 credits"}));
}

TEST_F(EarlierLives, ASessionOfWhichTheLedgerNeverHeardIsPaidAndEndedAsWell) {
  EarlierLife life = restart({minute(alice, 1), minute(alice, 2)});
  EXPECT_EQ(settle(life), EarlierLife::Left::nothing);
  EXPECT_EQ(history(alice), "2 minutes in 1");
}

TEST_F(EarlierLives, WhatTheLedgerHadAlreadyIsNotPaidTwice) {
  for (const std::uint32_t number : {1, 2, 3}) charge(alice, number);
  EarlierLife life = restart({minute(alice, 2), minute(alice, 3), minute(alice, 4)});
  EXPECT_EQ(settle(life), EarlierLife::Left::nothing);
  EXPECT_EQ(history(alice), "4 minutes in 1");
  EXPECT_EQ(host.lines, (std::vector<std::string>{
                            "charged 0.01333333 credits for 1 charge that node node-1 had kept in its spool",
                            "ended 1 session that node node-1 had left open: 0.05333333 credits"}))
      << "what was charged and posted, and nothing twice";
}

TEST_F(EarlierLives, WhatWasPostedBeforeIsNotSaidToBePostedByTheEnd) {
  for (const std::uint32_t number : {1, 2}) charge(alice, number);
  EarlierLife life = restart({minute(alice, 2)});
  EXPECT_TRUE(ledger->post_usage("node-1", now() + 1h, now()).ok());
  EXPECT_EQ(settle(life), EarlierLife::Left::nothing);
  EXPECT_EQ(host.lines,
            (std::vector<std::string>{"ended 1 session that node node-1 had left open: 0.00 credits"}));
}

TEST_F(EarlierLives, TheSameSpoolASecondTimeChangesNothing) {
  charge(alice, 1);
  const std::vector<ChargeRequest> spooled{minute(alice, 2), minute(bob, 1)};
  for (int restarts = 0; restarts < 3; ++restarts) {
    EarlierLife life = restart(spooled);
    EXPECT_EQ(settle(life), EarlierLife::Left::nothing);
  }
  EXPECT_EQ(history(alice), "2 minutes in 1");
  EXPECT_EQ(history(bob), "1 minutes in 1");
}

TEST_F(EarlierLives, NobodyIsChargedBelowZero) {
  const User carol = add_user("carol", "0.02");  // a minute and a half
  charge(carol, 1);
  EarlierLife life = restart({minute(carol, 2), minute(carol, 3)});
  EXPECT_EQ(settle(life), EarlierLife::Left::nothing);
  EXPECT_EQ(*ledger->balance(carol.id), Credits());
  EXPECT_EQ(history(carol), "1 minutes in 1") << "and a half";
  EXPECT_EQ(life.take_settled_charges().size(), 2U);
}

TEST_F(EarlierLives, ASessionThatEndedElsewhereMeanwhileIsNotCharged) {
  charge(alice, 1);
  EXPECT_TRUE(
      end_one_session(
          *ledger,
          {.user = alice.id, .session = minute(alice, 1).session, .why = EndReason::node_lost, .at = now()})
          .ok());
  EarlierLife life = restart({minute(alice, 2)});
  EXPECT_EQ(settle(life), EarlierLife::Left::nothing);
  EXPECT_EQ(history(alice), "1 minutes in 1");
  EXPECT_NE(host.lines.at(0).find("0.01333333 credits at most are lost"), std::string::npos)
      << host.lines.at(0);
}

TEST_F(EarlierLives, WhatALifeThatIsOverMeanwhileWouldChargeStaysInItsSpoolForTheNextOne) {
  EarlierLife life = restart({minute(alice, 1), minute(alice, 2)});
  (void)start_node();  // by another process, with a spool of its own
  const auto left = life.settle(*ledger);
  ASSERT_FALSE(left.ok());
  EXPECT_EQ(left.error().code, LedgerError::Code::life_is_over);
  EXPECT_TRUE(life.take_settled_charges().empty()) << "of a session that only this spool knows of";
  EXPECT_EQ(history(alice), "0 minutes in 0");
  EarlierLife next = restart({minute(alice, 1), minute(alice, 2)});
  EXPECT_EQ(settle(next), EarlierLife::Left::nothing);
  EXPECT_EQ(history(alice), "2 minutes in 1");
}

TEST_F(EarlierLives, WhoIsLockedHoldsUpNobodyAndIsNotEndedBeforeHeHasPaid) {
  charge(alice, 1);
  charge(bob, 1);
  EarlierLife life = restart({minute(alice, 2), minute(bob, 2), minute(bob, 3)});
  {
    const PostgresLock locked(database.url(), locking_row("user_credits", alice.id.value));
    EXPECT_EQ(settle(life), EarlierLife::Left::locked);
    EXPECT_EQ(history(bob), "3 minutes in 1");
    EXPECT_TRUE(life.settle_one_in_line(*ledger).ok());
    EXPECT_EQ(ledger->live_sessions(alice.id)->size(), 1U);
  }
  EXPECT_EQ(settle(life), EarlierLife::Left::nothing);
  EXPECT_EQ(history(alice), "2 minutes in 1");
}

TEST_F(EarlierLives, OfWhomNothingIsLeftDoesNothing) {
  EarlierLife life = restart({});
  EXPECT_EQ(settle(life), EarlierLife::Left::nothing);
  EXPECT_TRUE(life.settle_one_in_line(*ledger).ok());
  EXPECT_TRUE(host.lines.empty());
}

}  // namespace
}  // namespace payg::test
