#include <thread>

#include "tests/contract/books.h"

namespace payg::test {
namespace {

class Migrations : public testing::TestWithParam<Engine> {
 protected:
  std::unique_ptr<Books> books_ = make_books(GetParam());
};
PAYG_ON_EVERY_LEDGER(Migrations);

TEST_P(Migrations, AnEmptyDatabaseIsBroughtUpToDate) {
  const auto ledger = books_->open();
  EXPECT_EQ(value_of(ledger->migrate()), 1);
  EXPECT_EQ(books_->run("SELECT name FROM schema_migrations WHERE number = 1"), "0001_initial");
  EXPECT_EQ(value_of(ledger->schema()), 1);
}

TEST_P(Migrations, ThereIsNoSchemaBeforeThem) {
  const auto ledger = books_->open();
  EXPECT_EQ(value_of(ledger->schema()), 0);
  books_->run("CREATE TABLE somebody_elses (something TEXT)");
  EXPECT_EQ(value_of(ledger->schema()), 0);
  value_of(books_->open()->migrate());
  EXPECT_EQ(value_of(ledger->schema()), 1) << "made by somebody else in the meantime";
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
  EXPECT_EQ(value_of(ledger->migrate()), 1);
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
  EXPECT_EQ(outcomes, std::vector<std::string>(8, "1"));
  EXPECT_EQ(books_->run("SELECT count(*) FROM schema_migrations"), "1");
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
  EXPECT_EQ(value_of(ledger->migrate()), 1);
}

TEST_P(Migrations, OneThatFailsLeavesNothingBehind) {
  const auto ledger = books_->open();
  books_->run("CREATE TABLE nodes (something TEXT)");  // what 0001 is about to create
  EXPECT_EQ(refusal_of(ledger->migrate()), "broken");
  books_->run("DROP TABLE nodes");
  EXPECT_EQ(value_of(ledger->migrate()), 1);
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
