#include <sys/socket.h>

#include <algorithm>
#include <future>
#include <optional>

#include "tests/unit/admin/admin_port.h"
#include "tests/unit/admin/blocked_thread.h"

namespace payg::test {
namespace {

using Port = AdminPort;

/// What comes next; empty: nothing does.
std::string receive_some(const UniqueFd& fd) {
  char buffer[4096];
  const ssize_t size = ::recv(fd.get(), buffer, sizeof buffer, 0);
  return size <= 0 ? std::string() : std::string(buffer, static_cast<std::size_t>(size));
}

TEST_F(Port, IsProtectedFromBeingATarget) {
  ASSERT_EQ(host.protected_addresses().size(), 1U);
  EXPECT_EQ(host.protected_addresses()[0], "127.0.0.1:" + std::to_string(port));
  EXPECT_EQ(host.lines().at(0), "admin: admin listening on 127.0.0.1:" + std::to_string(port));
}

TEST_F(Port, AnswersUnknownPathsWithAProblemDocument) {
  for (const char* path : {"/nothing", "/api", "/api/credits/", "/api/credits/orders/", "/api/sessions/a/b",
                           "/api/credits/events", "/api/location", "/openapi.json", "/dashboard/",
                           "/api/webhooks/paystack", "/api/admin/users/alice/", "//", "/../healthz"}) {
    const std::string answer =
        send_bytes(port, "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 404 ")) << path << answer;
    EXPECT_NE(answer.find("\"code\":\"not_found\""), std::string::npos) << path;
  }
}

TEST_F(Port, NothingHasANameThatIsNoText) {
  for (const char* segment :
       {"%00", "a%00b", "%01", "%1f", "%0a", "%7f", "%ff", "%c0%80", "%c3", "%c3%28", "%e2%82", "%ed%a0%80",
        "%f4%90%80%80", "%80", "%c2%80", "%c2%9f", "%f0%9f%92", "%zz", "%"}) {
    const Answer answer = get("/api/admin/users/" + std::string(segment), operator_token);
    EXPECT_EQ(answer.status, 404) << segment;
    EXPECT_EQ(answer.json().at("detail"), "No call has this path.") << segment;
  }
  for (const char* segment : {"%c2%a0", "%c3%80", "%c3%a9", "%e2%82%ac", "%f0%9f%92%b0", "a%20b", "%7e"}) {
    const Answer answer = get("/api/admin/users/" + std::string(segment), operator_token);
    EXPECT_EQ(answer.json().at("detail"), "There is no user of this name.") << segment;
  }
}

TEST_F(Port, ProblemDocumentsHaveEveryMember) {
  const Answer answer = ask({.path = "/nothing"});
  EXPECT_EQ(answer.headers.at("content-type"), "application/problem+json");
  EXPECT_EQ(answer.headers.at("cache-control"), "no-store");
  const auto problem = answer.json();
  EXPECT_EQ(problem.at("type"), "urn:payg-proxy:problem:not_found");
  EXPECT_EQ(problem.at("status"), 404);
  EXPECT_FALSE(problem.at("title").get<std::string>().empty());
  EXPECT_FALSE(problem.at("detail").get<std::string>().empty());
}

TEST_F(Port, AnswersWrongMethodsWithWhatIsAllowed) {
  for (const char* method : {"PUT", "DELETE", "PATCH", "TRACE", "POST", "BREW", "PROPFIND"}) {
    const std::string answer = send_bytes(
        port, std::string(method) + " /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 405 ")) << method << answer;
    EXPECT_NE(answer.find("\r\nAllow: GET, HEAD, OPTIONS\r\n"), std::string::npos) << method << answer;
    EXPECT_NE(answer.find("\"code\":\"method_not_allowed\""), std::string::npos) << method;
  }
  EXPECT_EQ(ask({.method = "PUT", .path = "/api/admin/users"}).headers.at("allow"),
            "GET, HEAD, POST, OPTIONS");
}

