#include <sqlite3.h>
#include <sys/resource.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>

#include "billing/ledger/postgres_ledger.h"
#include "tests/contract/books.h"
#include "tests/fakes/failing_ledger.h"
#include "tests/support/fake_clock.h"
#include "tests/support/harness/patience.h"
#include "tests/support/postgres_lock.h"
#include "tests/support/postgres_relay.h"
#include "tests/support/postgres_server.h"

namespace payg::test {
namespace {

std::unique_ptr<Ledger> ledger_at(const std::string& url) {
  auto factory = open_ledger(url);
  if (!factory) throw std::runtime_error(factory.error());
  return (*factory)();
}

TEST(PostgresFaults, ALostConnectionIsOpenedAgainByTheNextCall) {
  PostgresServer server;
  PostgresDatabase database(server.url());
  const auto ledger = ledger_at(database.url());
  value_of(ledger->migrate());
  const User alice = value_of(ledger->create_user("alice", "", token_of("t"), new_year));
  value_of(ledger->adjust(alice.id, credits(1), "start", "", new_year));
  const NodeRef self = newest_life(*ledger, node);
  const auto first = minute(alice, session_a, 1);
  value_of(ledger->charge(self, std::span(&first, 1)));

  server.stop_immediately();
  EXPECT_EQ(refusal_of(ledger->charge(self, std::span(&first, 1))), "unavailable");
  EXPECT_EQ(refusal_of(ledger->schema()), "unavailable");
  server.start();
  // Sent again as it was: the stored answer, and nothing taken twice.
  const auto again = value_of(ledger->charge(self, std::span(&first, 1))).at(0);
  EXPECT_EQ(again.outcome, ChargeResult::Outcome::granted);
  EXPECT_EQ(again.balance, units(3'552'000));
}

TEST(PostgresFaults, ARestartBetweenTwoCallsIsNoticedByNone) {
  PostgresServer server;
  PostgresDatabase database(server.url());
  const auto ledger = ledger_at(database.url());
  value_of(ledger->migrate());
  const User alice = value_of(ledger->create_user("alice", "", token_of("t"), new_year));
  server.stop_immediately();
  server.start();
  EXPECT_EQ(refusal_of(ledger->adjust(alice.id, credits(1), "once", "", new_year)), "ok");
  EXPECT_EQ(value_of(ledger->balance(alice.id)), credits(1));
}

TEST(PostgresFaults, AConnectionThatTheServerCutsWhileNobodyUsesItIsOpenedAgain) {
  PostgresDatabase database;
  const auto ledger = ledger_at(database.url());
  value_of(ledger->migrate());
  database.run(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
      " WHERE datname = current_database() AND pid <> pg_backend_pid()");
  EXPECT_EQ(refusal_of(ledger->schema()), "ok");
}

class PostgresLocks : public ::testing::Test {
 protected:
  void SetUp() override {
    value_of(ledger->migrate());
    for (User* user : {&alice, &bob}) {
      const std::string name = user == &alice ? "alice" : "bob";
      *user = value_of(ledger->create_user(name, "", token_of(name), new_year));
      value_of(ledger->adjust(user->id, credits(1), "start", "", new_year));
    }
  }
  PostgresLock lock(const User& user) const {
    return {database.url(), locking_row("user_credits", user.id.value)};
  }
  std::vector<ChargeResult::Outcome> charge(std::uint32_t number) {
    const std::array batch = {minute(alice, session_a, number), minute(bob, session_b, number)};
    std::vector<ChargeResult::Outcome> outcomes;
    for (const ChargeResult& result : value_of(ledger->charge(newest_life(*ledger, node), batch)))
      outcomes.push_back(result.outcome);
    return outcomes;
  }

