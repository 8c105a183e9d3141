#include "billing/payments/https_client.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "tests/support/harness/http_message.h"
#include "tests/support/harness/origin.h"
#include "tests/support/harness/patience.h"

namespace payg::test {
namespace {

using namespace std::chrono_literals;
using billing::HttpsAnswer;
using billing::HttpsClient;
using billing::HttpsError;
using billing::HttpsRequest;
using Outcome = Result<HttpsAnswer, HttpsError>;
using Code = HttpsError::Code;

std::future<Outcome> begin(HttpsClient& client, HttpsRequest request) {
  auto promise = std::make_shared<std::promise<Outcome>>();
  auto future = promise->get_future();
  const auto sent =
      client.send(std::move(request), [promise](Outcome outcome) { promise->set_value(outcome); });
  if (!sent.ok()) promise->set_value(sent.error());
  return future;
}

Outcome get(HttpsClient& client, const std::string& url) {
  return begin(client, {.method = HttpsRequest::Method::get, .url = url}).get();
}

Code code_of(const Outcome& outcome) {
  if (outcome.ok()) throw HarnessError("it was answered: " + std::to_string(outcome->status));
  return outcome.error().code;
}

/// Answers nothing until the connection ends.
Origin::Script silence() {
  return [](OriginConnection& connection) {
    if (connection.read_request()) connection.stream().read_to_end();
  };
}

TEST(HttpsClient, AnswersWithStatusAndBodyWhateverTheStatusIs) {
  Origin origin(scripts::answer("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"));
  HttpsClient client;
  const auto outcome = get(client, origin.url("/x?y=1"));
  ASSERT_TRUE(outcome.ok()) << outcome.error().message;
  EXPECT_EQ(outcome->status, 404);
  EXPECT_EQ(outcome->body, "none");
  EXPECT_EQ(origin.requests().at(0).head.start_line, "GET /x?y=1 HTTP/1.1");
}

TEST(HttpsClient, PostsItsBodyWithItsFields) {
  Origin origin(scripts::answer_ok());
  HttpsClient client;
  const auto outcome = begin(client, {.method = HttpsRequest::Method::post,
                                      .url = origin.url(),
                                      .fields = {"Content-Type: application/json", "Authorization: Bearer k"},
                                      .body = R"({"a":1})"})
                           .get();
  ASSERT_TRUE(outcome.ok());
  const auto asked = origin.requests().at(0);
  EXPECT_EQ(asked.head.start_line, "POST / HTTP/1.1");
  EXPECT_EQ(asked.head.field("Content-Type"), "application/json");
  EXPECT_EQ(asked.head.field("Authorization"), "Bearer k");
  EXPECT_EQ(asked.body.content, R"({"a":1})");
}

TEST(HttpsClient, KeepsItsConnectionForTheNextRequest) {
  Origin origin(scripts::answer_ok());
  HttpsClient client;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(get(client, origin.url()).ok());
  EXPECT_EQ(origin.connections(), 1);
}

TEST(HttpsClient, AnswersManyAtOnceOnceEach) {
  Origin origin(scripts::answer_ok());
  HttpsClient client;
  std::vector<std::future<Outcome>> futures;
  for (int i = 0; i < 50; ++i)
    futures.push_back(begin(client, {.method = HttpsRequest::Method::get, .url = origin.url()}));
  for (auto& each : futures) EXPECT_TRUE(each.get().ok());
}

TEST(HttpsClient, FollowsNoRedirect) {
  Origin origin(scripts::answer("HTTP/1.1 302 Found\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n"));
  HttpsClient client;
  EXPECT_EQ(get(client, origin.url()).value().status, 302);
  EXPECT_EQ(origin.requests().size(), 1U);
}

TEST(HttpsClient, AServerThatIsSilentTimesOut) {
  Origin origin(silence());
  HttpsClient client({.whole = 50ms});
  EXPECT_EQ(code_of(get(client, origin.url())), Code::timed_out);
}

TEST(HttpsClient, AServerThatSpeaksSlowlyForeverTimesOutToo) {
  Origin origin([](OriginConnection& connection) {
    if (!connection.read_request()) return;
    connection.send("HTTP/1.1 200 OK\r\n\r\n");
    while (!connection.stream().readable_within(5ms)) connection.send("x");
  });
  HttpsClient client({.whole = 100ms});
  EXPECT_EQ(code_of(get(client, origin.url())), Code::timed_out);
}

TEST(HttpsClient, ABodyThatIsTooLargeIsNotTaken) {
  Origin origin([](OriginConnection& connection) {
    if (!connection.read_request()) return;
    connection.send("HTTP/1.1 200 OK\r\n\r\n");
    connection.send_pattern(10'000'000);
  });
  HttpsClient client;
  EXPECT_EQ(code_of(get(client, origin.url())), Code::too_large);
}

TEST(HttpsClient, ABodyOfExactlyTheLimitIsTaken) {
  Origin origin(scripts::answer_ok(std::string(65'536, 'x')));
  HttpsClient client;
  EXPECT_EQ(get(client, origin.url()).value().body.size(), 65'536U);
}

TEST(HttpsClient, AHeadThatIsTooLargeIsNotTaken) {
  Origin origin([](OriginConnection& connection) {
    if (!connection.read_request()) return;
    connection.send("HTTP/1.1 200 OK\r\n");
    while (connection.stream().try_send("X-More: " + std::string(1000, 'x') + "\r\n")) {
    }
  });
  HttpsClient client;
  EXPECT_EQ(code_of(get(client, origin.url())), Code::too_large);
}

TEST(HttpsClient, AnAnswerThatEndsInTheMiddleIsBroken) {
  Origin origin(scripts::answer_and_close("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"));
  HttpsClient client;
  EXPECT_EQ(code_of(get(client, origin.url())), Code::broken);
}

TEST(HttpsClient, WhatIsNoHttpIsBroken) {
  Origin origin(scripts::answer_and_close("SSH-2.0-OpenSSH_9.2p1\r\n"));
  HttpsClient client;
  EXPECT_EQ(code_of(get(client, origin.url())), Code::broken);
}

TEST(HttpsClient, APortWhereNobodyListensIsUnreachable) {
  const ClosedPort port;
  HttpsClient client;
  EXPECT_EQ(code_of(get(client, "http://" + port.address().to_string() + "/")), Code::unreachable);
}

TEST(HttpsClient, BeyondItsBoundARequestIsRefusedAtOnce) {
  Origin origin(silence());
  HttpsClient client({.under_way = 2});
  auto first = begin(client, {.method = HttpsRequest::Method::get, .url = origin.url()});
  auto second = begin(client, {.method = HttpsRequest::Method::get, .url = origin.url()});
  EXPECT_EQ(code_of(get(client, origin.url())), Code::busy);
  client.stop();
  EXPECT_EQ(code_of(first.get()), Code::stopped);
  EXPECT_EQ(code_of(second.get()), Code::stopped);
}

TEST(HttpsClient, StopAnswersWhatIsUnderWayAndTakesNothingMore) {
  Origin origin(silence());
  HttpsClient client;
  auto waiting = begin(client, {.method = HttpsRequest::Method::get, .url = origin.url()});
  origin.wait_for_requests(1);
  client.stop();
  EXPECT_EQ(code_of(waiting.get()), Code::stopped);
  EXPECT_EQ(code_of(get(client, origin.url())), Code::stopped);
}

TEST(HttpsClient, SendsFromWithinAnAnswer) {
  Origin origin(scripts::answer_ok());
  HttpsClient client;
  std::promise<Outcome> second;
  const auto sent =
      client.send({.method = HttpsRequest::Method::get, .url = origin.url()}, [&](const Outcome&) {
        const auto next = client.send({.method = HttpsRequest::Method::get, .url = origin.url()},
                                      [&](Outcome outcome) { second.set_value(std::move(outcome)); });
        EXPECT_TRUE(next.ok());
      });
  ASSERT_TRUE(sent.ok());
  EXPECT_TRUE(second.get_future().get().ok());
}

TEST(HttpsClient, AsksWithoutTlsOnlyThisMachine) {
  for (const char* url :
       {"https://api.paystack.co/transaction/initialize", "https://192.0.2.1:8443/", "http://127.0.0.1:1/x",
        "http://127.9.9.9/", "http://[::1]:2/", "http://localhost:3/"})
    EXPECT_TRUE(HttpsClient::may_ask(url)) << url;
  for (const char* url :
       {"", "x", "http://192.0.2.1/", "http://example.com/", "http://localhost.example.com/",
        "http://2130706433.x/", "http://127.0.0.1@example.com/", "https://user:password@example.com/",
        "ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/", "//127.0.0.1/", "127.0.0.1:80",
        "https://"})
    EXPECT_FALSE(HttpsClient::may_ask(url)) << url;
}

TEST(HttpsClient, WhatMayNotBeAskedIsRefusedAtOnce) {
  HttpsClient client;
  EXPECT_EQ(code_of(get(client, "http://192.0.2.1/")), Code::not_allowed);
  EXPECT_EQ(code_of(get(client, "file:///etc/hostname")), Code::not_allowed);
}

}  // namespace
}  // namespace payg::test
