#include <gtest/gtest.h>

#include <string>

#include "tests/support/harness/process.h"
#include "tests/support/harness/temp_folder.h"
#include "tests/support/postgres_server.h"

namespace payg::test {
namespace {

Finished add_user(const std::string& ledger, const std::string& name) {
  return run_program({built("paygctl"), "--ledger", ledger, "user", "add", name});
}

/// What has been made by mistake, in a wrong place, is noticed only if it is said.
void expect_said_for_the_first_user_only(const std::string& ledger) {
  const Finished first = add_user(ledger, "alice"), second = add_user(ledger, "bob");
  EXPECT_EQ(first.status, ExitStatus{0});
  EXPECT_EQ(first.errors, "paygctl: there was no ledger here: a new one was made\n");
  EXPECT_EQ(second.status, ExitStatus{0});
  EXPECT_EQ(second.errors, "");
}

TEST(FreshLedger, IsSaidToBeNewInAFileThatWasNotThere) {
  const TempFolder folder;
  expect_said_for_the_first_user_only("sqlite:" + folder.path() + "/new/payg.db");
}

TEST(FreshLedger, IsSaidToBeNewInAFileThatWasEmpty) {
  const TempFolder folder;
  expect_said_for_the_first_user_only("sqlite:" + folder.write("payg.db", ""));
}

TEST(FreshLedger, IsSaidToBeNewInADatabaseThatWasEmpty) {
  const PostgresDatabase database;
  expect_said_for_the_first_user_only(database.url());
}

TEST(FreshLedger, IsNotMadeWhereTheDatabaseIsAway) {
  const TempFolder nobody_home;
  const Finished refused = add_user("postgresql:///payg?host=" + nobody_home.path(), "alice");
  EXPECT_EQ(refused.status, ExitStatus{3});
  EXPECT_EQ(refused.output, "");
}

}  // namespace
}  // namespace payg::test