  using enum ChargeResult::Outcome;
  PostgresDatabase database;
  std::unique_ptr<Ledger> ledger = ledger_at(database.url());
  User alice, bob;
};

TEST_F(PostgresLocks, ALockThatCannotBeHadEndsTheTest) {
  EXPECT_THROW(PostgresLock(database.url(), "LOCK TABLE no_such_table"), std::runtime_error);
}

TEST_F(PostgresLocks, OneLockedUserHoldsUpNobodyElsesChargeAndIsChargedLater) {
  {
    const PostgresLock locked = lock(alice);
    EXPECT_EQ(charge(1), (std::vector{later, granted}));
    EXPECT_EQ(value_of(ledger->balance(bob.id)), credits(1).minus(minute_price).value());
  }
  EXPECT_EQ(charge(1), (std::vector{granted, granted})) << "the stored answer for who was charged";
  EXPECT_EQ(value_of(ledger->balance(alice.id)), credits(1).minus(minute_price).value());
  EXPECT_EQ(value_of(ledger->balance(bob.id)), credits(1).minus(minute_price).value());
}

TEST_F(PostgresLocks, OneLockedUserHoldsUpNobodyElsesEnd) {
  charge(1);
  const std::array ends = {ending(alice, session_a, new_year), ending(bob, session_b, new_year)};
  {
    const PostgresLock locked = lock(alice);
    EXPECT_EQ(
        value_of(ledger->end_sessions(ends)),
        (std::vector<EndResult>{{.outcome = EndOutcome::later, .posted = {}}, {.posted = minute_price}}));
    EXPECT_EQ(refusal_of(end_one_session(*ledger, ends[0])), "unavailable");
    EXPECT_EQ(value_of(ledger->live_sessions(std::nullopt)).size(), 1U);
  }
  EXPECT_EQ(value_of(ledger->end_sessions(ends)), (std::vector<EndResult>{{.posted = minute_price}, {}}));
  EXPECT_TRUE(value_of(ledger->audit()).findings.empty());
}

TEST_F(PostgresLocks, OneLockedUserHoldsUpNobodyElsesUsage) {
  charge(1);
  const PostgresLock locked = lock(alice);
  EXPECT_EQ(value_of(ledger->post_usage(node, new_year, new_year + 1h)), Posting::more);
  EXPECT_EQ(value_of(ledger->post_usage(node, new_year, new_year + 1h)), Posting::done) << "not while she is";
  EXPECT_EQ(value_of(ledger->transactions(alice.id, {}, std::nullopt, 10)).size(), 1U);
  EXPECT_EQ(value_of(ledger->transactions(bob.id, {}, std::nullopt, 10)).size(), 2U);
}

TEST_F(PostgresLocks, WhoHasToWaitForALockGivesUpAndLeavesNothingRunningBehindAndKeepsItsConnection) {
  const std::string backends =
      "SELECT string_agg(pid::text, ',') FROM pg_stat_activity"
      " WHERE datname = current_database() AND application_name = 'payg-proxy'";
  const std::string backend = database.run(backends);
  const PostgresLock locked = lock(alice);
  const auto refused = ledger->adjust(alice.id, credits(1), "gift", "", new_year);
  EXPECT_EQ(refusal_of(refused), "unavailable");
  EXPECT_NE(refused.error().message.find("lock timeout"), std::string::npos) << refused.error().message;
  EXPECT_EQ(database.waiting_for_locks(), 0);
  value_of(ledger->balance(alice.id));
  EXPECT_EQ(database.run(backends), backend);
}

// What is compared are two calls: one that meets silence at once, and one that meets it two seconds later,
// when all it has left to say is that it gives up.
TEST_F(PostgresLocks, WhoHasGivenUpDoesNotWaitForAServerThatHasFallenSilentAsOthersDo) {
  PostgresRelay silent(database.url()), silent_in_the_end(database.url());
  const auto waiting = ledger_at(silent.url()), giving_up = ledger_at(silent_in_the_end.url());
  value_of(waiting->balance(alice.id));
  silent.hold();
  auto answer = std::async(std::launch::async, [&] { return waiting->balance(alice.id); });
  const PostgresLock locked = lock(alice);
  silent_in_the_end.hold_at("ROLLBACK");
  EXPECT_EQ(refusal_of(giving_up->adjust(alice.id, credits(1), "gift", "", new_year)), "unavailable");
  EXPECT_EQ(answer.wait_for(0s), std::future_status::timeout);
  silent.go_on();
  EXPECT_EQ(refusal_of(answer.get()), "ok");
}

TEST_F(PostgresLocks, WhoGivesUpOnASlowServerDropsItsOwnConnectionAndNobodyElses) {
  PostgresRelay relay(database.url());
  const auto factory = open_ledger(relay.url()).value();
  const auto other = factory(), giving_up = factory();
  value_of(other->balance(alice.id));
  value_of(giving_up->balance(alice.id));
  const PostgresLock locked = lock(alice);
  relay.hold_at("ROLLBACK");
  EXPECT_EQ(refusal_of(giving_up->adjust(alice.id, credits(1), "gift", "", new_year)), "unavailable");
  relay.go_on();
  value_of(other->balance(alice.id));
  EXPECT_EQ(relay.connections(), 2);
  value_of(giving_up->balance(alice.id));
  EXPECT_EQ(relay.connections(), 3);
}

TEST(PostgresFaults, AServerThatIsNotThereIsUnavailableAndThePasswordStaysSecret) {
  const auto ledger = ledger_at("postgresql://payg:hunter2@%2Fnonexistent/payg");
  const auto refused = ledger->schema();
  EXPECT_EQ(refusal_of(refused), "unavailable");
  EXPECT_EQ(refused.error().message.find("hunter2"), std::string::npos);
  EXPECT_EQ(refused.error().message.find('\n'), std::string::npos);
}

TEST(PostgresFaults, TheSecondOfTwoHostsIsUsedWhenTheFirstIsAway) {
  PostgresServer server;
  PostgresDatabase database(server.url());
  const std::string host = "host=";
  std::string url = database.url();
  url.insert(url.find(host) + host.size(), "%2Fnonexistent,");
  const auto ledger = ledger_at(url + "&target_session_attrs=read-write");
  value_of(ledger->schema());
}

TEST(PostgresFaults, OfManyHostsThatAreSilentAtOnceACallAsksSomeAndTheNextOneTheOthers) {
  PostgresServer server;
  const PostgresDatabase database(server.url());
  PostgresUrl all = PostgresUrl::parse(database.url());
  std::array<std::unique_ptr<PostgresRelay>, 5> silent;
  for (auto& relay : silent) {
    relay = std::make_unique<PostgresRelay>(database.url());
    relay->hold();
    all.host.insert(0, "127.0.0.1,");
    all.port.insert(0, std::to_string(relay->address().port()) + ",");
  }
  const auto asked = [&] {
    int connections = 0;
    for (const auto& relay : silent) connections += relay->connections();
    return connections;
  };
  const auto factory = open_ledger(all.to_string() + "&connect_timeout=2").value();
  const auto ledger = factory();
  EXPECT_EQ(refusal_of(ledger->schema()), "unavailable");
  EXPECT_EQ(asked(), 4);
  EXPECT_EQ(refusal_of(ledger->schema()), "ok");
  EXPECT_EQ(asked(), 5);
  EXPECT_EQ(refusal_of(factory()->schema()), "ok");
  EXPECT_EQ(asked(), 5) << "the one that works is asked first from then on";
}

/// A minute goes by whenever it is looked at.
class HastyClock final : public Clock {
 public:
  MonotonicTime now() const noexcept override {
    clock_.advance(1min);
    return clock_.now();
  }
  WallTime wall_now() const noexcept override { return clock_.wall_now(); }

