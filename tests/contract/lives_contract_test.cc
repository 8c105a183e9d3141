#include <future>

#include "tests/contract/books.h"
#include "tests/support/harness/patience.h"
#include "tests/support/postgres_lock.h"
#include "tests/support/postgres_relay.h"
#include "tests/support/postgres_server.h"

namespace payg::test {
namespace {

using Outcome = ChargeResult::Outcome;
using Next = LostPortion::Next;

NodeStart begin_life(Ledger& ledger) {
  return value_of(ledger.start_node(node, lease, new_year));
}
Outcome charge_as(Ledger& ledger, const NodeRef& self, const ChargeRequest& request) {
  return value_of(charge_in_the_end(ledger, self, request)).outcome;
}
std::string refusal_as(Ledger& ledger, const NodeRef& self, const ChargeRequest& request) {
  return refusal_of(charge_in_the_end(ledger, self, request));
}

/// What a node may still charge when its process is not the newest one of that name.
class Lives : public LedgerContract {
 protected:
  NodeRef begin() { return {std::string(node), begin_life(ledger()).life}; }
};
PAYG_ON_EVERY_LEDGER(Lives);

TEST_P(Lives, ASessionThatAnEarlierLifeStartsTooLateIsRefusedAndCostsNothing) {
  const User alice = user_with("alice", credits(1));
  const NodeRef earlier = begin();
  const NodeRef newest = begin();
  EXPECT_EQ(refusal_as(ledger(), earlier, minute(alice, session_a, 1)), "life_is_over");
  EXPECT_EQ(value_of(ledger().balance(alice.id)), credits(1));
  EXPECT_EQ(books().run("SELECT count(*) FROM metered_sessions"), "0");
  EXPECT_EQ(charge_as(ledger(), newest, minute(alice, session_a, 1)), Outcome::granted);
}

TEST_P(Lives, AnEarlierLifeIsRefusedAlsoOnASessionThatIsStillOpen) {
  const User alice = user_with("alice", credits(1));
  const NodeRef earlier = begin();
  EXPECT_EQ(charge_as(ledger(), earlier, minute(alice, session_a, 1)), Outcome::granted);
  begin();
  EXPECT_EQ(refusal_as(ledger(), earlier, minute(alice, session_a, 2)), "life_is_over");
  EXPECT_EQ(refusal_as(ledger(), earlier, minute(alice, session_a, 1)), "life_is_over")
      << "nor is it told again what it bought";
  EXPECT_EQ(value_of(ledger().balance(alice.id)), credits(1).minus(minute_price).value());
}

TEST_P(Lives, WhatAnEarlierLifeBeganTheNewestOneMayCharge) {
  const User alice = user_with("alice", credits(1));
  charge_as(ledger(), begin(), minute(alice, session_a, 1));
  EXPECT_EQ(charge_as(ledger(), begin(), minute(alice, session_a, 2)), Outcome::granted);
}

TEST_P(Lives, ANodeThatWasNeverStartedIsSoldNothing) {
  const User alice = user_with("alice", credits(1));
  const NodeRef other = begin();
  EXPECT_EQ(refusal_as(ledger(), {"node-2", other.life}, minute(alice, session_a, 1)), "life_is_over");
  EXPECT_EQ(refusal_as(ledger(), {"node-2", {}}, minute(alice, session_a, 1)), "life_is_over");
  EXPECT_EQ(value_of(ledger().balance(alice.id)), credits(1));
}

TEST_P(Lives, AnotherNodesStartIsInNobodysWay) {
  const User alice = user_with("alice", credits(1));
  const NodeRef self = begin();
  value_of(ledger().start_node("node-2", lease, new_year));
  EXPECT_EQ(charge_as(ledger(), self, minute(alice, session_a, 1)), Outcome::granted);
}

/// A charge that meets the start of its node's next life. On PostgreSQL: SQLite has one writer at a time.
class PostgresLives : public testing::Test {
 protected:
  PostgresLives() {
    value_of(ledger->migrate());
    for (User* user : {&alice, &bob}) {
      const std::string name = user == &alice ? "alice" : "bob";
      *user = value_of(ledger->create_user(name, "", token_of(name), new_year));
      value_of(ledger->adjust(user->id, credits(1), "start", "", new_year));
    }
    self = {std::string(node), begin_life(*ledger).life};
  }
  ~PostgresLives() override { EXPECT_TRUE(value_of(ledger->audit()).findings.empty()); }

