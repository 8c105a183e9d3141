#include <thread>

#include "tests/contract/books.h"

namespace payg::test {
namespace {

constexpr int newest = 3;

class Migrations : public testing::TestWithParam<Engine> {
 protected:
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
  const auto ledger = books_->open();
  value_of(ledger->migrate());
  const User alice = value_of(ledger->create_user("alice", "", token_of("t"), new_year));
  value_of(ledger->adjust(alice.id, credits(1), "start", "", new_year));
  const auto first = minute(alice, session_a, 1), second = minute(alice, session_a, 2);
  value_of(ledger->charge(newest_life(*ledger, node), std::span(&first, 1)));
  // Back to what the first one made, as far as the later ones change it.
  books_->run("DROP TABLE user_addresses");
  for (const std::string column : {"country", "state", "city", "isp"})
    books_->run("ALTER TABLE users DROP COLUMN default_" + column);
  for (const std::string column : {"life", "beat", "lease_ms"})
    books_->run("ALTER TABLE nodes DROP COLUMN " + column);
  books_->run("DROP INDEX metered_sessions_by_end_change");
  books_->run("ALTER TABLE metered_sessions DROP COLUMN end_change");
  books_->run(
      "CREATE INDEX metered_sessions_ended ON metered_sessions (node, ended_at) WHERE ended_at IS NOT NULL");
  books_->run("DELETE FROM schema_migrations WHERE number > 1");

  EXPECT_EQ(value_of(ledger->migrate()), newest);
  EXPECT_EQ(value_of(ledger->changes_since(node, std::nullopt)).nodes.at(0).lease, 0ms)
      << "nobody has promised to renew it";
  EXPECT_EQ(value_of(ledger->charge(newest_life(*ledger, node), std::span(&second, 1))).at(0).outcome,
            ChargeResult::Outcome::granted);
  EXPECT_TRUE(value_of(ledger->find_user("alice")).location.empty());
  EXPECT_TRUE(value_of(ledger->audit()).findings.empty());
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
