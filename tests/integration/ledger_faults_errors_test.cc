// PostgreSQL refuses: deadlocks, serialization failures, limits. All of it shows to nobody but as delay.

#include <future>
#include <iostream>
#include <nlohmann/json.hpp>

#include "tests/integration/ledger_load.h"
#include "tests/support/postgres_url.h"

namespace payg::test {
namespace {

class LedgerErrors : public testing::Test {
 protected:
  std::string id_of(const Account& account) const {
    return database_.run("SELECT user_id FROM users WHERE name = '" + account.name + "'");
  }
  bool charges(const MeteredProxy& metered, double more) const {
    const double enough = metric(metered, "payg_charges_total") + more;
    return eventually([&] { return metric(metered, "payg_charges_total") >= enough; });
  }
  int deadlocks() const {
    return std::stoi(
        database_.run("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"));
  }
  /// Locks by `first`, waits until somebody is held up by that, then asks for the user's balance: who is held
  /// up has that locked already, as everybody locks it first. He is the one who finds the deadlock.
  void lock_in_the_opposite_order(const std::string& first, const std::string& user_id) const {
    database_.run("BEGIN; SET LOCAL deadlock_timeout = '5min'; DO $$ BEGIN " + first +
                  "; WHILE NOT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT"
                  " l.granted AND a.datname = current_database()) LOOP PERFORM pg_sleep(0.002); END LOOP;"
                  " PERFORM FROM user_credits WHERE user_id = " +
                  user_id + " FOR UPDATE; END $$; COMMIT");
  }
  BillingSettings billing(const std::string& url) const {
    return BillingSettings{.ledger = url, .increment = "100ms"};
  }

