#include <thread>

#include "billing/ledger/migration.h"
#include "tests/contract/books.h"

namespace payg::test {
namespace {

constexpr int newest = 4;

class Migrations : public testing::TestWithParam<Engine> {
 protected:
  /// What a program left behind that knew so many of them, and no user or node yet.
  void bring_to(int number) {
    const auto known = GetParam() == Engine::sqlite ? sqlite_migrations() : postgres_migrations();
    books_->run("CREATE TABLE schema_migrations (number INTEGER PRIMARY KEY, name TEXT, applied_at BIGINT)");
    for (const Migration& one : known.first(static_cast<std::size_t>(number))) {
      books_->run(one.sql);
      books_->run("INSERT INTO schema_migrations VALUES (" + std::to_string(one.number) + ", '" + one.name +
                  "', 0)");
    }
  }
  /// Alice, the first user, with one credit that she was given.
  void write_alice() {
    const std::string hash = std::string(64, 'a'), at = std::to_string(new_year.time_since_epoch() / 1ms);
    const std::string token = GetParam() == Engine::sqlite ? "X'" + hash + "'" : "'\\x" + hash + "'";
    books_->run(
        "INSERT INTO users (name, email, state, token_hash, created_at, changed_at)"
        " VALUES ('alice', '', 'active', " +
        token + ", " + at + ", " + at + ")");
    books_->run("INSERT INTO user_credits VALUES (1, " + std::to_string(credits(1).units()) + ", " + at +
                ")");
    // PostgreSQL numbers them by itself.
    const bool has_number = GetParam() == Engine::sqlite;
    books_->run(
        std::string("INSERT INTO credit_transactions (user_id, type, amount, reference, note, time_ms, "
                    "created_at") +
        (has_number ? ", id" : "") + ") VALUES (1, 'adjustment', " + std::to_string(credits(1).units()) +
        ", 'start', '', 0, " + at + (has_number ? ", 1" : "") + ")");
  }

