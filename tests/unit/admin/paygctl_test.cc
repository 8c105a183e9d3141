#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "billing/ledger/ledger.h"
#include "billing/payments/secrets.h"
#include "tests/support/one_minute.h"
#include "tests/unit/admin/damage.h"

namespace payg::billing {
namespace {

struct Outcome {
  int code = -1;
  std::string out, err;
  nlohmann::json json() const { return nlohmann::json::parse(out); }
};

class Paygctl : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "paygctl-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder = name;
    url = "sqlite:" + (folder / "payg.db").string();
    out = (folder / "out").string();
    ledger = open_ledger(url).value()();
    ASSERT_TRUE(ledger->migrate().ok());
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  /// Runs paygctl as it is, with nothing but PATH and what `environment` says around it.
  Outcome run_bare(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    arguments.insert(arguments.begin(), PAYGCTL);
    const std::string err = (folder / "err").string();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t child = 0;
    const int failed = posix_spawn(&child, PAYGCTL, &actions, nullptr, pointers_to(arguments).data(),
                                   pointers_to(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    EXPECT_EQ(failed, 0);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    return {.code = WEXITSTATUS(status), .out = out == "/dev/full" ? "" : read(out), .err = read(err)};
  }
  Outcome run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--ledger", url});
    return run_bare(std::move(arguments));
  }

  static std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
  }
  static std::string read(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  User add_user(const std::string& name) {
    return ledger->create_user(name, "", hash_token(name), WallTime(std::chrono::hours(1))).value();
  }
  void start_session(const User& user, std::uint64_t id) {
    ASSERT_TRUE(
        ledger
            ->adjust(user.id, Credits::parse("10").value(), "start", "start", WallTime(std::chrono::hours(1)))
            .ok());
    const ChargeRequest charge = test::one_minute(user.id, {id}, 1, WallTime(std::chrono::hours(1)));
    const NodeRef node{"node-1", ledger->start_node("node-1", std::chrono::hours(1), charge.from)->life};
    ASSERT_EQ(ledger->charge(node, {&charge, 1})->at(0).outcome, ChargeResult::Outcome::granted);
  }

  std::filesystem::path folder;
  std::string url, out;
  std::unique_ptr<Ledger> ledger;
};

TEST_F(Paygctl, AddsAUserAndShowsTheTokenOnce) {
  const Outcome added = run({"user", "add", "alice", "--email", "a@example.com"});
  EXPECT_EQ(added.code, 0) << added.err;
  const auto at = added.out.find("payg-");
  ASSERT_NE(at, std::string::npos) << added.out;
  const User alice = ledger->find_user("alice").value();
  EXPECT_EQ(alice.token, hash_token(added.out.substr(at, 37)));
  EXPECT_EQ(alice.email, "a@example.com");
  EXPECT_EQ(run({"user", "list"}).out.find("payg-"), std::string::npos);
}

TEST_F(Paygctl, ListsAddressesForUsersAndTakesThemBack) {
  const User alice = add_user("alice");
  add_user("bob");
  EXPECT_EQ(run({"address", "add", "alice", "203.0.113.7"}).out, "203.0.113.7/32 is listed for alice\n");
  EXPECT_EQ(run({"--json", "address", "add", "bob", "10.0.0.0/8"}).json().at("network"), "10.0.0.0/8");
  EXPECT_EQ(ledger->networks(alice.id)->at(0).networks.size(), 1U);
  EXPECT_EQ(run({"--json", "address", "list"}).json().size(), 2U);
  const auto of_alice = run({"--json", "address", "list", "alice"}).json();
  ASSERT_EQ(of_alice.size(), 1U);
  EXPECT_EQ(of_alice[0].at("user"), "alice");
  EXPECT_EQ(of_alice[0].at("network"), "203.0.113.7/32");
  EXPECT_NE(run({"address", "list"}).out.find("bob    10.0.0.0/8"), std::string::npos);

  const Outcome taken = run({"address", "add", "bob", "203.0.113.7"});
  EXPECT_EQ(taken.code, 1);
  EXPECT_EQ(taken.err,
            "paygctl: 203.0.113.7: already_exists: "
            "another user has a network that overlaps with this one\n");
  EXPECT_EQ(run({"address", "add", "bob", "0.0.0.0/0"}).code, 2);
  EXPECT_EQ(run({"address", "add", "carol", "203.0.113.8"}).code, 1);
  EXPECT_EQ(run({"address", "remove", "bob", "203.0.113.7"}).code, 1) << "it is not his";
  EXPECT_EQ(run({"address", "remove", "alice", "203.0.113.7"}).code, 0);
  EXPECT_TRUE(ledger->networks(alice.id)->at(0).networks.empty());
}

TEST_F(Paygctl, AddsAUserToALedgerThatIsNotThereYet) {
  url = "sqlite:" + (folder / "fresh.db").string();
  const Outcome added = run({"--json", "user", "add", "alice"});
  EXPECT_EQ(added.code, 0) << added.err;
  EXPECT_EQ(added.json().at("name"), "alice");
  EXPECT_EQ(added.json().at("token").get<std::string>().size(), 37U);
}

TEST_F(Paygctl, RefusesANameThatIsTakenOrNone) {
  add_user("alice");
  EXPECT_EQ(run({"user", "add", "alice"}).code, 1);
  for (const char* name : {"Alice", "a-b", "", "a b"}) EXPECT_EQ(run({"user", "add", name}).code, 2) << name;
  EXPECT_EQ(run({"user", "add", "bob", "--email", "nowhere"}).code, 2);
  EXPECT_EQ(ledger->list_users().value().size(), 1U);
}

TEST_F(Paygctl, ListsUsersInAlignedColumns) {
  add_user("al");
  start_session(add_user("somebody_else"), 7);
  const Outcome listed = run({"user", "list"});
  EXPECT_EQ(listed.code, 0);
  EXPECT_EQ(listed.out,
            "NAME           STATE   BALANCE  SESSIONS  CREATED                   E-MAIL\n"
            "al             active     0.00         0  1970-01-01T01:00:00.000Z\n"
            "somebody_else  active     9.98         1  1970-01-01T01:00:00.000Z\n");
  const auto json = run({"user", "list", "--json"}).json();
  ASSERT_EQ(json.size(), 2U);
  EXPECT_EQ(json[1].at("name"), "somebody_else");
  EXPECT_EQ(json[1].at("balance"), 9.98);
  EXPECT_EQ(json[1].at("balance_units"), 35'952'000);
  EXPECT_EQ(json[1].at("sessions"), 1);
}

TEST_F(Paygctl, DisablesAndEnables) {
  add_user("alice");
  EXPECT_EQ(run({"user", "disable", "alice"}).code, 0);
  EXPECT_EQ(ledger->find_user("alice").value().state, UserState::disabled);
  EXPECT_EQ(run({"user", "enable", "alice", "--json"}).json().at("state"), "active");
  EXPECT_EQ(ledger->find_user("alice").value().state, UserState::active);
}

TEST_F(Paygctl, ReplacesAToken) {
  add_user("alice");
  const Outcome replaced = run({"user", "token", "alice", "--json"});
  EXPECT_EQ(replaced.code, 0);
  EXPECT_EQ(ledger->find_user("alice").value().token,
            hash_token(replaced.json().at("token").get<std::string>()));
}

TEST_F(Paygctl, GivesAndTakesCredits) {
  add_user("alice");
  EXPECT_EQ(run({"credit", "add", "alice", "10", "--reason", "welcome"}).code, 0);
  const Outcome taken = run({"credit", "add", "alice", "-2.50", "--reason", "correction", "--json"});
  EXPECT_EQ(taken.code, 0) << taken.err;
  EXPECT_EQ(taken.json().at("credits"), -2.5);
  EXPECT_EQ(taken.json().at("balance"), 7.5);
  EXPECT_EQ(run({"balance", "alice"}).out, "7.50\n");
  EXPECT_EQ(run({"balance", "alice", "--json"}).json().at("balance_units"), 27'000'000);
}

TEST_F(Paygctl, GivesOnceForOneReference) {
  add_user("alice");
  const std::vector<std::string> once{"credit", "add", "alice", "10", "--reason", "x", "--reference", "r-1"};
  EXPECT_EQ(run(once).code, 0);
  EXPECT_EQ(run(once).code, 0);
  EXPECT_EQ(run({"credit", "add", "alice", "11", "--reason", "x", "--reference", "r-1"}).code, 1);
  EXPECT_EQ(run({"balance", "alice"}).out, "10.00\n");
}

TEST_F(Paygctl, RefusesAmountsThatAreNoneOrNotCovered) {
  add_user("alice");
  for (const char* amount : {"0", "ten", "1e3", "", "0.00000001"})
    EXPECT_EQ(run({"credit", "add", "alice", amount, "--reason", "x"}).code, 2) << amount;
  EXPECT_EQ(run({"credit", "add", "alice", "10"}).code, 2);
  EXPECT_EQ(run({"credit", "add", "alice", "10", "--reason", " "}).code, 2);
  EXPECT_EQ(run({"credit", "add", "alice", "-1", "--reason", "x"}).code, 1);
  EXPECT_EQ(run({"balance", "alice"}).out, "0.00\n");
}

TEST_F(Paygctl, ListsAndEndsSessions) {
  start_session(add_user("alice"), 0xabc);
  start_session(add_user("bob"), 0xdef);
  EXPECT_NE(run({"sessions"}).out.find("0000000000000abc  alice  blue   node-1  direct"), std::string::npos)
      << run({"sessions"}).out;
  EXPECT_EQ(run({"sessions", "--json"}).json().size(), 2U);
  const auto bobs = run({"sessions", "--user", "bob", "--json"}).json();
  ASSERT_EQ(bobs.size(), 1U);
  EXPECT_EQ(bobs[0].at("id"), "0000000000000def");
  EXPECT_EQ(run({"sessions", "--user", "bob", "--end", "0000000000000abc"}).code, 1);
  EXPECT_EQ(run({"sessions", "--end", "0000000000000abc"}).code, 0);
  EXPECT_EQ(run({"sessions", "--end", "0000000000000abc"}).code, 1);
  EXPECT_EQ(run({"sessions", "--end", "nothing"}).code, 1);
  EXPECT_EQ(run({"sessions", "--json"}).json().size(), 1U);
}

TEST_F(Paygctl, ProvesTheBooks) {
  start_session(add_user("alice"), 7);
  const Outcome audit = run({"audit"});
  EXPECT_EQ(audit.code, 0);
  EXPECT_EQ(audit.out, "read 1 users, 1 transactions, 1 sessions, 0 orders\nthe books are right\n");
  EXPECT_EQ(run({"audit", "--json"}).json().at("clean"), true);
}

TEST_F(Paygctl, TellsByItsExitCodeThatTheAuditFoundSomething) {
  start_session(add_user("alice"), 7);
  test::damage(folder / "payg.db", "UPDATE user_credits SET balance = balance + 1");
  const Outcome audit = run({"audit"});
  EXPECT_EQ(audit.code, 4);
  EXPECT_NE(audit.out.find("INVARIANT  SUBJECT"), std::string::npos) << audit.out;
  EXPECT_NE(audit.out.find("I1 "), std::string::npos) << audit.out;
  EXPECT_NE(audit.out.find("\n1 findings\n"), std::string::npos) << audit.out;
  const Outcome json = run({"audit", "--json"});
  EXPECT_EQ(json.code, 4);
  EXPECT_EQ(json.json().at("findings").size(), 1U);
}

TEST_F(Paygctl, Migrates) {
  url = "sqlite:" + (folder / "fresh.db").string();
  const Outcome missing = run({"user", "list"});
  EXPECT_EQ(missing.code, 3);
  EXPECT_NE(missing.err.find("fresh.db: there is no such file"), std::string::npos) << missing.err;
  const Outcome migrated = run({"migrate", "--json"});
  EXPECT_EQ(migrated.code, 0);
  EXPECT_GE(migrated.json().at("schema"), 1);
  EXPECT_EQ(run({"user", "list"}).code, 0);
}

TEST_F(Paygctl, MakesNoLedgerByMistake) {
  url = "sqlite:" + (folder / "tpyo" / "payg.db").string();
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"balance", "alice"}, {"user", "list"}, {"user", "disable", "alice"}, {"sessions"}, {"audit"}})
    EXPECT_EQ(run(command).code, 3) << command[0];
  EXPECT_FALSE(std::filesystem::exists(folder / "tpyo"));
}

