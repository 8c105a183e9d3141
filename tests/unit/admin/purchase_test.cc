#include "tests/unit/admin/admin_port.h"

namespace payg::test {
namespace {

class Purchase : public AdminPort {
 protected:
  void SetUp() override {
    AdminPort::SetUp();
    alice = add_user("alice");
  }
  Answer buy(const std::string& body, std::vector<std::string> headers = {}) {
    headers.push_back(bearer("alice-token"));
    return ask({.method = "POST", .path = "/api/credits/purchase", .headers = headers, .body = body});
  }

  billing::User alice;
};

TEST_F(Purchase, APackageIsPaidAtOnceAndCredited) {
  const Answer answer = buy(R"({"amount":10})");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  const auto order = answer.json();
  EXPECT_TRUE(order.at("reference").get<std::string>().starts_with("sim-"));
  EXPECT_EQ(order.at("reference").get<std::string>().size(), 36U);
  EXPECT_EQ(order.at("status"), "paid");
  EXPECT_EQ(order.at("price"), 10);
  EXPECT_EQ(order.at("currency"), "USD");
  EXPECT_EQ(order.at("credits"), 10);
  EXPECT_EQ(order.at("bonus"), 0);
  EXPECT_TRUE(order.at("authorization_url").is_null());
  EXPECT_EQ(balance_of(alice), "10.00");
  ASSERT_EQ(metering.changed_users().size(), 1U);
  EXPECT_EQ(metering.changed_users()[0].name, "alice");
}

TEST_F(Purchase, ABonusIsCreditedOnTop) {
  const auto order = buy(R"({"amount":25,"method":"simulated"})").json();
  EXPECT_EQ(order.at("price"), 25);
  EXPECT_EQ(order.at("credits"), 27);
  EXPECT_EQ(order.at("bonus"), 2);
  EXPECT_EQ(balance_of(alice), "27.00");
  EXPECT_EQ(rows_of(alice), 2U);
}

TEST_F(Purchase, AnAmountMayBeSpelledAsANumberOrAsADecimalString) {
  for (const char* body : {R"({"amount":10})", R"({"amount":10.00})", R"({"amount":"10"})",
                           R"({"amount":"10.0"})", R"({"amount":10,"method":null,"else":[1,{"amount":5}]})"})
    EXPECT_EQ(buy(body).status, 201) << body;
  EXPECT_EQ(balance_of(alice), "50.00");
}

struct BadPurchase {
  const char* body;
  int status;
  const char* code;
};

TEST_F(Purchase, WhatIsNoPackageIsRefusedAndChangesNothing) {
  const BadPurchase table[] = {
      {R"({"amount":0})", 422, "not_a_package"},
      {R"({"amount":-10})", 422, "not_a_package"},
      {R"({"amount":11})", 422, "not_a_package"},
      {R"({"amount":10.5})", 422, "not_a_package"},
      {R"({"amount":10.0000000000000000001})", 422, "invalid_value"},
      {R"({"amount":9.99999999999999999})", 422, "invalid_value"},
      {R"({"amount":1e308})", 422, "invalid_value"},
      {R"({"amount":1e1})", 422, "invalid_value"},
      {R"({"amount":1e999})", 400, "invalid_json"},
      {R"({"amount":18446744073709551626})", 422, "invalid_value"},
      {R"({"amount":null})", 422, "invalid_value"},
      {R"({"amount":true})", 422, "invalid_value"},
      {R"({"amount":[10]})", 422, "invalid_value"},
      {R"({"amount":{"amount":10}})", 422, "invalid_value"},
      {R"({"amount":"10; drop"})", 422, "invalid_value"},
      {R"({"amount":" 10"})", 422, "invalid_value"},
      {R"({"amount":"1e1"})", 422, "invalid_value"},
      {R"({"amount":""})", 422, "invalid_value"},
      {R"({"amount":"ten"})", 422, "invalid_value"},
      {R"({})", 422, "invalid_value"},
      {R"({"Amount":10})", 422, "invalid_value"},
      {R"({"amount":10,"method":"cash"})", 422, "unknown_method"},
      {R"({"amount":10,"method":7})", 422, "invalid_value"},
      {R"({"amount":10,"amount":50})", 400, "invalid_json"},
      {R"({"amount":10)", 400, "invalid_json"},
      {R"({"amount":NaN})", 400, "invalid_json"},
      {R"({"amount":010})", 400, "invalid_json"},
      {R"([10])", 400, "invalid_json"},
      {R"(10)", 400, "invalid_json"},
      {R"("amount")", 400, "invalid_json"},
      {"amount=10", 400, "invalid_json"},
      {"", 400, "invalid_json"},
      {"\xff\xfe", 400, "invalid_json"},
  };
  for (const BadPurchase& bad : table) {
    const Answer answer = buy(bad.body);
    EXPECT_EQ(answer.status, bad.status) << bad.body << answer.body;
    EXPECT_EQ(answer.headers.at("content-type"), "application/problem+json") << bad.body;
    EXPECT_EQ(answer.code(), bad.code) << bad.body;
  }
  EXPECT_EQ(rows_of(alice), 0U);
  EXPECT_TRUE(metering.changed_users().empty());
}

TEST_F(Purchase, DeeplyNestedJsonIsReadOrRefusedButHarmless) {
  const std::string deep = R"({"amount":10,"x":)" + std::string(30'000, '[');
  EXPECT_EQ(buy(deep).code(), "invalid_json");
  EXPECT_EQ(rows_of(alice), 0U);
}

TEST_F(Purchase, ABodyOfTenMegabytesIsTooLargeAndChangesNothing) {
  const std::string huge = R"({"amount":10,"x":")" + std::string(10'000'000, 'x') + "\"}";
  const Answer answer = buy(huge, {"Expect:"});
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.headers.at("content-type"), "application/problem+json");
  EXPECT_EQ(answer.code(), "too_large");
  EXPECT_EQ(rows_of(alice), 0U);
}

TEST_F(Purchase, ABodyOfTenMegabytesIsRefusedAlsoWhenTheClientAsksFirst) {
  const std::string huge(10'000'000, ' ');
  const Answer answer = buy(huge, {"Expect: 100-continue"});
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.code(), "too_large");
}

TEST_F(Purchase, TheSameKeyAndBodyIsTheSameOrderOnce) {
  const Answer first = buy(R"({"amount":10})", {"Idempotency-Key: k-1"});
  const Answer again = buy(R"({ "amount": "10.0" })", {"Idempotency-Key: k-1"});
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(first.json().at("reference"), again.json().at("reference"));
  EXPECT_EQ(balance_of(alice), "10.00");
}

TEST_F(Purchase, TheSameKeyWithAnotherBodyIsRefused) {
  EXPECT_EQ(buy(R"({"amount":10})", {"Idempotency-Key: k-1"}).status, 201);
  const Answer other = buy(R"({"amount":25})", {"Idempotency-Key: k-1"});
  EXPECT_EQ(other.status, 422);
  EXPECT_EQ(other.code(), "idempotency_key_reused");
  EXPECT_EQ(balance_of(alice), "10.00");
}

TEST_F(Purchase, AKeyIsItsUsersOwn) {
  const auto bob = add_user("bob");
  EXPECT_EQ(buy(R"({"amount":10})", {"Idempotency-Key: k-1"}).status, 201);
  const Answer bobs = ask({.method = "POST",
                           .path = "/api/credits/purchase",
                           .headers = {bearer("bob-token"), "Idempotency-Key: k-1"},
                           .body = R"({"amount":50})"});
  EXPECT_EQ(bobs.status, 201);
  EXPECT_EQ(balance_of(bob), "57.00");
}

TEST_F(Purchase, AnImpossibleKeyIsRefused) {
  const Answer answer = buy(R"({"amount":10})", {"Idempotency-Key: " + std::string(256, 'k')});
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.code(), "malformed_request");
  EXPECT_EQ(rows_of(alice), 0U);
}