 private:
  mutable FakeClock clock_;
};

TEST(PostgresFaults, WhoSpentAllItsPatienceOnConnectingStillGivesUpASilentServer) {
  const PostgresDatabase database;
  PostgresRelay relay(database.url());
  const HastyClock clock;
  PostgresLedger ledger(std::make_shared<PostgresHosts>(relay.url()), clock);
  relay.hold_at("schema_migrations");
  auto answer = std::async(std::launch::async, [&] { return ledger.schema(); });
  EXPECT_TRUE(eventually([&] { return answer.wait_for(0s) == std::future_status::ready; }));
  relay.go_on();
  EXPECT_EQ(refusal_of(answer.get()), "unavailable");
}

TEST(PostgresFaults, AServerThatHasBecomeReadOnlyIsUnavailableUntilAnotherConnectionIsMade) {
  PostgresDatabase database;
  const auto ledger = ledger_at(database.url());
  value_of(ledger->migrate());
  const std::string name = database.run("SELECT current_database()");
  database.run("ALTER DATABASE " + name + " SET default_transaction_read_only = on");
  const auto standby = ledger_at(database.url());
  EXPECT_EQ(refusal_of(standby->create_user("alice", "", token_of("t"), new_year)), "unavailable");
  database.run("BEGIN READ WRITE; ALTER DATABASE " + name + " RESET default_transaction_read_only; COMMIT");
  EXPECT_EQ(refusal_of(standby->create_user("alice", "", token_of("t"), new_year)), "ok");
}

// What a pooler in transaction mode would lose must not be there.
TEST(PostgresFaults, NothingIsKeptInTheDatabaseSession) {
  PostgresDatabase database;
  const auto ledger = ledger_at(database.url());
  value_of(ledger->migrate());
  const User alice = value_of(ledger->create_user("alice", "", token_of("t"), new_year));
  const auto first = minute(alice, session_a, 1);
  value_of(ledger->charge(newest_life(*ledger, node), std::span(&first, 1)));
  const auto left = database.run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'");
  EXPECT_EQ(left, "0");
  EXPECT_EQ(database.run("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                         " AND state LIKE 'idle in transaction%'"),
            "0");
}

/// No file of this process grows beyond a size while this lives; writes that would fail with EFBIG.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &old_limit_);
    rlimit limit = old_limit_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old_limit_);
    std::signal(SIGXFSZ, old_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*old_handler_)(int);
  rlimit old_limit_{};
};

class SqliteFaults : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = std::filesystem::temp_directory_path() / "payg-faults-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string file() const { return folder_ + "/payg.db"; }

  std::string folder_;
};

TEST_F(SqliteFaults, AFileThatCannotBeOpenedIsUnavailableAndNamed) {
  std::ofstream(folder_ + "/file") << "not a folder";
  const auto refused = ledger_at("sqlite:" + folder_ + "/file/payg.db")->migrate();
  EXPECT_EQ(refusal_of(refused), "unavailable");
  EXPECT_NE(refused.error().message.find("file/payg.db"), std::string::npos);
}

