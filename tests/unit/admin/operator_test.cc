#include "billing/payments/secrets.h"
#include "tests/unit/admin/admin_port.h"
#include "tests/unit/admin/damage.h"

namespace payg::test {
namespace {

class Operator : public AdminPort {
 protected:
  Answer patch(const std::string& name, const std::string& body) {
    return ask({.method = "PATCH",
                .path = "/api/admin/users/" + name,
                .headers = {bearer(operator_token)},
                .body = body});
  }
  Answer adjust(const std::string& name, const std::string& body, std::vector<std::string> headers = {}) {
    headers.push_back(bearer(operator_token));
    return ask({.method = "POST",
                .path = "/api/admin/users/" + name + "/credits",
                .headers = headers,
                .body = body});
  }
};

TEST_F(Operator, CreatesAUserWhoseTokenWorksAndIsStoredOnlyAsAHash) {
  const Answer answer =
      post("/api/admin/users", operator_token, R"({"name":"carol","email":"c@example.com"})");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.json().at("name"), "carol");
  const std::string token = answer.json().at("token");
  EXPECT_EQ(token.size(), 5U + 32U);
  EXPECT_EQ(get("/api/credits/balance", token).status, 200);
  EXPECT_EQ(ledger->find_user("carol").value().token, billing::hash_token(token));
  EXPECT_EQ(ledger->find_user("carol").value().email, "c@example.com");
}

TEST_F(Operator, CannotCreateAUserTwice) {
  add_user("carol");
  const Answer answer = post("/api/admin/users", operator_token, R"({"name":"carol"})");
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.code(), "user_exists");
}

TEST_F(Operator, CannotCreateAUserWhoseNameOrEmailIsNone) {
  for (const char* body :
       {R"({"name":""})", R"({"name":"Carol"})", R"({"name":"a-b"})", R"({"name":"a b"})", R"({"name":7})",
        R"({})", R"({"name":"carol","email":"nowhere"})", R"({"name":"carol","email":"a b@example.com"})",
        R"({"name":"carol","email":["a@b"]})"}) {
    const Answer answer = post("/api/admin/users", operator_token, body);
    EXPECT_EQ(answer.status, 422) << body;
    EXPECT_EQ(answer.code(), "invalid_value") << body;
  }
  const std::string long_name(65, 'a');
  EXPECT_EQ(post("/api/admin/users", operator_token, R"({"name":")" + long_name + R"("})").status, 422);
  EXPECT_TRUE(ledger->list_users().value().empty());
}

TEST_F(Operator, SeesEveryUserWithBalanceAndSessions) {
  const auto alice = add_user("alice");
  add_user("bob");
  give(alice, "10");
  start_session(alice, 7, "");
  const auto users = get("/api/admin/users", operator_token).json().at("users");
  ASSERT_EQ(users.size(), 2U);
  EXPECT_EQ(users[0].at("name"), "alice");
  EXPECT_EQ(users[0].at("state"), "active");
  EXPECT_EQ(users[0].at("balance"), 9.98);
  EXPECT_EQ(users[0].at("balance_units"), 35'952'000);
  EXPECT_EQ(users[0].at("sessions"), 1);
  EXPECT_EQ(get("/api/admin/users/alice", operator_token).json(), users[0]);
  EXPECT_EQ(get("/api/admin/users/nobody", operator_token).status, 404);
}

TEST_F(Operator, DisablesAndEnablesAUser) {
  add_user("alice");
  const Answer disabled = patch("alice", R"({"state":"disabled"})");
  EXPECT_EQ(disabled.status, 200);
  EXPECT_EQ(disabled.json().at("state"), "disabled");
  EXPECT_EQ(get("/api/credits/balance", "alice-token").code(), "user_disabled");
  ASSERT_EQ(metering.changed_users().size(), 1U);
  EXPECT_EQ(metering.changed_users()[0].state, billing::UserState::disabled);
  EXPECT_EQ(patch("alice", R"({"state":"active"})").json().at("state"), "active");
  EXPECT_EQ(get("/api/credits/balance", "alice-token").status, 200);
}

TEST_F(Operator, CannotPutAUserIntoAnUnknownState) {
  add_user("alice");
  for (const char* body : {R"({"state":"gone"})", R"({})", R"({"state":true})"})
    EXPECT_EQ(patch("alice", body).code(), "invalid_value") << body;
  EXPECT_EQ(patch("nobody", R"({"state":"active"})").status, 404);
}

