#include <array>
#include <atomic>
#include <thread>

#include "tests/contract/books.h"
#include "tests/support/postgres_lock.h"
#include "tests/support/postgres_server.h"

namespace payg::test {
namespace {

std::string of(const User& user, const std::string& table) {
  return "SELECT FROM " + table + " WHERE user_id = " + std::to_string(user.id.value) + " FOR UPDATE";
}

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
    for (const ChargeResult& result : value_of(ledger->charge(node, requests)))
      outcomes.push_back(result.outcome);
    return outcomes;
  }
  void expect_clean_books() { EXPECT_TRUE(value_of(ledger->audit()).findings.empty()); }

  using enum ChargeResult::Outcome;
  PostgresDatabase database;
  std::unique_ptr<Ledger> ledger = open();
  std::vector<User> users;
};

/// Writers of one user's row who hand it to each other, so that nobody ever finds it free.
class Crowd {
 public:
  Crowd(const PostgresDatabase& database, const User& user) {
    for (std::thread& writer : writers_) {
      writer = std::thread([this, &database, lock = of(user, "user_credits")] {
        while (!leaving_) {
          const PostgresLock held(database.url(), lock);
          ++turns_;
        }
      });
    }
    // All of them have come.
    while (turns_ < 20) std::this_thread::yield();
  }
  ~Crowd() {
    leaving_ = true;
    for (std::thread& writer : writers_) writer.join();
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

 private:
  std::atomic<bool> leaving_ = false;
  std::atomic<int> turns_ = 0;
  std::array<std::thread, 4> writers_;
};

TEST_F(PostgresTurns, WhoStandsInLineIsServedInACrowd) {
  const Crowd crowd(database, users[0]);
  while (charge({in_line(users[0])}) == std::vector{later}) {
  }
  EXPECT_EQ(value_of(ledger->balance(users[0].id)), credits(1).minus(minute_price).value());
  const std::array ends = {end_in_line(users[0])};
  while (value_of(ledger->end_sessions(ends)) == std::vector{EndOutcome::later}) {
  }
  expect_clean_books();
}

TEST_F(PostgresTurns, AFewAreWaitedForAndNobodyElseIsHeldUp) {
  const PostgresLock alice(database.url(), of(users[0], "user_credits"));
  const PostgresLock bob(database.url(), of(users[1], "user_credits"));
  const PostgresLock carol(database.url(), of(users[2], "user_credits"));
  EXPECT_EQ(charge({in_line(users[0]), in_line(users[1]), in_line(users[2]), in_line(users[3])}),
            (std::vector{later, later, later, granted}));
  const std::array ends = {end_in_line(users[0]), end_in_line(users[3])};
  EXPECT_EQ(value_of(ledger->end_sessions(ends)), (std::vector{EndOutcome::later, EndOutcome::ended}));
  EXPECT_EQ(database.run("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                         " AND wait_event_type = 'Lock'"),
            "0")
      << "whoever gave up waits no more";
}

TEST_F(PostgresTurns, AllThatOneUserAskedIsAnsweredInOrder) {
  const Crowd crowd(database, users[0]);
  ChargeRequest second = minute(users[0], session_b, 1);
  second.price = credits(1);
  for (;;) {
    const auto outcomes = charge({in_line(users[0]), minute(users[1], session_a, 1), second});
    EXPECT_EQ(outcomes[1], granted);
    if (outcomes[0] == later) continue;
    EXPECT_EQ(outcomes, (std::vector{granted, granted, granted}));
    break;
  }
  EXPECT_EQ(value_of(ledger->balance(users[0].id)), Credits()) << "the second one got what was left";
  expect_clean_books();
}

TEST_F(PostgresTurns, ARowOfUsersThatSomebodyHoldsIsInNobodysWay) {
  const PostgresLock held(database.url(), of(users[0], "users"));
  EXPECT_EQ(charge({minute(users[0], session_a, 1), minute(users[1], session_a, 1)}),
            (std::vector{granted, granted}));
  value_of(ledger->post_usage(node, new_year, new_year));
  const std::array ends = {ending(users[0], session_a, new_year)};
  EXPECT_EQ(value_of(ledger->end_sessions(ends)), std::vector{EndOutcome::ended});
  value_of(ledger->create_order(order_of(users[0], "one")));
  value_of(ledger->settle_order("one", new_year));
  expect_clean_books();
}

}  // namespace
}  // namespace payg::test
