// Who asks again and again what was refused: what he is told, on every protocol, and what it costs the
// ledger.

#include "tests/integration/metered_proxy.h"

namespace payg::test {
namespace {

class Retries : public testing::Test {
 protected:
  explicit Retries(const ProxySettings& settings = {}, const std::string& ledger = {})
      : metered_(
            LedgerKind::sqlite,
            BillingSettings{.ledger = ledger, .increment = "1h", .lines = {"wrong_tokens_per_minute = 3"}},
            settings) {}

  HttpResponse connect_as(const std::string& name, const std::string& token) {
    RawClient client = metered_.proxy().connect();
    return http_connect(client, echo_.authority(), name, token);
  }
  socks::Reply socks_as(const std::string& name, const std::string& token) {
    RawClient client = metered_.proxy().connect();
    return socks::open(client, socks::connect_to(echo_.address()), name, token);
  }
  void use_up_allowance() {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(connect_as("nobody" + std::to_string(i), "guess").status, 407);
  }
  double metric(std::string_view name) { return metered_.proxy().operator_client().metric(name); }

  Origin echo_{scripts::echo()};
  MeteredProxy metered_;
};

TEST_F(Retries, WithWrongTokensAre429WithRetryAfterAndForSocks5AFailureOfTheCredentials) {
  use_up_allowance();
  const auto refused = connect_as("somebody", "guess");
  EXPECT_EQ(refused.status, 429);
  EXPECT_GT(std::stoi(refused.field("Retry-After").value_or("0")), 0) << refused.head.raw;
  const auto reply = socks_as("somebody", "guess");
  EXPECT_EQ(reply.version, 1) << "of RFC 1929";
  EXPECT_EQ(reply.code, 1);
  EXPECT_EQ(metric("payg_wrong_tokens_total"), 3);
  EXPECT_EQ(metric("payg_throttled_attempts_total"), 2);
}

TEST_F(Retries, OfAGuesserLockNobodyOutWhoIsKnownAndSharesHisAddress) {
  const Account alice = metered_.user("alice", "10");
  EXPECT_EQ(connect_as(alice.name, alice.token).status, 200);
  use_up_allowance();
  EXPECT_EQ(connect_as(alice.name, "guess").status, 429);
  EXPECT_EQ(connect_as(alice.name, alice.token).status, 200);
  EXPECT_EQ(socks_as(alice.name, alice.token).code, 0);
  metered_.top_up(alice, "1");
  EXPECT_EQ(connect_as(alice.name, alice.token).status, 200) << "also when something of his was changed";
}

TEST_F(Retries, WithoutMoneyCostTheLedgerOneQuestionASecond) {
  const Account alice = metered_.user("alice", "");
  EXPECT_EQ(connect_as(alice.name, alice.token).status, 402);
  // However long this takes: those that were answered from memory asked nothing.
  const double questions = metric("payg_standing_reads_total");
  for (int i = 0; i < 50; ++i) EXPECT_EQ(connect_as(alice.name, alice.token).status, 402);
  EXPECT_EQ(socks_as(alice.name, alice.token).code, 2);
  EXPECT_EQ(metric("payg_refused_from_memory_total") + metric("payg_standing_reads_total") - questions, 51);
  EXPECT_GT(metric("payg_refused_from_memory_total"), 0);
}

TEST_F(Retries, SucceedAtOnceWhenTheUserHasBought) {
  const Account alice = metered_.user("alice", "");
  EXPECT_EQ(connect_as(alice.name, alice.token).status, 402);
  const auto bought =
      metered_.proxy().user_client(alice.token).post("/api/credits/purchase", R"({"amount": 10})");
  EXPECT_EQ(bought.status(), 201);
  EXPECT_EQ(connect_as(alice.name, alice.token).status, 200);
}

TEST_F(Retries, OfAUserWhoWasMadeMeanwhileSucceedAtOnce) {
  EXPECT_EQ(connect_as("alice", "guess").status, 407);
  const Account alice = metered_.user("alice", "10");
  EXPECT_EQ(connect_as(alice.name, alice.token).status, 200);
}

class RetriesBeyondTheConnectionsOfAUser : public Retries {
 protected:
  RetriesBeyondTheConnectionsOfAUser()
      : Retries(ProxySettings{.proxy_lines = {"max_connections_per_user = 1"}}) {}
};

TEST_F(RetriesBeyondTheConnectionsOfAUser, AreToldWhenToComeBack) {
  const Account alice = metered_.user("alice", "10");
  const RawClient tunnel = metered_.http_tunnel(alice, echo_);
  const auto refused = connect_as(alice.name, alice.token);
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(refused.head.has("Retry-After")) << refused.head.raw;
}

TEST_F(Retries, ForALocationThatNoExitHasAreToldWhenToComeBack) {
  const Account alice = metered_.user("alice", "10");
  const auto refused = connect_as(alice.name + "-country-zz", alice.token);
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.head.has("Retry-After")) << refused.head.raw;
  EXPECT_EQ(socks_as(alice.name + "-country-zz", alice.token).code, 4);
}

/// A PostgreSQL that the test can stop.
struct OwnPostgres {
  PostgresServer server;
  PostgresDatabase database{server.url()};
};

class RetriesInAnOutage : private OwnPostgres, public Retries {
 protected:
  RetriesInAnOutage() : Retries({}, database.url()) {}

  void begin_outage() { server.stop_immediately(); }
  /// The books are looked at when the proxy ends.
  void TearDown() override { server.start(); }
};

TEST_F(RetriesInAnOutage, Are503WithRetryAfterAndReply1) {
  const Account alice = metered_.user("alice", "10");
  EXPECT_EQ(connect_as(alice.name + "-session-first", alice.token).status, 200);
  begin_outage();
  HttpResponse refused;
  EXPECT_TRUE(eventually([&] {
    refused = connect_as(alice.name + "-session-second", alice.token);
    return refused.status == 503;
  }));
  EXPECT_TRUE(refused.head.has("Retry-After")) << refused.head.raw;
  const auto reply = socks_as(alice.name + "-session-second", alice.token);
  EXPECT_EQ(reply.version, 5);
  EXPECT_EQ(reply.code, 1);
}

}  // namespace
}  // namespace payg::test