TEST_F(Port, AnswersOptionsWithWhatIsAllowed) {
  const Answer answer = ask({.method = "OPTIONS", .path = "/api/credits/purchase"});
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.headers.at("allow"), "POST, OPTIONS");
}

TEST_F(Port, AnswersHeadLikeGetWithoutABody) {
  const Answer answer = ask({.method = "HEAD", .path = "/healthz"});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
}

TEST_F(Port, SurvivesWhatIsNotHttp) {
  for (const std::string& bytes :
       {std::string("\r\n\r\n"), std::string("GET\r\n\r\n"), std::string("GET /healthz\r\n\r\n"),
        std::string("GET ::::: HTTP/1.1\r\n\r\n"), std::string("\x16\x03\x01\x02\x00", 5) + "\r\n\r\n",
        std::string("POST /api/credits/purchase HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
        std::string("POST /api/credits/purchase HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        "GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nX: " + std::string(100'000, 'a') + "\r\n\r\n"}) {
    const std::string answer = send_bytes(port, bytes + "GET / HTTP/1.0\r\nConnection: close\r\n\r\n");
    EXPECT_FALSE(answer.starts_with("HTTP/1.1 2") && bytes.size() > 10'000) << bytes.substr(0, 60);
    EXPECT_EQ(ask({.path = "/healthz"}).status, 200);
  }
}

TEST_F(Port, IsReadyWhileTheLedgerAnswers) {
  EXPECT_EQ(ask({.path = "/healthz"}).json().at("status"), "ok");
  EXPECT_EQ(ask({.path = "/readyz"}).json().at("status"), "ready");
  metering.set_state(billing::LedgerState::away);
  const Answer away = ask({.path = "/readyz"});
  EXPECT_EQ(away.status, 503);
  EXPECT_EQ(away.code(), "ledger_unavailable");
  EXPECT_EQ(ask({.path = "/healthz"}).status, 200);
}

TEST_F(Port, IsNotReadyOnANodeThatIsOutOfService) {
  metering.take_out_of_service();
  const Answer refused = ask({.path = "/readyz"});
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.code(), "out_of_service");
}

TEST_F(Port, ShowsTheCallsThatThereAre) {
  const auto index = ask({.path = "/"}).json();
  EXPECT_EQ(index.at("service"), "payg-proxy");
  const auto calls = index.at("calls").get<std::vector<std::string>>();
  EXPECT_NE(std::find(calls.begin(), calls.end(), "POST /api/credits/purchase"), calls.end());
}

class BlockedPort : public AdminPort {
 protected:
  void SetUp() override {
    AdminPort::SetUp();
    add_user("alice");
    blocked.emplace(*ledger_thread);
  }
  void TearDown() override {
    blocked.reset();
    AdminPort::TearDown();
  }
  /// Sends a request that waits for the ledger.
  UniqueFd send_request(const std::string& token = "alice-token") {
    return send_only(port,
                     "GET /api/credits/balance HTTP/1.1\r\nHost: localhost\r\n" + bearer(token) + "\r\n\r\n");
  }
  /// Twice around the loop: what was sent before has been read then.
  void wait_for_the_loop() {
    EXPECT_EQ(ask({.path = "/healthz"}).status, 200);
    EXPECT_EQ(ask({.path = "/healthz"}).status, 200);
  }

  std::optional<BlockedThread> blocked;
};

TEST_F(BlockedPort, GoesOnWhenClientsLeaveBeforeTheirAnswers) {
  for (int i = 0; i < 10; ++i) send_request();
  wait_for_the_loop();
  blocked->go_on();
  EXPECT_EQ(get("/api/credits/balance", "alice-token").status, 200);
}

TEST_F(BlockedPort, StopsWhileRequestsWaitForTheLedger) {
  const UniqueFd staying = send_request();
  send_request();
  wait_for_the_loop();
  server->stop();
  char byte = 0;
  EXPECT_EQ(::recv(staying.get(), &byte, 1, 0), 0);
}

TEST_F(BlockedPort, IsHealthyHoweverManyAskAndLeave) {
  for (int i = 0; i < 300; ++i) {
    send_request("nobody's");
    EXPECT_EQ(ask({.path = "/healthz"}).status, 200);
  }
  for (const char* path : {"/healthz", "/readyz", "/metrics"}) EXPECT_EQ(ask({.path = path}).status, 200);
  const Answer answer = get("/api/credits/balance", "alice-token");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.code(), "busy");
  EXPECT_EQ(answer.headers.at("retry-after"), "2");
}

TEST_F(BlockedPort, HasSoManyWaitAndTakesMoreWhenTheseAreAnswered) {
  std::vector<UniqueFd> waiting;
  for (std::size_t i = 0; i < billing::AdminServer::max_waiting_calls; ++i) {
    waiting.push_back(send_request());
    wait_for_the_loop();
  }
  EXPECT_EQ(get("/api/credits/balance", "alice-token").code(), "busy");
  blocked->go_on();
  for (const UniqueFd& fd : waiting) EXPECT_TRUE(receive_some(fd).starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(get("/api/credits/balance", "alice-token").status, 200);
}

/// While an audit takes its time.
class LongReport : public AdminPort {
 protected:
  void SetUp() override {
    AdminPort::SetUp();
    add_user("alice");
    blocked.emplace(*report_thread);
  }
  void TearDown() override {
    blocked.reset();
    AdminPort::TearDown();
  }
  /// Sends the operator's request, which the port has read when this returns.
  UniqueFd ask_for(const std::string& path) {
    UniqueFd fd = send_only(
        port, "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + bearer(operator_token) + "\r\n\r\n");
    for (int i = 0; i < 2; ++i) EXPECT_EQ(ask({.path = "/healthz"}).status, 200);
    return fd;
  }

  std::optional<BlockedThread> blocked;
};

TEST_F(LongReport, HoldsUpNoCustomer) {
  const UniqueFd audit = ask_for("/api/admin/audit");
  EXPECT_EQ(get("/api/credits/balance", "alice-token").status, 200);
  EXPECT_EQ(post("/api/credits/purchase", "alice-token", R"({"amount":10})").status, 201);
  EXPECT_EQ(get("/api/admin/users/alice", operator_token).status, 200);
  blocked->go_on();
  EXPECT_TRUE(receive_some(audit).starts_with("HTTP/1.1 200 "));
}

TEST_F(LongReport, IsTheOperatorsListOfSessionsAndNotAUsers) {
  const UniqueFd sessions = ask_for("/api/sessions");
  EXPECT_EQ(get("/api/sessions", "alice-token").status, 200);
  char byte = 0;
  EXPECT_EQ(::recv(sessions.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT), -1) << "answered before the customer";
  blocked->go_on();
  EXPECT_TRUE(receive_some(sessions).starts_with("HTTP/1.1 200 "));
}

TEST_F(LongReport, HasOnlyAFewOthersWait) {
  std::vector<UniqueFd> waiting;
  for (std::size_t i = 0; i < billing::AdminServer::max_waiting_reports; ++i)
    waiting.push_back(ask_for(i % 2 == 0 ? "/api/admin/audit" : "/api/admin/users"));
  for (const char* path : {"/api/admin/audit", "/api/admin/users"})
    EXPECT_EQ(get(path, operator_token).code(), "busy") << path;
  EXPECT_EQ(get("/api/credits/balance", "alice-token").status, 200);
  blocked->go_on();
  for (const UniqueFd& fd : waiting) EXPECT_TRUE(receive_some(fd).starts_with("HTTP/1.1 200 "));
}

TEST_F(LongReport, KeepsNobodyWaitingWhoMayNotHaveOne) {
  EXPECT_EQ(get("/api/admin/audit", "nobody's").status, 401);
  EXPECT_EQ(get("/api/admin/audit", "alice-token").status, 403);
  EXPECT_EQ(ask({.path = "/api/admin/users"}).status, 401);
}

TEST_F(Port, ListensOnlyOnceOnOneAddress) {
  config::BillingConfig config = usual_config();
  config.admin.address = "127.0.0.1:" + std::to_string(port);
  billing::AdminServer second(dependencies(config));
  const auto bound = second.start();
  ASSERT_FALSE(bound.ok());
  EXPECT_EQ(bound.error().key, "address");
  EXPECT_NE(bound.error().what.find(config.admin.address), std::string::npos);
}

class NarrowPort : public AdminPort {
  std::size_t queue_limit() const override { return 0; }
};

TEST_F(NarrowPort, RefusesAsBusyWhatTheLedgerThreadCannotTake) {
  const Answer answer = ask({.path = "/api/credits/balance", .headers = {bearer("x")}});
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.code(), "busy");
  EXPECT_EQ(answer.headers.at("retry-after"), "2");
}

class LostLedger : public AdminPort {
  std::string ledger_url() const override { return "sqlite:/proc/no/such/folder/payg.db"; }
};

TEST_F(LostLedger, MakesEveryCallThatNeedsItUnavailable) {
  for (const char* path : {"/api/credits/balance", "/api/sessions", "/api/credits/orders/sim-1"}) {
    const Answer answer = get(path, "alice-token");
    EXPECT_EQ(answer.status, 503) << path;
    EXPECT_EQ(answer.code(), "ledger_unavailable") << path;
    EXPECT_EQ(answer.headers.at("retry-after"), "2") << path;
  }
  EXPECT_EQ(get("/api/admin/audit", operator_token).status, 503);
  ASSERT_EQ(host.lines().size(), 5U);  // that it listens, and one for each of these
  EXPECT_TRUE(host.lines()[4].starts_with("admin: /api/admin/audit: unavailable: ")) << host.lines()[4];
  EXPECT_EQ(ask({.path = "/healthz"}).status, 200);
}

class Metrics : public AdminPort {
  void configure(config::BillingConfig&) override {
    metering.counted.sessions_started = 5;
    metering.counted.charges = 9;
    metering.counted.charge_wait = std::chrono::milliseconds(1500);
    metering.counted.charge_latency.counts = {1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 4};
    metering.counted.charge_latency.sum_s = 41.5;
  }
};

TEST_F(Metrics, AreThePrometheusTextOfProxyMeterLedgerAndPort) {
  ask({.path = "/healthz"});
  ask({.path = "/nothing"});
  const Answer answer = ask({.path = "/metrics"});
  EXPECT_EQ(answer.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  for (const char* line :
       {"# TYPE payg_connections gauge\n", "payg_connections 3\n", "# TYPE payg_refusals_total counter\n",
        "payg_refusals_total{reason=\"forbidden\"} 2\n", "payg_refusals_total{reason=\"too_many\"} 1\n",
        "payg_sessions_started_total 5\n", "payg_charges_total 9\n", "payg_charge_wait_seconds 1.5\n",
        "# TYPE payg_charge_latency_seconds histogram\n",
        "payg_charge_latency_seconds_bucket{le=\"0.001\"} 1\n",
        "payg_charge_latency_seconds_bucket{le=\"5\"} 3\n",
        "payg_charge_latency_seconds_bucket{le=\"+Inf\"} 7\n", "payg_charge_latency_seconds_count 7\n",
        "payg_ledger_up 1\n", "payg_admin_requests_total{route=\"/healthz\",status=\"200\"} 1\n",
        "payg_admin_requests_total{route=\"none\",status=\"404\"} 1\n"})
    EXPECT_NE(answer.body.find(line), std::string::npos) << line << answer.body;
  EXPECT_EQ(answer.body.find("# TYPE payg_refusals_total"), answer.body.rfind("# TYPE payg_refusals_total"));
}

TEST_F(Metrics, ShowALedgerThatIsAway) {
  metering.set_state(billing::LedgerState::away);
  EXPECT_NE(ask({.path = "/metrics"}).body.find("payg_ledger_up 0\n"), std::string::npos);
}

}  // namespace
}  // namespace payg::test
