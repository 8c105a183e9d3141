#include "tests/unit/admin/admin_port.h"

namespace payg::test {
namespace {

class Access : public AdminPort {
 protected:
  void SetUp() override {
    AdminPort::SetUp();
    add_user("alice");
  }
};

TEST_F(Access, WithoutATokenIsRefusedAndToldHow) {
  const Answer answer = ask({.path = "/api/credits/balance"});
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.code(), "unauthorized");
  EXPECT_EQ(answer.headers.at("www-authenticate"), "Bearer realm=\"payg-proxy\"");
}

TEST_F(Access, WithAWrongTokenIsRefused) {
  for (const char* field : {"Authorization: Bearer wrong", "Authorization: Bearer",
                            "Authorization: Basic YWxpY2U6YWxpY2UtdG9rZW4=", "Authorization: alice-token",
                            "Authorization: Bearer alice-token2", "Authorization: Bearer ALICE-TOKEN"}) {
    const Answer answer = ask({.path = "/api/credits/balance", .headers = {field}});
    EXPECT_EQ(answer.status, 401) << field;
    EXPECT_EQ(answer.headers.at("www-authenticate"), "Bearer realm=\"payg-proxy\", error=\"invalid_token\"");
  }
}

TEST_F(Access, NamesItsSchemeInAnyCase) {
  EXPECT_EQ(ask({.path = "/api/credits/balance", .headers = {"authorization: bEARER alice-token"}}).status,
            200);
}

TEST_F(Access, OfAUserEndsWhereTheOperatorsBegins) {
  const std::vector<Asked> calls{{.path = "/api/admin/users"},
                                 {.method = "POST", .path = "/api/admin/users", .body = R"({"name":"eve"})"},
                                 {.path = "/api/admin/users/alice"},
                                 {.method = "PATCH", .path = "/api/admin/users/alice", .body = "{}"},
                                 {.method = "POST", .path = "/api/admin/users/alice/token", .body = ""},
                                 {.method = "POST", .path = "/api/admin/users/alice/credits", .body = "{}"},
                                 {.path = "/api/admin/audit"}};
  for (Asked asked : calls) {
    EXPECT_EQ(ask(asked).status, 401) << asked.path;
    asked.headers = {bearer("alice-token")};
    const Answer answer = ask(asked);
    EXPECT_EQ(answer.status, 403) << asked.path;
    EXPECT_EQ(answer.code(), "forbidden") << asked.path;
  }
  EXPECT_EQ(ledger->list_users().value().size(), 1U);
}

TEST_F(Access, OfTheOperatorHasNoBalance) {
  EXPECT_EQ(get("/api/credits/balance", operator_token).code(), "forbidden");
  EXPECT_EQ(post("/api/credits/purchase", operator_token, R"({"amount":10})").code(), "forbidden");
}

TEST_F(Access, ForThingsThatAreForAnyoneNeedsNoToken) {
  for (const char* path : {"/", "/api/credits/packages", "/healthz", "/readyz", "/metrics"})
    EXPECT_EQ(ask({.path = path}).status, 200) << path;
}

TEST_F(Access, FromAPageOfAnotherSiteIsRefused) {
  const auto user = ledger->find_user("alice").value();
  for (const char* field : {"Origin: https://evil.example", "Origin: null", "Origin: http://127.0.0.1:1",
                            "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"}) {
    const Answer answer = ask({.method = "POST",
                               .path = "/api/credits/purchase",
                               .headers = {bearer("alice-token"), field},
                               .body = R"({"amount":10})"});
    EXPECT_EQ(answer.status, 403) << field;
    EXPECT_EQ(answer.code(), "cross_origin") << field;
  }
  EXPECT_EQ(rows_of(user), 0U);
}

TEST_F(Access, FromAPageOfOurOwnIsAllowed) {
  const std::string own = "Origin: http://127.0.0.1:" + std::to_string(port);
  const Answer answer = ask({.method = "POST",
                             .path = "/api/credits/purchase",
                             .headers = {bearer("alice-token"), own, "Sec-Fetch-Site: same-origin"},
                             .body = R"({"amount":10})"});
  EXPECT_EQ(answer.status, 201);
}

TEST_F(Access, OfTheOperatorChangesWithTheConfiguration) {
  config::BillingConfig config = usual_config();
  config.admin.operator_token = "another";
  server->reload(config);
  EXPECT_EQ(get("/api/admin/users", operator_token).status, 401);
  EXPECT_EQ(get("/api/admin/users", "another").status, 200);
}

class NoOperator : public AdminPort {
  void configure(config::BillingConfig& config) override { config.admin.operator_token.clear(); }
};

TEST_F(NoOperator, IsNobodyWhateverTokenIsSent) {
  for (const char* token : {"operator-token", " ", "\"\""})
    EXPECT_EQ(get("/api/admin/users", token).status, 401) << token;
}

class Demo : public Access {
 protected:
  void configure(config::BillingConfig& config) override { config.admin.anonymous_user = "alice"; }
};

TEST_F(Demo, ActsAsTheDemoUserWithoutAToken) {
  // As curl -d sends it: with the content type of a form.
  const Answer answer = ask({.method = "POST", .path = "/api/credits/purchase", .body = R"({"amount":10})"});
  EXPECT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(ask({.path = "/api/credits/balance"}).json().at("user"), "alice");
}

TEST_F(Demo, DoesNotForgiveAWrongToken) {
  EXPECT_EQ(get("/api/credits/balance", "wrong").status, 401);
}

TEST_F(Demo, MakesNobodyAnOperator) {
  EXPECT_EQ(ask({.path = "/api/admin/users"}).status, 403);
}

TEST_F(Demo, RefusesAFormThatAnotherSitePosts) {
  const Answer answer = ask({.method = "POST",
                             .path = "/api/credits/purchase",
                             .headers = {"Origin: http://evil.example", "Content-Type: text/plain"},
                             .body = R"({"amount":10})"});
  EXPECT_EQ(answer.code(), "cross_origin");
}

TEST_F(Demo, RefusesANameThatWasReboundToUs) {
  for (const char* host_field : {"Host: evil.example", "Host: evil.example:8082", "Host: 10.0.0.1",
                                 "Host: localhost.evil.example", "Host: 127.0.0.1.evil.example"}) {
    const Answer answer = ask({.path = "/api/credits/balance", .headers = {host_field}});
    EXPECT_EQ(answer.status, 421) << host_field;
    EXPECT_EQ(answer.code(), "host_not_allowed") << host_field;
  }
}

TEST_F(Demo, IsServedByItsOwnNames) {
  for (const char* host_field :
       {"Host: localhost", "Host: LOCALHOST:8082", "Host: 127.0.0.1:8082", "Host: [::1]:8082"})
    EXPECT_EQ(ask({.path = "/api/credits/balance", .headers = {host_field}}).status, 200) << host_field;
}

}  // namespace
}  // namespace payg::test