  std::unique_ptr<Books> books_ = make_books(GetParam());
};
PAYG_ON_EVERY_LEDGER(Migrations);

TEST_P(Migrations, AnEmptyDatabaseIsBroughtUpToDate) {
  const auto ledger = books_->open();
  EXPECT_EQ(value_of(ledger->migrate()), newest);
  EXPECT_EQ(books_->run("SELECT name FROM schema_migrations WHERE number = 1"), "0001_initial");
  EXPECT_EQ(value_of(ledger->schema()), newest);
}

TEST_P(Migrations, ThereIsNoSchemaBeforeThem) {
  const auto ledger = books_->open();
  EXPECT_EQ(value_of(ledger->schema()), 0);
  books_->run("CREATE TABLE somebody_elses (something TEXT)");
  EXPECT_EQ(value_of(ledger->schema()), 0);
  value_of(books_->open()->migrate());
  EXPECT_EQ(value_of(ledger->schema()), newest) << "made by somebody else in the meantime";
}

TEST_P(Migrations, OfSomebodyElseAreNoneOfOurs) {
  books_->run("CREATE TABLE schema_migrations (version TEXT PRIMARY KEY, dirty TEXT)");
  books_->run("INSERT INTO schema_migrations (version) VALUES ('20260101000000')");
  EXPECT_EQ(value_of(books_->open()->schema()), 0);
}

TEST_P(Migrations, OneThatIsUpToDateStaysAsItIs) {
  const auto ledger = books_->open();
  value_of(ledger->migrate());
  const User alice = value_of(ledger->create_user("alice", "", token_of("t"), new_year));
  EXPECT_EQ(value_of(ledger->migrate()), newest);
  EXPECT_EQ(value_of(books_->open()->find_user("alice")).id, alice.id);
}

TEST_P(Migrations, ManyNodesMayStartAtOnce) {
  std::vector<std::string> outcomes(8);
  std::vector<std::thread> nodes;
  for (std::string& outcome : outcomes) {
    nodes.emplace_back([this, &outcome] {
      const auto done = books_->open()->migrate();
      outcome = done ? std::to_string(*done) : done.error().message;
    });
  }
  for (std::thread& one : nodes) one.join();
  EXPECT_EQ(outcomes, std::vector<std::string>(8, std::to_string(newest)));
  EXPECT_EQ(books_->run("SELECT count(*) FROM schema_migrations"), std::to_string(newest));
}

TEST_P(Migrations, ADatabaseNewerThanTheProgramIsRefused) {
  const auto ledger = books_->open();
  value_of(ledger->migrate());
  books_->run("INSERT INTO schema_migrations (number, name, applied_at) VALUES (7, '0007_future', 0)");
  const auto refused = ledger->migrate();
  EXPECT_EQ(refusal_of(refused), "broken");
  EXPECT_NE(refused.error().message.find("schema 7"), std::string::npos) << refused.error().message;
  EXPECT_NE(refused.error().message.find("newer payg-proxy"), std::string::npos) << refused.error().message;
  // The refusal left nothing open.
  EXPECT_EQ(value_of(ledger->schema()), 7);
  books_->run("DELETE FROM schema_migrations WHERE number = 7");
  EXPECT_EQ(value_of(ledger->migrate()), newest);
}

TEST_P(Migrations, OneThatFailsLeavesNothingBehind) {
  const auto ledger = books_->open();
  books_->run("CREATE TABLE nodes (something TEXT)");  // what 0001 is about to create
  EXPECT_EQ(refusal_of(ledger->migrate()), "broken");
  books_->run("DROP TABLE nodes");
  EXPECT_EQ(value_of(ledger->migrate()), newest);
}

TEST_P(Migrations, BooksOfTheFirstSchemaGoOnAsTheyAre) {
  bring_to(1);
  write_alice();
  const std::string at = std::to_string(new_year.time_since_epoch() / 1ms);
  books_->run("INSERT INTO nodes (node, started_at) VALUES ('" + std::string(node) + "', " + at + ")");
  // Her first minute.
  books_->run("UPDATE user_credits SET balance = balance - 48000");
  books_->run("INSERT INTO metered_sessions VALUES (1, " + std::to_string(session_a.value) + ", '" +
              std::string(node) + "', '', '', 1, 48000, 60000, 48000, 0, 60000, 0, " + at + ", " + at +
              " + 60000, " + at + ", NULL, NULL)");

  const auto ledger = books_->open();
  EXPECT_EQ(value_of(ledger->migrate()), newest);
  EXPECT_EQ(value_of(ledger->changes_since(node, std::nullopt)).nodes.at(0).lease, 0ms)
      << "nobody has promised to renew it";
  const User alice = value_of(ledger->find_user("alice"));
  EXPECT_TRUE(alice.location.empty());
  const auto second = minute(alice, session_a, 2);
  EXPECT_EQ(value_of(ledger->charge(newest_life(*ledger, node), std::span(&second, 1))).at(0).outcome,
            ChargeResult::Outcome::granted);
  EXPECT_EQ(books_->run("SELECT balance FROM user_credits"), std::to_string(3'600'000 - 2 * 48'000));
  EXPECT_TRUE(value_of(ledger->audit()).findings.empty());
}

TEST_P(Migrations, NetworksThatWereListedBeforeThereWereConfirmationsStayInForce) {
  bring_to(3);
  write_alice();
  books_->run("INSERT INTO user_addresses VALUES (1, '203.0.113.0/24', 5)");
  const auto ledger = books_->open();
  value_of(ledger->migrate());
  const auto lists = value_of(ledger->networks(std::nullopt));
  EXPECT_EQ(lists.at(0).networks.at(0).confirmed_at, WallTime(5ms));
}

TEST_P(Migrations, ACallBeforeThemIsRefusedAndNotFatal) {
  const auto ledger = books_->open();
  books_->run("CREATE TABLE somebody_elses (something TEXT)");
  EXPECT_EQ(refusal_of(ledger->find_user("alice")), "broken");
  value_of(ledger->migrate());
  EXPECT_EQ(refusal_of(ledger->find_user("alice")), "not_found");
}

}  // namespace
}  // namespace payg::test
