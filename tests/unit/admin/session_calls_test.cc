#include "tests/support/postgres_server.h"
#include "tests/unit/admin/admin_port.h"

namespace payg::test {
namespace {

class Sessions : public AdminPort {
 protected:
  void SetUp() override {
    AdminPort::SetUp();
    alice = add_user("alice");
    give(alice, "10");
    bob = add_user("bob");
    give(bob, "10");
  }
  std::size_t count(const std::string& token, const std::string& query = "") {
    return get("/api/sessions" + query, token).json().at("sessions").size();
  }
  Answer end(const std::string& id, const std::string& token) {
    return ask({.method = "DELETE", .path = "/api/sessions/" + id, .headers = {bearer(token)}});
  }

  billing::User alice, bob;
};

TEST_F(Sessions, AreShownWithWhatTheMeterKnows) {
  const auto id = start_session(alice, 0xabc, "blue");
  metering.set_live({.id = id, .connections = 3, .up_bytes = 100, .down_bytes = 2000});
  const auto sessions = get("/api/sessions", "alice-token").json().at("sessions");
  ASSERT_EQ(sessions.size(), 1U);
  const auto& session = sessions[0];
  EXPECT_EQ(session.at("id"), "0000000000000abc");
  EXPECT_EQ(session.at("user"), "alice");
  EXPECT_EQ(session.at("node"), "node-1");
  EXPECT_EQ(session.at("label"), "blue");
  EXPECT_EQ(session.at("exit"), "direct");
  EXPECT_EQ(session.at("started_at"), "2026-11-22T13:00:00.000Z");
  EXPECT_EQ(session.at("paid_until"), "2026-11-22T13:01:00.000Z");
  EXPECT_EQ(session.at("charged"), 0.01);
  EXPECT_EQ(session.at("charged_units"), 48'000);
  EXPECT_EQ(session.at("minutes"), 1);
  EXPECT_EQ(session.at("connections"), 3);
  EXPECT_EQ(session.at("bytes_up"), 100);
  EXPECT_EQ(session.at("bytes_down"), 2000);
}

TEST_F(Sessions, OfAnotherNodeHaveNoConnectionsToShow) {
  start_session(alice, 5, "");
  const auto session = get("/api/sessions", "alice-token").json().at("sessions").at(0);
  EXPECT_TRUE(session.at("connections").is_null());
}

TEST_F(Sessions, AreShownToTheirUserAndToTheOperator) {
  start_session(alice, 1, "");
  start_session(bob, 2, "");
  EXPECT_EQ(count("alice-token"), 1U);
  EXPECT_EQ(count("alice-token", "?user=bob"), 1U);
  EXPECT_EQ(get("/api/sessions?user=bob", "alice-token").json().at("sessions").at(0).at("user"), "alice");
  EXPECT_EQ(count(operator_token), 2U);
  EXPECT_EQ(count(operator_token, "?user=bob"), 1U);
  EXPECT_EQ(get("/api/sessions?user=nobody", operator_token).status, 404);
}

TEST_F(Sessions, ThatEndedAreShownWithTheReasonAPageAtATime) {
  for (const std::uint64_t number : {1U, 2U, 3U}) {
    const auto id = start_session(alice, number, "blue");
    ASSERT_EQ(end(to_string(id), "alice-token").status, 204);
  }
  start_session(alice, 4, "");
  EXPECT_EQ(count("alice-token"), 1U);
  EXPECT_EQ(count("alice-token", "?state=live"), 1U);
  EXPECT_EQ(count("bob-token", "?state=ended"), 0U);
  EXPECT_EQ(count(operator_token, "?state=ended&user=alice"), 3U);
  EXPECT_EQ(get("/api/sessions?state=ended", operator_token).code(), "invalid_value");

  std::vector<std::string> seen;
  std::string query = "?state=ended&limit=2";
  for (;;) {
    const auto shown = get("/api/sessions" + query, "alice-token").json();
    for (const auto& session : shown.at("sessions")) {
      seen.push_back(session.at("id"));
      EXPECT_EQ(session.at("why"), "requested");
      EXPECT_EQ(session.at("ended_at"), "2026-11-22T13:00:00.000Z");
      EXPECT_EQ(session.at("label"), "blue");
      EXPECT_EQ(session.at("charged_units"), 48'000);
    }
    if (shown.at("next_cursor").is_null()) break;
    query = "?state=ended&limit=2&cursor=" + shown.at("next_cursor").get<std::string>();
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"0000000000000003", "0000000000000002", "0000000000000001"}));
}

TEST_F(Sessions, AreListedByStatesAndCursorsThatThereAre) {
  for (const char* query :
       {"?state=lost", "?state=ended&limit=0", "?state=ended&limit=501", "?state=ended&cursor=1",
        "?state=ended&cursor=x-0000000000000001", "?state=ended&cursor=1-xyz"})
    EXPECT_EQ(get(std::string("/api/sessions") + query, "alice-token").code(), "invalid_value") << query;
}

TEST_F(Sessions, OfThisNodeAreEndedByTheMeter) {
  const auto id = start_session(alice, 1, "");
  metering.set_live({.id = id});
  const Answer answer = end(to_string(id), "alice-token");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.body, "");
  ASSERT_EQ(metering.ended_sessions().size(), 1U);
  EXPECT_EQ(metering.ended_sessions()[0], id);
}

TEST_F(Sessions, OfAnotherNodeAreEndedInTheLedger) {
  const auto id = start_session(alice, 1, "");
  EXPECT_EQ(end(to_string(id), "alice-token").status, 204);
  EXPECT_EQ(count("alice-token"), 0U);
  EXPECT_EQ(end(to_string(id), "alice-token").status, 404);
}

TEST_F(Sessions, OfAnotherUserCannotBeEndedAndAreNotEvenThere) {
  const auto id = start_session(alice, 1, "");
  metering.set_live({.id = id});
  const Answer theirs = end(to_string(id), "bob-token");
  const Answer nobodys = end("00000000000000ff", "bob-token");
  EXPECT_EQ(theirs.status, 404);
  EXPECT_EQ(theirs.body, nobodys.body);
  EXPECT_TRUE(metering.ended_sessions().empty());
  EXPECT_EQ(count("alice-token"), 1U);
}

TEST_F(Sessions, OfAnybodyAreEndedByTheOperator) {
  const auto id = start_session(alice, 1, "");
  EXPECT_EQ(end(to_string(id), operator_token).status, 204);
  EXPECT_EQ(count("alice-token"), 0U);
}

TEST_F(Sessions, OfThisNodeAreEndedByTheOperatorWithoutALookAtTheLedger) {
  const billing::SessionId not_in_the_ledger{7};
  metering.set_live({.id = not_in_the_ledger});
  EXPECT_EQ(end(to_string(not_in_the_ledger), "alice-token").status, 404);
  EXPECT_EQ(end(to_string(not_in_the_ledger) + "?user=alice", operator_token).status, 404);
  EXPECT_TRUE(metering.ended_sessions().empty());
  EXPECT_EQ(end(to_string(not_in_the_ledger), operator_token).status, 204);
  EXPECT_EQ(metering.ended_sessions(), std::vector{not_in_the_ledger});
}

TEST_F(Sessions, WithAnIdThatIsNoneAreNotFound) {
  for (const char* id : {"x", "0", "-1", "0000000000000abcd", "%00", "a%2Fb"})
    EXPECT_EQ(end(id, "alice-token").status, 404) << id;
}

/// Whose client library reads a name up to its first zero byte.
class SessionsOnPostgres : public Sessions {
 protected:
  std::string ledger_url() const override { return database.url(); }

  PostgresDatabase database;
};

TEST_F(SessionsOnPostgres, OfANameThatIsNoTextAreNobodys) {
  start_session(alice, 1, "");
  EXPECT_EQ(count(operator_token, "?user=alice"), 1U);
  for (const char* name : {"alice%00", "alice%00x", "%ff", "alice%c2%9b", "%00", "alice%zz"}) {
    const Answer answer = get("/api/sessions?user=" + std::string(name), operator_token);
    EXPECT_EQ(answer.status, 404) << name;
    EXPECT_EQ(answer.body, get("/api/sessions?user=nobody", operator_token).body) << name;
  }
}

}  // namespace
}  // namespace payg::test