TEST_F(Purchase, AnOrderIsShownToItsUser) {
  const auto order = buy(R"({"amount":50})").json();
  const Answer shown = get("/api/credits/orders/" + order.at("reference").get<std::string>(), "alice-token");
  EXPECT_EQ(shown.status, 200);
  EXPECT_EQ(shown.json(), order);
}

TEST_F(Purchase, AnotherUsersOrderIsNotThereAtAll) {
  add_user("bob");
  const auto reference = buy(R"({"amount":50})").json().at("reference").get<std::string>();
  const Answer theirs = get("/api/credits/orders/" + reference, "bob-token");
  const Answer nobodys = get("/api/credits/orders/sim-0", "bob-token");
  EXPECT_EQ(theirs.status, 404);
  EXPECT_EQ(theirs.body, nobodys.body);
}

class NothingForSale : public Purchase {
  void configure(config::BillingConfig& config) override { config.simulated_payments = false; }
};

TEST_F(NothingForSale, APurchaseSaysThatThereIsNoWayToPay) {
  const Answer answer = buy(R"({"amount":10})");
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.code(), "no_payment_method");
}

TEST_F(NothingForSale, AReloadedConfigurationSwitchesPaymentsOn) {
  server->reload(usual_config());
  EXPECT_EQ(buy(R"({"amount":10})").status, 201);
}

}  // namespace
}  // namespace payg::test
