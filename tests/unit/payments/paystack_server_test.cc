#include "tests/fakes/paystack_server.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace payg::test {
namespace {

using Call = PaystackServer::Call;
using Mishap = PaystackServer::Mishap;

class PaystackStandIn : public testing::Test {
 protected:
  HttpResponse ask(const std::string& method, const std::string& path, const std::string& body = {},
                   const std::string& key = "sk_test_of_the_stand_in") {
    RawClient client(parse_address(server.base_url().substr(7)));
    client.send(method + " " + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key +
                "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return read_response(client);
  }
  HttpResponse initialize(const std::string& reference) {
    return ask("POST", "/transaction/initialize",
               R"({"email":"a@b.example","amount":1000,"currency":"USD","reference":")" + reference + "\"}");
  }
  static nlohmann::json json_of(const HttpResponse& response) {
    return nlohmann::json::parse(response.body.content);
  }

  PaystackServer server;
};

TEST_F(PaystackStandIn, BeginsAPaymentAndTellsItsState) {
  const auto begun = initialize("a-1");
  ASSERT_EQ(begun.status, 200);
  EXPECT_EQ(json_of(begun)["data"]["reference"], "a-1");
  EXPECT_EQ(json_of(ask("GET", "/transaction/verify/a-1"))["data"]["status"], "abandoned");
  server.pay("a-1");
  const auto data = json_of(ask("GET", "/transaction/verify/a-1"))["data"];
  EXPECT_EQ(data["status"], "success");
  EXPECT_EQ(data["amount"], 1000);
  EXPECT_EQ(data["currency"], "USD");
  EXPECT_EQ(server.calls(Call::verify), 2);
  EXPECT_EQ(server.references(), std::vector<std::string>{"a-1"});
}

TEST_F(PaystackStandIn, TakesAReferenceOnceAndOnlyOfItsAlphabet) {
  EXPECT_EQ(initialize("a-1.2=").status, 200);
  const auto again = initialize("a-1.2=");
  EXPECT_EQ(again.status, 400);
  EXPECT_EQ(json_of(again)["code"], "duplicate_reference");
  EXPECT_EQ(initialize("a_1").status, 400);
  EXPECT_EQ(
      ask("POST", "/transaction/initialize", R"({"email":"a","amount":1,"reference":"x","plan":"p"})").status,
      400);
  EXPECT_EQ(ask("POST", "/transaction/initialize", R"({"email":"a","amount":1.5,"reference":"x"})").status,
            400);
}

TEST_F(PaystackStandIn, KnowsItsKeyAndNoOther) {
  EXPECT_EQ(ask("GET", "/transaction/verify/a-1", "", "sk_test_other").status, 401);
  EXPECT_EQ(ask("GET", "/transaction/verify/a-1").status, 404);
}

TEST_F(PaystackStandIn, FailsAsItIsToldAndHasDoneItAllTheSame) {
  server.fail(Call::initialize, Mishap::server_error);
  EXPECT_EQ(initialize("a-1").status, 500);
  EXPECT_TRUE(server.payment("a-1"));
  server.fail(Call::initialize, Mishap::html);
  EXPECT_EQ(initialize("a-2").field("Content-Type"), "text/html");
  server.fail(Call::initialize, Mishap::cut);
  EXPECT_FALSE(initialize("a-3").body.complete);
  server.fail(Call::initialize, Mishap::megabytes);
  EXPECT_GT(initialize("a-4").body.content.size(), 10'000'000U);
  server.fail(Call::initialize, Mishap::none);
  EXPECT_EQ(json_of(initialize("a-4"))["code"], "duplicate_reference");
}

TEST_F(PaystackStandIn, RunsWhatItIsToldBeforeItAnswers) {
  bool known = false;
  server.before_answer(Call::initialize, [&] { known = server.payment("a-1").has_value(); });
  EXPECT_EQ(initialize("a-1").status, 200);
  EXPECT_TRUE(known);
}

TEST_F(PaystackStandIn, SignsWhatItSends) {
  const auto event = server.sign("{}");
  EXPECT_EQ(event.signature.size(), 128U);
  EXPECT_NE(event.signature, PaystackServer("another key").sign("{}").signature);
}

}  // namespace
}  // namespace payg::test