  std::unique_ptr<Ledger> open() const { return (*open_ledger(database.url()))(); }
  /// Both ask again for as long as locks keep them from an answer, as a node does.
  std::future<std::string> charge_beside(const ChargeRequest& request) {
    return std::async(std::launch::async, [this, request] {
      const auto own = open();
      for (;;) {
        const auto result = charge_in_the_end(*own, self, request);
        if (result) return std::string(result->outcome == Outcome::granted ? "granted" : "not granted");
        if (refusal_of(result) == "life_is_over") return refusal_of(result);
      }
    });
  }
  std::future<std::vector<SessionKey>> start_beside() {
    return std::async(std::launch::async, [this] {
      const auto own = open();
      for (;;) {
        const auto start = own->start_node(node, lease, new_year);
        if (start) return start->left_open;
      }
    });
  }
  LostPortion end_sessions_of(const NodeSign& silent) {
    return value_of(ledger->end_lost_sessions(silent, new_year));
  }
  /// How many there were.
  std::int64_t end_all_sessions_of(const NodeSign& silent) {
    std::int64_t ended = 0;
    EXPECT_TRUE(eventually([&] {
      const LostPortion portion = end_sessions_of(silent);
      ended += portion.sessions;
      return portion.next == Next::done;
    }));
    return ended;
  }
  bool is_locked(const User& user) {
    return database.run("SELECT count(*) FROM (" + locking_row("user_credits", user.id.value) +
                        " SKIP LOCKED) free") == "0";
  }
  bool wait_until_waiting(int calls) {
    return eventually([&] { return database.waiting_for_locks() == calls; });
  }