TEST_F(Operator, GivesANewTokenThatVoidsTheOldOne) {
  add_user("alice");
  const Answer answer = post("/api/admin/users/alice/token", operator_token, "");
  EXPECT_EQ(answer.status, 201);
  const std::string token = answer.json().at("token");
  EXPECT_EQ(get("/api/credits/balance", "alice-token").status, 401);
  EXPECT_EQ(get("/api/credits/balance", token).status, 200);
  ASSERT_EQ(metering.changed_users().size(), 1U);
  EXPECT_EQ(metering.changed_users()[0].token, billing::hash_token(token));
  EXPECT_EQ(post("/api/admin/users/nobody/token", operator_token, "").status, 404);
}

TEST_F(Operator, GivesAndTakesCreditsWithAReason) {
  const auto alice = add_user("alice");
  const Answer given = adjust("alice", R"({"credits":"10","reason":"welcome"})");
  EXPECT_EQ(given.status, 201);
  EXPECT_EQ(given.json().at("credits"), 10);
  EXPECT_EQ(given.json().at("reason"), "welcome");
  EXPECT_EQ(given.json().at("balance_units"), 36'000'000);
  EXPECT_EQ(adjust("alice", R"({"credits":-2.5,"reason":"correction"})").status, 201);
  EXPECT_EQ(balance_of(alice), "7.50");
  EXPECT_EQ(metering.changed_users().size(), 2U);
}

TEST_F(Operator, CannotTakeMoreThanThereIs) {
  const auto alice = add_user("alice");
  give(alice, "1");
  const Answer answer = adjust("alice", R"({"credits":"-1.01","reason":"fine"})");
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.code(), "insufficient_credits");
  EXPECT_EQ(balance_of(alice), "1.00");
}

TEST_F(Operator, CannotAdjustByNothingOrWithoutAReason) {
  const auto alice = add_user("alice");
  for (const char* body : {R"({"credits":"0","reason":"x"})", R"({"credits":"ten","reason":"x"})",
                           R"({"reason":"x"})", R"({"credits":"10"})", R"({"credits":"10","reason":""})",
                           R"({"credits":"10","reason":"  "})", R"({"credits":"10","reason":"two\nlines"})",
                           R"({"credits":"10","reason":5})", R"({"credits":"0.00000001","reason":"x"})"}) {
    EXPECT_EQ(adjust("alice", body).code(), "invalid_value") << body;
  }
  EXPECT_EQ(adjust("nobody", R"({"credits":"10","reason":"x"})").status, 404);
  EXPECT_EQ(rows_of(alice), 0U);
}

TEST_F(Operator, AdjustsOnceForOneIdempotencyKey) {
  const auto alice = add_user("alice");
  const std::vector<std::string> key{"Idempotency-Key: the same _ key"};
  const std::vector<std::string> good_key{"Idempotency-Key: the-same_key"};
  EXPECT_EQ(adjust("alice", R"({"credits":"10","reason":"x"})", key).code(), "malformed_request");
  const Answer first = adjust("alice", R"({"credits":"10","reason":"x"})", good_key);
  const Answer again = adjust("alice", R"({"credits":"10","reason":"x"})", good_key);
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(first.json(), again.json());
  const Answer other = adjust("alice", R"({"credits":"11","reason":"x"})", good_key);
  EXPECT_EQ(other.status, 422);
  EXPECT_EQ(other.code(), "idempotency_key_reused");
  EXPECT_EQ(balance_of(alice), "10.00");
}

TEST_F(Operator, ProvesTheBooks) {
  const auto alice = add_user("alice");
  give(alice, "10");
  start_session(alice, 7, "");
  const auto report = get("/api/admin/audit", operator_token).json();
  EXPECT_EQ(report.at("clean"), true);
  EXPECT_EQ(report.at("users"), 1);
  EXPECT_EQ(report.at("transactions"), 1);
  EXPECT_EQ(report.at("sessions"), 1);
  EXPECT_TRUE(report.at("findings").empty());
}

TEST_F(Operator, SeesWhatIsWrongWithTheBooks) {
  const auto alice = add_user("alice");
  give(alice, "10");
  damage(folder.path() / "payg.db", "UPDATE user_credits SET balance = balance + 1");
  const Answer answer = get("/api/admin/audit", operator_token);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.json().at("clean"), false);
  EXPECT_EQ(answer.json().at("found"), 1);
  ASSERT_EQ(answer.json().at("findings").size(), 1U);
  EXPECT_EQ(answer.json().at("findings")[0].at("invariant"), "I1");
}

TEST_F(Operator, LeavesNoTokenInTheLog) {
  const std::string token =
      post("/api/admin/users", operator_token, R"({"name":"carol"})").json().at("token");
  bool told = false;
  for (const std::string& line : host.lines()) {
    EXPECT_EQ(line.find(token), std::string::npos) << line;
    told = told || line == "admin: user carol was created";
  }
  EXPECT_TRUE(told);
}

}  // namespace
}  // namespace payg::test