TEST_F(Paygctl, SaysThatItMadeALedgerForTheFirstUser) {
  EXPECT_EQ(run({"user", "add", "alice"}).err, "");
  url = "sqlite:" + (folder / "new" / "payg.db").string();
  const Outcome added = run({"user", "add", "alice"});
  EXPECT_EQ(added.code, 0);
  EXPECT_EQ(added.err, "paygctl: there was no ledger here: a new one was made\n");
  EXPECT_EQ(run({"user", "add", "bob"}).err, "");
}

TEST_F(Paygctl, TellsByItsExitCodeThatItsOutputWasLost) {
  out = "/dev/full";
  const Outcome lost = run({"user", "add", "alice"});
  EXPECT_EQ(lost.code, 5);
  EXPECT_NE(lost.err.find("paygctl user token NAME"), std::string::npos) << lost.err;
  EXPECT_TRUE(ledger->find_user("alice").ok());
  EXPECT_EQ(run({"user", "add", "alice"}).code, 1) << "what was refused was not done";
  EXPECT_EQ(run({"user", "list", "--json"}).code, 5);
}

TEST_F(Paygctl, SaysThatAUserDoesNotExist) {
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"user", "disable", "nobody"},
                                             {"user", "enable", "nobody"},
                                             {"user", "token", "nobody"},
                                             {"credit", "add", "nobody", "1", "--reason", "x"},
                                             {"balance", "nobody"},
                                             {"sessions", "--user", "nobody"}}) {
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.code, 1) << command[0];
    EXPECT_EQ(outcome.out, "") << command[0];
    EXPECT_NE(outcome.err.find("nobody"), std::string::npos) << outcome.err;
  }
}

