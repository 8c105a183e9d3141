#include "tests/contract/books.h"
#include "tests/support/harness/patience.h"
#include "tests/support/postgres_lock.h"
#include "tests/support/postgres_server.h"

namespace payg::test {
namespace {

/// What a request whose turn is in_line gets to see, on PostgreSQL: SQLite has one lock for everybody.
class PostgresTurns : public testing::Test {
 protected:
  PostgresTurns() {
    value_of(ledger->migrate());
    for (const char* name : {"alice", "bob", "carol", "dave"}) {
      const User user = value_of(ledger->create_user(name, "", token_of(name), new_year));
      value_of(ledger->adjust(user.id, credits(1), "start", "", new_year));
      users.push_back(user);
    }
  }
  std::unique_ptr<Ledger> open() const { return (*open_ledger(database.url()))(); }

  static ChargeRequest in_line(const User& user) {
    ChargeRequest request = minute(user, session_a, 1);
    request.turn = Turn::in_line;
    return request;
  }
  static EndRequest end_in_line(const User& user) {
    EndRequest request = ending(user, session_a, new_year);
    request.turn = Turn::in_line;
    return request;
  }
  std::vector<ChargeResult::Outcome> charge(const std::vector<ChargeRequest>& requests) {
    std::vector<ChargeResult::Outcome> outcomes;
    for (const ChargeResult& result : value_of(ledger->charge(newest_life(*ledger, node), requests)))
      outcomes.push_back(result.outcome);
    return outcomes;
  }
  EndOutcome end(const EndRequest& request) {
    return value_of(ledger->end_sessions(std::span(&request, 1))).at(0).outcome;
  }
  void expect_clean_books() { EXPECT_TRUE(value_of(ledger->audit()).findings.empty()); }

  using enum ChargeResult::Outcome;
  PostgresDatabase database;
  std::unique_ptr<Ledger> ledger = open();
  std::vector<User> users;
};

// Whoever asks for nothing but a row that is free finds none here.
TEST_F(PostgresTurns, WhoStandsInLineIsServedInACrowd) {
  const PostgresCrowd crowd(database.url(), locking_row("user_credits", users[0].id.value));
  EXPECT_TRUE(eventually([&] { return charge({in_line(users[0])}) == std::vector{granted}; }));
  EXPECT_EQ(value_of(ledger->balance(users[0].id)), credits(1).minus(minute_price).value());
  EXPECT_TRUE(eventually([&] { return end(end_in_line(users[0])) == EndOutcome::ended; }));
  expect_clean_books();
}

TEST_F(PostgresTurns, WhoWaitsInVainIsAskedLaterAndLeavesNothingBehind) {
  const PostgresLock locked(database.url(), locking_row("user_credits", users[0].id.value));
  EXPECT_EQ(charge({in_line(users[0])}), std::vector{later});
  EXPECT_EQ(end(end_in_line(users[0])), EndOutcome::later);
  EXPECT_EQ(database.waiting_for_locks(), 0);
  EXPECT_EQ(charge({in_line(users[1])}), std::vector{granted}) << "the connection is as good as before";
}

TEST_F(PostgresTurns, WhoIsNotAloneStandsInNoLine) {
  const PostgresLock locked(database.url(), locking_row("user_credits", users[0].id.value));
  EXPECT_EQ(charge({in_line(users[0]), in_line(users[1])}), (std::vector{later, granted}));
}

// More of them than one portion takes.
TEST_F(PostgresTurns, TheUsageOfOthersIsPostedWhileAThousandSessionsOfOneAreLocked) {
  std::vector<ChargeRequest> batch;
  for (std::uint64_t id = 1; id <= 1'001; ++id) {
    ChargeRequest request = minute(users[0], SessionId{id}, 1);
    request.price = units(8);
    request.increment = 10ms;
    batch.push_back(request);
  }
  ChargeRequest last = minute(users[1], session_a, 1);
  last.from = new_year + 1s;
  batch.push_back(last);
  value_of(ledger->charge(newest_life(*ledger, node), batch));
  const auto rows_of = [&](const User& user) {
    return value_of(ledger->transactions(user.id, {}, std::nullopt, 10'000)).size();
  };

  std::optional<PostgresLock> locked(std::in_place, database.url(),
                                     locking_row("user_credits", users[0].id.value));
  EXPECT_EQ(value_of(ledger->post_usage(node, new_year + 1min, new_year + 1h)), Posting::more);
  EXPECT_EQ(rows_of(users[1]), 2U);
  EXPECT_EQ(value_of(ledger->post_usage(node, new_year + 1min, new_year + 1h)), Posting::done)
      << "what is left is locked";
  locked.reset();
  EXPECT_EQ(value_of(ledger->post_usage(node, new_year + 1min, new_year + 1h)), Posting::more);
  EXPECT_EQ(value_of(ledger->post_usage(node, new_year + 1min, new_year + 1h)), Posting::done);
  EXPECT_EQ(rows_of(users[0]), 1'002U);
  expect_clean_books();
}

TEST_F(PostgresTurns, ARowOfUsersThatSomebodyHoldsIsInNobodysWay) {
  const PostgresLock held(database.url(), locking_row("users", users[0].id.value));
  EXPECT_EQ(charge({minute(users[0], session_a, 1), minute(users[1], session_a, 1)}),
            (std::vector{granted, granted}));
  value_of(ledger->post_usage(node, new_year, new_year));
  EXPECT_EQ(end(ending(users[0], session_a, new_year)), EndOutcome::ended);
  value_of(ledger->create_order(order_of(users[0], "one")));
  value_of(ledger->settle_order("one", new_year));
  expect_clean_books();
}

}  // namespace
}  // namespace payg::test
