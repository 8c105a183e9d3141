// Who is let in, on every protocol and on every request, by plain TCP and by TLS, and what the others are
// told.

#include <nlohmann/json.hpp>

#include "tests/integration/metered_proxy.h"

namespace payg::test {
namespace {

class Admission : public testing::TestWithParam<Transport> {
 protected:
  Admission()
      : metered_(LedgerKind::sqlite, BillingSettings{.increment = "1h"},
                 ProxySettings{.transport = GetParam()}) {}

  std::string credentials(const Account& account) const {
    return "Proxy-Authorization: " + basic_credentials(account.name, account.token) + "\r\n";
  }
  RawClient connect() { return metered_.proxy().connect(); }
  int connect_status(const std::string& name, const std::string& token) {
    RawClient client = connect();
    return http_connect(client, echo_.authority(), name, token).status;
  }

  Origin echo_{scripts::echo()};
  Origin web_{scripts::answer_ok()};
  MeteredProxy metered_;
};

INSTANTIATE_TEST_SUITE_P(By, Admission, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(Admission, WithoutCredentialsIsRefusedAs407WithTheSchemeToUse) {
  RawClient client = connect();
  client.send(get(web_));
  const auto response = read_response(client);
  EXPECT_EQ(response.status, 407);
  EXPECT_TRUE(response.field("Proxy-Authenticate").value_or("").starts_with("Basic ")) << response.head.raw;
  EXPECT_TRUE(response.head.has("Proxy-Status"));
  EXPECT_EQ(web_.connections(), 0);
}

TEST_P(Admission, A407LeavesTheConnectionUsable) {
  const Account alice = metered_.user("alice", "10");
  RawClient client = connect();
  client.send(get(web_));
  EXPECT_EQ(read_response(client).status, 407);
  client.send(get_as(alice, web_));
  EXPECT_EQ(read_response(client).status, 200);
  client.send(get(web_));
  EXPECT_EQ(read_response(client).status, 407) << "credentials are asked for with every request";
}

TEST_P(Admission, A407OnConnectLeavesTheConnectionUsable) {
  const Account alice = metered_.user("alice", "10");
  RawClient client = connect();
  client.send("CONNECT " + echo_.authority() + " HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(read_response(client).status, 407);
  EXPECT_EQ(http_connect(client, echo_.authority(), alice.name, alice.token).status, 200);
}

TEST_P(Admission, TheCredentialsNeverReachTheOrigin) {
  const Account alice = metered_.user("alice", "10");
  EXPECT_EQ(metered_.fetch_status(alice, web_), 200);
  EXPECT_FALSE(web_.wait_for_requests(1)[0].head.has("Proxy-Authorization"));
}

TEST_P(Admission, AWrongTokenForALiveUserIsRefusedAndDisturbsHimNot) {
  const Account alice = metered_.user("alice", "10");
  RawClient tunnel = metered_.http_tunnel(alice, echo_);
  EXPECT_EQ(connect_status("alice", "wrong"), 407);
  EXPECT_EQ(connect_status("alice", alice.token + "x"), 407);
  EXPECT_EQ(connect_status("alice", alice.token.substr(1)), 407);
  EXPECT_EQ(metered_.fetch_status({"alice", "wrong"}, web_), 407);
  RawClient socks_client = connect();
  const auto reply = socks::open(socks_client, socks::connect_to(echo_.address()), "alice", "wrong");
  EXPECT_EQ(reply.version, 1);
  EXPECT_EQ(reply.code, 1);
  tunnel.send("still mine");
  EXPECT_EQ(tunnel.read_exactly(10), "still mine");
  EXPECT_EQ(connect_status("alice", alice.token), 200);
}

TEST_P(Admission, AnUnknownUserCannotBeToldFromAWrongToken) {
  metered_.user("alice", "");
  RawClient unknown = connect();
  RawClient wrong = connect();
  const auto unknown_answer = http_connect(unknown, echo_.authority(), "nobody", "token");
  const auto wrong_answer = http_connect(wrong, echo_.authority(), "alice", "token");
  EXPECT_EQ(unknown_answer.status, 407);
  EXPECT_EQ(unknown_answer.head.raw, wrong_answer.head.raw);
}

TEST_P(Admission, AnEmptyUserCannotBeToldFromAPaidUpOneWithoutTheToken) {
  metered_.user("poor", "");
  metered_.user("rich", "10");
  RawClient first = connect();
  RawClient second = connect();
  EXPECT_EQ(http_connect(first, echo_.authority(), "poor", "wrong").head.raw,
            http_connect(second, echo_.authority(), "rich", "wrong").head.raw);
}

TEST_P(Admission, WithoutMoneyIs402AndReply2) {
  const Account alice = metered_.user("alice", "");
  EXPECT_EQ(connect_status(alice.name, alice.token), 402);
  EXPECT_EQ(metered_.fetch_status(alice, web_), 402);
  RawClient socks_client = connect();
  EXPECT_EQ(socks::open(socks_client, socks::connect_to(echo_.address()), alice.name, alice.token).code, 2);
  EXPECT_EQ(web_.connections() + echo_.connections(), 0);
}

TEST_P(Admission, IsDecidedBeforeAnybodySays100) {
  const Account alice = metered_.user("alice", "");
  const std::string expecting = "Content-Length: 5\r\nExpect: 100-continue\r\n";
  RawClient client = connect();
  client.send(post(web_, expecting, ""));
  EXPECT_EQ(read_response(client).status, 407);
  RawClient unpaid = connect();
  unpaid.send(post(web_, expecting + credentials(alice), ""));
  EXPECT_EQ(read_response(unpaid).status, 402);
}

TEST_P(Admission, RefusesUserNamesThatBreakTheGrammarAs400) {
  const Account alice = metered_.user("alice", "10");
  for (const std::string name :
       {"alice-colour-blue", "alice-session", "alice-session-", "alice-session-a-session-b",
        "alice-country-a b", "alice-", "alice-country-de-country-de", "al ice", "alice-session-ü"}) {
    EXPECT_EQ(connect_status(name, alice.token), 400) << name;
  }
}

TEST_P(Admission, TellsOnlyTheRightTokenWhatIsWrongBehindAUserName) {
  const Account alice = metered_.user("alice", "10");
  EXPECT_EQ(connect_status("alice-colour-blue", "a wrong token"), 407);
}

TEST_P(Admission, TakesTheKeysOfAUserNameInAnyOrderAndCase) {
  const Account alice = metered_.user("alice", "10");
  EXPECT_EQ(connect_status("Alice-SESSION-Blue", alice.token), 200);
}

TEST_P(Admission, RefusesALocationThatNoExitHasAs503AndChargesNothing) {
  const Account alice = metered_.user("alice", "10");
  EXPECT_EQ(connect_status("alice-country-zz", alice.token), 503);
  EXPECT_EQ(metered_.live_sessions(alice), 0);
  EXPECT_EQ(metered_.balance_units(alice), 10'000 * units_per_second);
}

TEST_P(Admission, OfMalformedCredentialsIsRefused) {
  for (const std::string value : {"Basic", "Basic !!!", "Basic YWxpY2U=", "Bearer abc", "Basic YTpi YTpi"}) {
    RawClient client = connect();
    client.send(get(web_, "Proxy-Authorization: " + value + "\r\n"));
    const int status = read_response(client).status;
    EXPECT_TRUE(status == 407 || status == 400) << value << ": " << status;
  }
  EXPECT_EQ(web_.connections(), 0);
}

TEST_P(Admission, WithTwoCredentialsIsRefused) {
  const Account alice = metered_.user("alice", "10");
  RawClient client = connect();
  client.send(get(web_, credentials({"alice", "wrong"}) + credentials(alice)));
  const int status = read_response(client).status;
  EXPECT_TRUE(status == 407 || status == 400) << status;
  EXPECT_EQ(web_.connections(), 0);
}

TEST_P(Admission, ToAGuardedTargetIs403AndCostsNothing) {
  const Account alice = metered_.user("alice", "10");
  RawClient client = connect();
  EXPECT_EQ(
      http_connect(client, metered_.proxy().admin_address().to_string(), alice.name, alice.token).status,
      403);
  EXPECT_EQ(metered_.live_sessions(alice), 0);
  EXPECT_EQ(metered_.balance_units(alice), 10'000 * units_per_second);
}

}  // namespace
}  // namespace payg::test