  PostgresDatabase database;
  std::unique_ptr<Ledger> ledger = open();
  User alice, bob;
  NodeRef self;
};

TEST_F(PostgresLives, AChargeThatIsUnderWayWhenTheNextLifeBeginsIsFoundByIt) {
  std::optional<PostgresLock> held;
  held.emplace(database.url(), "LOCK TABLE metered_sessions IN SHARE MODE");
  auto outcome = charge_beside(minute(alice, session_a, 1));
  ASSERT_TRUE(wait_until_waiting(1));
  auto left_open = start_beside();
  ASSERT_TRUE(wait_until_waiting(2)) << "the start waits for the charge";
  held.reset();
  const auto found = left_open.get();
  // A machine that is too slow for the limits of their waits may have refused it instead. Never neither.
  EXPECT_EQ(found.size(), outcome.get() == "granted" ? 1U : 0U);
  EXPECT_EQ(value_of(ledger->live_sessions(std::nullopt)).size(), found.size());
}

TEST_F(PostgresLives, AChargeThatComesWhileTheNextLifeBeginsIsRefused) {
  std::optional<PostgresLock> held;
  held.emplace(database.url(), "LOCK TABLE nodes IN EXCLUSIVE MODE");
  auto left_open = start_beside();
  ASSERT_TRUE(wait_until_waiting(1));
  auto outcome = charge_beside(minute(alice, session_a, 1));
  ASSERT_TRUE(wait_until_waiting(2)) << "the charge waits for the start";
  held.reset();
  const auto found = left_open.get();
  EXPECT_EQ(found.size(), outcome.get() == "granted" ? 1U : 0U);
  EXPECT_EQ(value_of(ledger->live_sessions(std::nullopt)).size(), found.size());
}

TEST_F(PostgresLives, AChargeWhoseCommitTakesLongerThanTheLeaseLeavesNoSessionOpenBehindIt) {
  const NodeSign sign = value_of(ledger->changes_since(node, std::nullopt)).nodes.at(0);
  database.run(
      "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS"
      " $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$;"
      "CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON metered_sessions DEFERRABLE INITIALLY DEFERRED"
      " FOR EACH ROW EXECUTE FUNCTION wait()");
  std::optional<PostgresLock> held;
  held.emplace(database.url(), "SELECT pg_advisory_xact_lock(7)");
  auto outcome = charge_beside(minute(alice, session_a, 1));
  EXPECT_TRUE(wait_until_waiting(1));
  // Asked several times for a machine that is too slow for the limit of the charge's wait.
  EXPECT_TRUE(eventually([&] { return end_sessions_of(sign).next == Next::more; })) << "it is not over yet";
  held.reset();
  EXPECT_EQ(outcome.get(), "granted");
  EXPECT_EQ(end_all_sessions_of(sign), 1);
  EXPECT_TRUE(value_of(ledger->live_sessions(std::nullopt)).empty());
}

TEST_F(PostgresLives, ANodeThatIsCutOffWithinABatchKeepsTheSessionsOfItsUsersOpenAndNoOthers) {
  constexpr std::uint64_t portion = 1'000;
  std::vector<ChargeRequest> batch(portion, minute(alice, session_a, 1));
  for (std::uint64_t i = 0; i < portion; ++i) {
    batch[i].session = SessionId{i + 1};
    batch[i].price = units(8);
    batch[i].increment = 10ms;
  }
  value_of(ledger->charge(self, batch));
  auto behind_them = minute(bob, session_b, 1);
  behind_them.from += 1min;
  ASSERT_EQ(charge_as(*ledger, self, behind_them), Outcome::granted);
  const NodeSign sign = value_of(ledger->changes_since(node, std::nullopt)).nodes.at(0);

  PostgresRelay network(database.url());
  network.hold_at("where_it_is_cut");
  for (ChargeRequest& request : batch) {
    request.number = 2;
    request.label = std::string(200, 'x');  // more in all than the network takes at once
  }
  batch.back().label = "where_it_is_cut";
  auto outcome =
      std::async(std::launch::async, [&] { return (*open_ledger(network.url()))()->charge(self, batch); });
  ASSERT_TRUE(eventually([&] { return is_locked(alice); })) << "the beginning of the batch has arrived";
  EXPECT_EQ(end_sessions_of(sign).sessions, 1) << "bob's";
  EXPECT_EQ(end_sessions_of(sign).next, Next::more);
  EXPECT_EQ(value_of(ledger->live_sessions(bob.id)).size(), 0U);
  network.go_on();
  EXPECT_EQ(value_of(outcome.get()).back().outcome, Outcome::granted);
  EXPECT_EQ(end_all_sessions_of(sign), std::int64_t{portion});
}

TEST_F(PostgresLives, AStartThatHasToWaitForTooLongHasNotBegun) {
  const PostgresLock held(database.url(), "LOCK TABLE nodes IN EXCLUSIVE MODE");
  EXPECT_EQ(refusal_of(ledger->start_node(node, lease, new_year)), "unavailable");
  EXPECT_EQ(charge_as(*ledger, self, minute(alice, session_a, 1)), Outcome::granted);
}

TEST_F(PostgresLives, AChargeThatTakesItsTimeHoldsUpNeitherTheOthersNorTheLease) {
  charge_as(*ledger, self, minute(alice, session_a, 1));
  std::optional<PostgresLock> held;
  held.emplace(database.url(), locking_row("metered_sessions", alice.id.value));
  auto outcome = charge_beside(minute(alice, session_a, 2));
  ASSERT_TRUE(wait_until_waiting(1));
  EXPECT_EQ(refusal_of(ledger->renew_lease(self, lease)), "ok");
  EXPECT_EQ(charge_as(*ledger, self, minute(bob, session_b, 1)), Outcome::granted);
  EXPECT_EQ(value_of(ledger->start_node("node-2", lease, new_year)).left_open.size(), 0U);
  held.reset();
  EXPECT_EQ(outcome.get(), "granted");
}

}  // namespace
}  // namespace payg::test