  const PostgresServer server_;
  const PostgresDatabase database_{server_.url()};
  const Origin web_{scripts::answer_ok()};
};

TEST_F(LedgerErrors, DeadlocksLoseNothing) {
  const MeteredProxy metered(billing(database_.url()));
  const auto accounts = many_users(metered, "user", 4, "10");
  const Account rich = metered.user("rich", "10");
  PingPong traffic(metered, accounts);
  Shopper shopper(metered, metered.user("buyer", ""));
  ASSERT_TRUE(charges(metered, 8));

  // A charge has its user's balance locked when it comes to his session.
  for (const Account& account : {accounts[0], accounts[1]}) {
    const std::string id = id_of(account);
    lock_in_the_opposite_order("PERFORM FROM metered_sessions WHERE user_id = " + id + " FOR UPDATE", id);
  }
  // An adjustment likewise when it comes to the history.
  shopper.stop_and_check();
  const std::string id = id_of(rich);
  auto other = std::async(std::launch::async, [&] {
    lock_in_the_opposite_order("LOCK TABLE credit_transactions IN EXCLUSIVE MODE", id);
  });
  EXPECT_TRUE(eventually([&] {
    return database_.run(
               "SELECT count(*) FROM pg_locks WHERE mode = 'ExclusiveLock' AND granted"
               " AND relation = 'credit_transactions'::regclass") == "1";
  }));
  const auto adjusted =
      metered.operator_client().post("/api/admin/users/rich/credits", R"({"credits":"5","reason":"a gift"})");
  EXPECT_EQ(adjusted.status(), 201) << adjusted.response.body.content;
  other.get();
  EXPECT_EQ(metered.balance_units(rich), 15'000 * units_per_second);

  EXPECT_TRUE(eventually([&] { return deadlocks() >= 3; }));
  std::cout << deadlocks() << " deadlocks" << std::endl;
  ASSERT_TRUE(charges(metered, 8));
  EXPECT_EQ(traffic.broken(), 0);
  traffic.stop();
  expect_everything_settled(metered, accounts);
}

TEST_F(LedgerErrors, AnIsolationThatSomebodySetForTheDatabaseChangesNothing) {
  const std::string name = database_.run("SELECT current_database()");
  database_.run("ALTER DATABASE " + name + " SET default_transaction_isolation = 'serializable'");
  const MeteredProxy metered(billing(database_.url()));
  const auto accounts = many_users(metered, "user", 6, "10");
  PingPong traffic(metered, accounts);
  Shopper shopper(metered, metered.user("buyer", ""));
  int failed = 0;
  {
    Loop others([&] {
      try {
        database_.run(
            "BEGIN; UPDATE user_credits SET updated_at = updated_at + 1; SELECT pg_sleep(0.01); COMMIT");
      } catch (const std::runtime_error&) {
        ++failed;
      }
    });
    shopper.wait_for(20);
    ASSERT_TRUE(charges(metered, 60));
  }
  std::cout << failed << " serialization failures, all of them of others; " << shopper.refused()
            << " purchases refused" << std::endl;
  EXPECT_EQ(shopper.refused(), 0);
  shopper.stop_and_check();
  EXPECT_EQ(traffic.broken(), 0);
  traffic.stop();
  expect_everything_settled(metered, accounts);
}

/// Answers of the database that the test has made up, one SQLSTATE after the other.
class LedgerRefusals : public LedgerErrors {
 protected:
  LedgerRefusals() {
    database_.run(
        "CREATE TABLE fault AS SELECT 0::bigint AS user_id, '00000' AS code;"
        " CREATE SEQUENCE faults_left INCREMENT -1 MINVALUE -1000000000 MAXVALUE 1000 START -1;"
        " CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE f fault; BEGIN"
        "  SELECT * INTO f FROM fault;"
        "  IF f.user_id = NEW.user_id AND nextval('faults_left') > 0 THEN"
        "   RAISE EXCEPTION 'made by the test' USING ERRCODE = f.code; END IF;"
        "  RETURN NEW; END $$;"
        " CREATE TRIGGER fault BEFORE UPDATE ON user_credits FOR EACH ROW EXECUTE FUNCTION fail()");
  }
  /// The next `times` writes of that balance fail; a sequence remembers what was rolled back.
  void fail_next(const std::string& user_id, const std::string& code, int times) const {
    database_.run("UPDATE fault SET user_id = " + user_id + ", code = '" + code +
                  "'; SELECT setval('faults_left', " + std::to_string(times + 1) + ")");
  }
  bool all_have_failed() const {
    return eventually([&] { return std::stoi(database_.run("SELECT last_value FROM faults_left")) <= 0; });
  }

  const MeteredProxy metered_{billing(database_.url())};
};

// https://www.postgresql.org/docs/15/errcodes-appendix.html
constexpr std::array unavailable_codes = {"40P01", "40001", "55P03", "57014",
                                          "53100", "53200", "53300", "58030"};

TEST_F(LedgerRefusals, OfChargesAreAskedAgainUntilTheyAreGranted) {
  const auto accounts = many_users(metered_, "user", 3, "10");
  PingPong traffic(metered_, accounts);
  const std::string id = id_of(accounts[0]);
  for (const std::string code : unavailable_codes) {
    // More often than the ledger asks again by itself, which it does for collisions.
    fail_next(id, code, code.starts_with("40") ? 6 : 2);
    EXPECT_TRUE(all_have_failed()) << code;
    EXPECT_TRUE(charges(metered_, 3)) << code;
  }
  EXPECT_EQ(traffic.broken(), 0);
  traffic.stop();
  expect_everything_settled(metered_, accounts);
}

TEST_F(LedgerRefusals, OfAnAdjustmentAreHiddenOrAre503AndItIsDoneOnce) {
  const Account alice = metered_.user("alice", "");
  const std::string id = id_of(alice);
  int done = 0;
  for (const std::string code : unavailable_codes) {
    const AdminClient::Fields key{{"Idempotency-Key", "gift-" + code}};
    const auto give = [&] {
      return metered_.operator_client().post("/api/admin/users/alice/credits",
                                             R"({"credits":"1","reason":"a gift"})", key);
    };
    const bool is_collision = code.starts_with("40");
    fail_next(id, code, is_collision ? 4 : 1);
    const auto first = give();
    EXPECT_EQ(first.status(), is_collision ? 201 : 503) << code << first.response.body.content;
    if (!is_collision) {
      EXPECT_EQ(first.json().at("code"), "ledger_unavailable") << code;
      EXPECT_EQ(give().status(), 201) << code;
    }
    ++done;
    EXPECT_EQ(metered_.balance_units(alice), done * 1'000 * units_per_second) << code;
  }
}

TEST_F(LedgerErrors, TooManyConnectionsAreAnOutageAndNoMore) {
  database_.run("CREATE ROLE app LOGIN");
  const std::string name = database_.run("SELECT current_database()");
  database_.run("ALTER DATABASE " + name + " OWNER TO app");
  PostgresUrl url = PostgresUrl::parse(database_.url());
  url.user = "app";
  const MeteredProxy metered(billing(url.to_string()));
  const auto accounts = many_users(metered, "user", 4, "10");
  const Account guest = metered.user("guest", "10");
  PingPong traffic(metered, accounts);
  ASSERT_TRUE(charges(metered, 8));

  database_.run("ALTER DATABASE " + name + " CONNECTION LIMIT 0");
  database_.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
  EXPECT_TRUE(eventually([&] { return metered.fetch_status(guest, web_) == 503; }));
  traffic.wait_for(100);
  EXPECT_GT(metric(metered, "payg_charges_owed"), 0);
  database_.run("ALTER DATABASE " + name + " CONNECTION LIMIT -1");
  EXPECT_TRUE(eventually([&] { return metered.fetch_status(guest, web_) == 200; }));
  ASSERT_TRUE(charges(metered, 8));
  EXPECT_EQ(traffic.broken(), 0);
  traffic.stop();
  auto all = accounts;
  all.push_back(guest);
  expect_everything_settled(metered, all);
}

}  // namespace
}  // namespace payg::test