TEST_F(SqliteFaults, OnlyAMigrationMakesAFileAndItsFolder) {
  const auto ledger = ledger_at("sqlite:" + folder_ + "/new/payg.db");
  const auto refused = ledger->create_user("alice", "", token_of("t"), new_year);
  EXPECT_EQ(refusal_of(refused), "unavailable");
  EXPECT_NE(refused.error().message.find("no such file"), std::string::npos) << refused.error().message;
  EXPECT_EQ(value_of(ledger->schema()), 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/new"));
  value_of(ledger->migrate());
  EXPECT_GT(value_of(ledger->schema()), 0);
}

TEST_F(SqliteFaults, AnEmptyFileIsNoLedgerYet) {
  std::ofstream(file()) << "";
  EXPECT_EQ(value_of(ledger_at("sqlite:" + file())->schema()), 0);
}

TEST_F(SqliteFaults, AFileThatIsNoDatabaseIsBroken) {
  std::ofstream(file()) << std::string(8192, 'x');
  EXPECT_EQ(refusal_of(ledger_at("sqlite:" + file())->migrate()), "broken");
}

TEST_F(SqliteFaults, AFileThatAppearsLaterIsOpenedByTheNextCall) {
  std::ofstream(folder_ + "/later") << "in the way";
  const auto ledger = ledger_at("sqlite:" + folder_ + "/later/payg.db");
  EXPECT_EQ(refusal_of(ledger->migrate()), "unavailable");
  std::filesystem::remove(folder_ + "/later");
  EXPECT_GT(value_of(ledger->migrate()), 0);
}

TEST_F(SqliteFaults, AFullDiskIsUnavailableAndNothingOfTheCallIsDone) {
  const auto ledger = ledger_at("sqlite:" + file());
  value_of(ledger->migrate());
  const User alice = value_of(ledger->create_user("alice", "", token_of("t"), new_year));
  // A limit of the size of files is the nearest thing to a full disk that needs no file system of its own.
  const std::string note(4096, 'n');
  std::string refused = "ok";
  {
    const FileSizeLimit limit(256 * 1024);
    for (int i = 0; i < 1000 && refused == "ok"; ++i) {
      refused = refusal_of(ledger->adjust(alice.id, credits(1), "r" + std::to_string(i), note, new_year));
    }
  }
  EXPECT_EQ(refused, "unavailable");
  value_of(ledger->adjust(alice.id, credits(1), "after", "", new_year));
  EXPECT_TRUE(value_of(ledger->audit()).findings.empty());
}

TEST_F(SqliteFaults, TheJournalAndTheSyncAreWhatKeepsACommitThroughAPowerCut) {
  value_of(ledger_at("sqlite:" + file())->migrate());
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &handle), SQLITE_OK);
  std::string mode;
  sqlite3_exec(
      handle, "PRAGMA journal_mode",
      [](void* found, int, char** fields, char**) {
        *static_cast<std::string*>(found) = fields[0];
        return 0;
      },
      &mode, nullptr);
  sqlite3_close(handle);
  EXPECT_EQ(mode, "wal");
}

TEST(FailingLedgers, FailBeforeOrAfterWhatTheyDoAsTheyAreTold) {
  const auto books = make_books(Engine::sqlite);
  const auto faults = std::make_shared<LedgerFaults>();
  const auto ledger = failing(*open_ledger(books->url()), faults)();
  value_of(ledger->migrate());
  const User alice = value_of(ledger->create_user("alice", "", token_of("t"), new_year));

  faults->set_next(1, LedgerFault::refused);
  EXPECT_EQ(refusal_of(ledger->adjust(alice.id, credits(1), "a", "", new_year)), "unavailable");
  EXPECT_EQ(value_of(ledger->balance(alice.id)), Credits());
  faults->set_next(1, LedgerFault::answer_lost);
  EXPECT_EQ(refusal_of(ledger->adjust(alice.id, credits(1), "a", "", new_year)), "unavailable");
  EXPECT_EQ(value_of(ledger->balance(alice.id)), credits(1));
  EXPECT_EQ(value_of(ledger->adjust(alice.id, credits(1), "a", "", new_year)).amount, credits(1));
  faults->set(LedgerFault::refused);
  EXPECT_EQ(refusal_of(ledger->schema()), "unavailable");
  EXPECT_EQ(refusal_of(ledger->schema()), "unavailable");
  faults->set(LedgerFault::none);
  EXPECT_EQ(refusal_of(ledger->schema()), "ok");
  EXPECT_EQ(faults->calls(), 10);
}

}  // namespace
}  // namespace payg::test
