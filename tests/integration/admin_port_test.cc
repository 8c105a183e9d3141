// The admin port of the real program: what it refuses changes nothing, and what it says agrees with itself.

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/integration/metered_proxy.h"

namespace payg::test {
namespace {

class AdminPort : public testing::Test {
 protected:
  AdminPort()
      : metered_(LedgerKind::sqlite),
        alice_(metered_.user("alice", "")),
        as_alice_(metered_.proxy().user_client(alice_.token)) {}

  MeteredProxy metered_;
  Account alice_;
  AdminClient as_alice_;
};

void expect_problem(const AdminAnswer& answer) {
  EXPECT_EQ(answer.status() / 100, 4) << answer.response.head.raw;
  EXPECT_TRUE(answer.response.field("Content-Type").value_or("").starts_with("application/problem+json"))
      << answer.response.head.raw << answer.response.body.content;
  EXPECT_EQ(answer.json().at("status"), answer.status());
  EXPECT_FALSE(answer.json().at("code").get<std::string>().empty());
}

TEST_F(AdminPort, RefusesEveryPurchaseThatIsNoPackageAndChangesNothing) {
  for (const std::string body : {R"({"amount":0})",
                                 R"({"amount":-10})",
                                 R"({"amount":11})",
                                 R"({"amount":10.5})",
                                 R"({"amount":1e308})",
                                 R"({"amount":null})",
                                 R"({"amount":"10; drop"})",
                                 R"({"amount":true})",
                                 R"({"amount":[10]})",
                                 R"({"amount":{}})",
                                 R"({"amount":""})",
                                 R"({"amount":10.0000000000000001})",
                                 R"({})",
                                 R"([])",
                                 R"("10")",
                                 R"({"amount":10)",
                                 R"({"amount":10,"method":"gold"})",
                                 R"(amount=10)",
                                 "null",
                                 R"({"amount":99999999999999999999999999})"}) {
    SCOPED_TRACE(body);
    expect_problem(as_alice_.post("/api/credits/purchase", body));
  }
  expect_problem(as_alice_.post("/api/credits/purchase", ""));
  EXPECT_EQ(metered_.balance_units(alice_), 0);
  EXPECT_TRUE(as_alice_.get("/api/credits/transactions").json().at("transactions").empty());
}

TEST_F(AdminPort, RefusesABodyOfTenMegabytesAndChangesNothing) {
  const std::string body = R"({"amount":10,"note":")" + std::string(10'000'000, 'a') + "\"}";
  expect_problem(as_alice_.post("/api/credits/purchase", body));
  EXPECT_EQ(metered_.balance_units(alice_), 0);
}

TEST_F(AdminPort, GivesTheSameOrderForTheSameKeyAndRefusesAnotherBody) {
  const AdminClient::Fields key{{"Idempotency-Key", "one"}};
  const auto first = as_alice_.post("/api/credits/purchase", R"({"amount":10})", key);
  EXPECT_EQ(first.status(), 201);
  const auto again = as_alice_.post("/api/credits/purchase", R"({"amount":10})", key);
  EXPECT_EQ(again.status() / 100, 2);
  EXPECT_EQ(again.json().at("reference"), first.json().at("reference"));
  EXPECT_EQ(as_alice_.post("/api/credits/purchase", R"({"amount":25})", key).status(), 422);
  EXPECT_EQ(metered_.balance_units(alice_), 10'000 * units_per_second);
}

TEST_F(AdminPort, ShowsNobodyWhatBelongsToAnother) {
  const Account bob = metered_.user("bob", "");
  const auto order = as_alice_.post("/api/credits/purchase", R"({"amount":10})").json();
  const std::string path = "/api/credits/orders/" + order.at("reference").get<std::string>();
  EXPECT_EQ(as_alice_.get(path).status(), 200);
  EXPECT_EQ(metered_.proxy().user_client(bob.token).get(path).status(), 404);
  EXPECT_EQ(AdminClient(metered_.proxy().admin_address()).get(path).status(), 401);
  EXPECT_EQ(AdminClient(metered_.proxy().admin_address(), "wrong").get("/api/credits/balance").status(), 401);
  EXPECT_EQ(as_alice_.get("/api/admin/users").status() / 100, 4);
}

TEST_F(AdminPort, CountsSessionsAndChargesInItsMetrics) {
  const Origin web(scripts::answer_ok());
  metered_.top_up(alice_, "1");
  EXPECT_EQ(metered_.fetch_status(alice_, web), 200);
  ASSERT_TRUE(eventually([&] { return metered_.posted_usage_units(alice_) > 0; }));
  const auto answer = AdminClient(metered_.proxy().admin_address()).get("/metrics");
  EXPECT_EQ(answer.status(), 200);
  const std::string& text = answer.response.body.content;
  EXPECT_EQ(metric_in(text, "payg_sessions_started_total"), 1);
  EXPECT_GE(metric_in(text, "payg_charges_total"), 1);
  EXPECT_EQ(metric_in(text, "payg_ledger_up"), 1);
  EXPECT_EQ(metric_in(text, "payg_proxy_connections_total"), 1);
  for (const char* line :
       {"\n# TYPE payg_charge_latency_seconds histogram\n",
        "\npayg_charge_latency_seconds_bucket{le=\"+Inf\"} ", "\npayg_proxy_bytes_total{direction=\"down\"",
        "\npayg_proxy_refusals_total{reason=\"payment_required\"} 0\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << "no " << line << " in\n" << text;
  }
}

TEST_F(AdminPort, IsHealthyAndReady) {
  const AdminClient anyone(metered_.proxy().admin_address());
  EXPECT_EQ(anyone.get("/healthz").status(), 200);
  EXPECT_EQ(anyone.get("/readyz").status(), 200);
}

TEST_F(AdminPort, SurvivesClientsThatSendNonsenseOrLeave) {
  for (const std::string raw :
       {"\r\n\r\n", "GET", "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        "POST /api/credits/purchase HTTP/1.1\r\nContent-Length: 100\r\n\r\n{"}) {
    RawClient client(metered_.proxy().admin_address());
    client.send(raw);
    client.reset();
  }
  RawClient large(metered_.proxy().admin_address());
  static_cast<void>(large.try_send("GET / HTTP/1.1\r\nX: " + std::string(1'000'000, 'a') + "\r\n\r\n"));
  large.reset();
  EXPECT_EQ(as_alice_.get("/api/credits/balance").status(), 200);
}

// ---- its parser of HTTP, which is evhttp's: what does it bound?

class AdminParser : public AdminPort {
 protected:
  /// What is answered to `raw`, which may be too much for the port to hear all of it.
  HttpResponse answer_to(const std::string& raw) {
    RawClient client(metered_.proxy().admin_address());
    static_cast<void>(client.try_send(raw));
    return read_response(client);
  }
  /// A purchase by alice, which is one if all of it is heard: `fields` and `body` as they stand.
  HttpResponse purchase(const std::string& fields, const std::string& body) {
    return answer_to("POST /api/credits/purchase HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " +
                     alice_.token + "\r\n" + fields + "\r\n" + body);
  }
  void expect_nothing_bought() const { EXPECT_EQ(metered_.balance_units(alice_), 0); }

  static constexpr std::string_view order = R"({"amount":10})";
};

TEST_F(AdminParser, HearsAWholePurchase) {
  EXPECT_EQ(purchase("Content-Length: 13\r\n", std::string(order)).status, 201);
  EXPECT_EQ(purchase("Transfer-Encoding: chunked\r\n", "d\r\n" + std::string(order) + "\r\n0\r\n\r\n").status,
            201);
  EXPECT_EQ(metered_.balance_units(alice_), 20'000 * units_per_second);
}

TEST_F(AdminParser, HearsNoMoreThanSixteenKilobytesOfAHead) {
  const std::string length = "Content-Length: 13\r\n";
  const std::string much(15'000, 'a'), too_much(16 * 1024, 'a');
  EXPECT_EQ(purchase(length + "X: " + much + "\r\n", std::string(order)).status, 201);
  EXPECT_EQ(purchase(length + "X: " + too_much + "\r\n", std::string(order)).status, 400);
  std::string many;  // the ends of lines are not counted
  for (std::size_t size = 0; size < 16 * 1024; size += 4) many += "X: a\r\n";
  EXPECT_EQ(purchase(length + many, std::string(order)).status, 400);
  EXPECT_EQ(answer_to("GET /" + too_much + " HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 400);
  EXPECT_EQ(answer_to("GET /" + too_much).status, 400) << "and does not wait for the end of the line";
  EXPECT_EQ(answer_to("GET / HTTP/1.1\r\nX: " + too_much).status, 400);
  EXPECT_EQ(metered_.balance_units(alice_), 10'000 * units_per_second);
}

TEST_F(AdminParser, HearsNoMoreThanSixtyFourKilobytesOfABody) {
  const std::string spaces(64 * 1024 - order.size(), ' ');
  const std::string largest = spaces + std::string(order), too_large = ' ' + largest;
  EXPECT_EQ(purchase("Content-Length: 65536\r\n", largest).status, 201);
  EXPECT_EQ(purchase("Content-Length: 65537\r\n", too_large).status, 413);
  EXPECT_EQ(purchase("Transfer-Encoding: chunked\r\n", "10001\r\n" + too_large + "\r\n0\r\n\r\n").status,
            413);
  EXPECT_EQ(metered_.balance_units(alice_), 10'000 * units_per_second);
}

TEST_F(AdminParser, RefusesALengthThatNobodyMaySendBeforeItIsSent) {
  EXPECT_EQ(purchase("Content-Length: 17000000\r\n", "").status, 413);
  EXPECT_EQ(purchase("Content-Length: 17000000\r\nExpect: 100-continue\r\n", "").status, 413);
  EXPECT_EQ(purchase("Content-Length: 9223372036854775807\r\n", "").status, 413);
  EXPECT_EQ(purchase("Content-Length: 99999999999999999999\r\n", "").status, 413);
  EXPECT_EQ(purchase("Transfer-Encoding: chunked\r\n", "1036640\r\n").status, 413);
  EXPECT_EQ(purchase("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n").status, 413);
  expect_nothing_bought();
}

TEST_F(AdminParser, RefusesAFramingThatCanBeReadInTwoWays) {
  const std::string body(order), chunked = "d\r\n" + body + "\r\n0\r\n\r\n";
  for (const char* fields :
       {"Content-Length: 13\r\nTransfer-Encoding: chunked\r\n", "Content-Length: -1\r\n",
        "Content-Length: 0xd\r\n", "Content-Length: 13, 13\r\n", "Content-Length: 13;\r\n"}) {
    EXPECT_EQ(purchase(fields, body).status, 400) << fields;
    EXPECT_EQ(purchase(fields, chunked).status, 400) << fields;
  }
  expect_nothing_bought();
}

// ---- on a Unix socket

class AdminSocket : public testing::Test {
 protected:
  std::string file() { return proxy_.folder() + "/admin.sock"; }
  std::string ask(const std::string& path) {
    return run_program({"/usr/bin/curl", "--silent", "--unix-socket", file(), "--header",
                        std::string("Authorization: Bearer ") + operator_token, "http://localhost" + path})
        .output;
  }

  ProxyProcess proxy_{ProxySettings{.billing = BillingSettings{.admin_lines = {"socket = \"admin.sock\""}}}};
};

TEST_F(AdminSocket, AnswersWhileTheProxyRunsAndIsGoneAfterIt) {
  EXPECT_EQ(ask("/healthz"), R"({"status":"ok"})");
  EXPECT_EQ(ask("/api/admin/users"), R"({"users":[]})");
  EXPECT_EQ(proxy_.terminate().code, 0);
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(AdminSocket, ThatAKilledProxyHasLeftIsReplacedAtTheNextStart) {
  proxy_.kill();
  EXPECT_TRUE(std::filesystem::exists(file()));
  proxy_.start_again();
  EXPECT_EQ(ask("/healthz"), R"({"status":"ok"})");
}

TEST_F(AdminSocket, OfAnotherProxyIsAnErrorThatSaysSo) {
  const TempFolder folder;
  ProxySettings settings{.billing = BillingSettings{.admin_lines = {"socket = \"" + file() + "\""}}};
  const std::string path = folder.write("proxy.toml", settings.toml(folder.path()));
  const auto finished = run_program({built("payg-proxy"), "--config", path});
  EXPECT_NE(finished.status.code, 0);
  EXPECT_NE(finished.errors.find("billing.admin.socket: " + file() + ": another process listens there"),
            std::string::npos)
      << finished.errors;
  EXPECT_EQ(ask("/healthz"), R"({"status":"ok"})");
}

}  // namespace
}  // namespace payg::test