TEST_F(Paygctl, SaysThatTheLedgerCannotBeReached) {
  url = "sqlite:/proc/no/such/folder/payg.db";
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"user", "add", "alice"}, {"user", "list"}, {"balance", "alice"}, {"audit"}, {"migrate"}})
    EXPECT_EQ(run(command).code, 3) << command[0];
}

TEST_F(Paygctl, RefusesACommandLineThatIsNone) {
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{},
                                             {"user"},
                                             {"user", "add"},
                                             {"nonsense"},
                                             {"credit", "add"},
                                             {"balance"},
                                             {"audit", "extra"},
                                             {"--no-such-option", "audit"}})
    EXPECT_EQ(run(command).code, 2);
  EXPECT_EQ(run_bare({"audit"}).code, 2);
  EXPECT_EQ(run_bare({"--ledger", "mysql://x", "audit"}).code, 2);
}

TEST_F(Paygctl, FindsTheLedgerInTheEnvironmentOrInTheConfiguration) {
  EXPECT_EQ(run_bare({"audit"}, {"PAYG_LEDGER=" + url}).code, 0);
  const std::string file = (folder / "payg.toml").string();
  std::ofstream(file) << "[[listener]]\naddress = \"127.0.0.1:0\"\n[billing]\nledger = \"" << url
                      << "\"\n[billing.pricing]\nrate_per_hour = \"0.80\"\nincrement = \"1m\"\n"
                      << "packages = [ { price = \"10\", credits = \"10\" } ]\n";
  const Outcome audit = run_bare({"--config", file, "audit"});
  EXPECT_EQ(audit.code, 0) << audit.err;
  EXPECT_EQ(run_bare({"--config", file, "--ledger", url, "audit"}).code, 2);
  EXPECT_EQ(run_bare({"--config", (folder / "missing.toml").string(), "audit"}).code, 2);
  std::ofstream(file) << "[billing]\nledger = 5\n";
  EXPECT_EQ(run_bare({"--config", file, "audit"}).code, 2);
}

TEST_F(Paygctl, ExplainsItselfWithItsExitCodes) {
  const Outcome help = run_bare({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* part :
       {"user", "credit", "balance", "sessions", "audit", "migrate", "Exit codes:", "PAYG_LEDGER"})
    EXPECT_NE(help.out.find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace payg::billing
