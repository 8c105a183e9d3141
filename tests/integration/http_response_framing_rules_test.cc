// PROXY_RULES, "Framing", for responses: none is made longer, shorter or more complete than it was.

#include <set>

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

class ResponseBody : public EitherProxy {};
INSTANTIATE_TEST_SUITE_P(By, ResponseBody, testing::ValuesIn(both_transports), name_of_transport);

/// The connection can still be used: the next answer is not mixed up with the last one's body.
void expect_next_answer_is_clean(RawClient& client, const Origin& origin) {
  client.send(get(origin, "", "/next"));
  const auto next = read_response(client);
  EXPECT_EQ(next.status, 200);
  EXPECT_EQ(next.body.content, "next");
}

/// Answers "/next" with "next" and everything else with `response` as it stands.
Origin::Script answer_or_next(std::string response) {
  return [response = std::move(response)](OriginConnection& connection) {
    while (connection.read_request()) {
      const bool next = connection.request().head.start_line == "GET /next HTTP/1.1";
      connection.send(next ? "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext" : response);
    }
  };
}

TEST_P(ResponseBody, IsAbsentAfterHeadWhateverTheFieldsSay) {
  const Origin origin(answer_or_next("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
  RawClient client = connect();
  client.send(at(origin, "HEAD http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\n\r\n"));
  const auto response = read_response(client, "HEAD");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.field("Content-Length"), "5");
  expect_next_answer_is_clean(client, origin);
}

TEST_P(ResponseBody, IsAbsentAfterHeadOfAChunkedResource) {
  const Origin origin(answer_or_next("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
  RawClient client = connect();
  client.send(at(origin, "HEAD http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\n\r\n"));
  EXPECT_EQ(read_response(client, "HEAD").status, 200);
  expect_next_answer_is_clean(client, origin);
}

TEST_P(ResponseBody, IsAbsentIn204) {
  const Origin origin(answer_or_next("HTTP/1.1 204 No Content\r\n\r\n"));
  RawClient client = connect();
  client.send(get(origin));
  const auto response = read_response(client);
  EXPECT_EQ(response.status, 204);
  EXPECT_FALSE(response.head.has("Transfer-Encoding"));
  expect_next_answer_is_clean(client, origin);
}

TEST_P(ResponseBody, IsAbsentIn304EvenWithALength) {
  const Origin origin(
      answer_or_next("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n"));
  RawClient client = connect();
  client.send(get(origin));
  EXPECT_EQ(read_response(client).status, 304);
  expect_next_answer_is_clean(client, origin);
}

TEST_P(ResponseBody, InChunksArrivesWithTheSameContent) {
  const Origin origin(
      answer_or_next("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-T: t\r\n\r\n"));
  RawClient client = connect();
  client.send(get(origin));
  const auto response = read_response(client);
  EXPECT_EQ(response.body.content, "hello world");
  EXPECT_TRUE(response.body.complete);
  expect_next_answer_is_clean(client, origin);
}

TEST_P(ResponseBody, InChunksGoesToAnHttp10ClientUntilClose) {
  const Origin origin(
      scripts::answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
  const auto response = ask(at(origin, "GET http://{origin}/ HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(response.body.framing, BodyFraming::until_close) << response.head.raw;
  EXPECT_EQ(response.body.content, "hello");
}

TEST_P(ResponseBody, UntilCloseArrivesWhole) {
  const Origin origin([](OriginConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\n\r\n");
    connection.send_pattern(3'000'000);
  });
  const auto response = ask(get(origin));
  EXPECT_NE(response.body.framing, BodyFraming::length) << response.head.raw;
  EXPECT_TRUE(response.body.complete);
  PatternCheck check;
  check.feed(response.body.content);
  EXPECT_EQ(check.good_bytes(), 3'000'000U);
}

TEST_P(ResponseBody, OfAKnownLengthIsStreamedWhole) {
  const Origin origin(scripts::pattern_download(16'000'000));
  const auto response = ask(get(origin));
  EXPECT_EQ(response.field("Content-Length"), "16000000");
  PatternCheck check;
  check.feed(response.body.content);
  EXPECT_EQ(check.good_bytes(), 16'000'000U);
}

TEST_P(ResponseBody, ReachesTheClientBeforeItIsWhole) {
  Signal half_seen;
  const Origin origin([&](OriginConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    half_seen.wait();
    connection.send("0\r\n\r\n");
    connection.stream().read_to_end();
  });
  RawClient client = connect();
  client.send(get(origin));
  client.read_until("hello");
  half_seen.set();
  client.read_until("\r\n0\r\n\r\n");
}

struct BrokenResponse {
  const char* name;
  std::string raw;
};

void PrintTo(const BrokenResponse& broken, std::ostream* out) {
  *out << broken.name;
}

class ABrokenResponse : public BothProxy, public testing::WithParamInterface<BrokenResponse> {};

TEST_P(ABrokenResponse, Becomes502AndIsNotPassedOn) {
  for (const Transport transport : both_transports) {
    SCOPED_TRACE(testing::PrintToString(transport));
    const Origin origin(scripts::answer(GetParam().raw));
    RawClient client = connect(transport);
    client.send(get(origin));
    const auto response = read_response(client);
    EXPECT_EQ(response.status, 502) << response.head.raw;
    EXPECT_TRUE(response.head.has("Proxy-Status"));
    EXPECT_EQ(response.body.content.find("smuggled"), std::string::npos);
    client.send(get(origin));
    client.finish_sending();
    client.read_to_end();
    std::set<int> used;
    for (const auto& seen : origin.requests()) {
      EXPECT_TRUE(used.insert(seen.connection).second) << "an origin connection that broke was used again";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Of, ABrokenResponse,
    testing::Values(
        BrokenResponse{"LengthAndChunked",
                       "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "0\r\n\r\nsmuggled"},
        BrokenResponse{"TwoLengths",
                       "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 8\r\n\r\nsmuggled"},
        BrokenResponse{"BadLength", "HTTP/1.1 200 OK\r\nContent-Length: +8\r\n\r\nsmuggled"},
        BrokenResponse{"HugeLength",
                       "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nsmuggled"},
        BrokenResponse{"NoHttp", "220 mail.example ESMTP smuggled\r\n\r\n"},
        BrokenResponse{"NulInTheHead",
                       std::string("HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 8\r\n\r\nsmuggled", 56)},
        BrokenResponse{"BareLfInTheHead", "HTTP/1.1 200 OK\r\nX-A: a\nContent-Length: 8\r\n\r\nsmuggled"},
        BrokenResponse{"StatusOfFourDigits", "HTTP/1.1 2000 OK\r\nContent-Length: 8\r\n\r\nsmuggled"},
        BrokenResponse{"HeadTooLarge", "HTTP/1.1 200 OK\r\nX-A: " + std::string(80'000, 'a') + "\r\n\r\n"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_P(ResponseBody, ThatEndsBeforeItsLengthIsNeverMadeToLookComplete) {
  const Origin origin(scripts::answer_and_close("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"));
  const auto response = ask(get(origin));
  EXPECT_EQ(response.body.content, "hello");
  EXPECT_FALSE(response.body.complete);
}

TEST_P(ResponseBody, ThatEndsBeforeItsLastChunkIsNeverMadeToLookComplete) {
  const Origin origin(
      scripts::answer_and_close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"));
  const auto response = ask(get(origin));
  EXPECT_EQ(response.body.content, "hello");
  EXPECT_FALSE(response.body.complete);
}

TEST_P(ResponseBody, WithABrokenChunkIsNeverMadeToLookComplete) {
  const Origin origin(scripts::answer_and_close(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n"));
  const auto response = ask(get(origin));
  EXPECT_EQ(response.body.content, "hello");
  EXPECT_FALSE(response.body.complete);
}

TEST_P(ResponseBody, ToHttp10ThatEndsTooEarlyDoesNotEndInOrder) {
  const Origin origin(
      scripts::answer_and_close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"));
  RawClient client = connect();
  client.send(at(origin, "GET http://{origin}/ HTTP/1.0\r\n\r\n"));
  client.read_to_end();
  EXPECT_TRUE(client.was_reset()) << "an orderly close is how an HTTP/1.0 response says that it is whole";
}

TEST_P(ResponseBody, FromAnOriginThatClosesWithoutAWordIs502) {
  const Origin origin([](OriginConnection& connection) { connection.read_request(); });
  EXPECT_EQ(ask(post(origin, "Content-Length: 2\r\n", "hi")).status, 502);
  EXPECT_EQ(origin.requests().size(), 1U) << "a POST is sent once";
}

TEST_P(ResponseBody, ThatComesEarlyIsDeliveredAndItsConnectionNotUsedAgain) {
  const Origin origin([](OriginConnection& connection) {
    connection.read_request_head();
    connection.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    connection.stream().read_to_end();
  });
  RawClient client = connect();
  client.send(post(origin, "Content-Length: 1000000\r\n", std::string(1000, 'x')));
  const auto response = read_response(client);
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(response.body.content, "no");

  RawClient second = connect();
  second.send(get(origin));
  EXPECT_EQ(read_response(second).status, 403);
  const auto seen = origin.wait_for_requests(2);
  EXPECT_NE(seen[0].connection, seen[1].connection) << "its request body was never finished";
}

TEST_P(ResponseBody, IsFramedByAFieldWhoseNameIsFollowedBySpaces) {
  // RFC 9112 §5.1: a proxy removes such white space from a response before it hands it on.
  const Origin origin(answer_or_next("HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok"));
  RawClient client = connect();
  client.send(get(origin));
  const auto response = read_response(client);
  if (response.status == 502) return;  // refusing it is as good
  EXPECT_EQ(response.field("Content-Length"), "2") << response.head.raw;
  EXPECT_EQ(response.body.content, "ok");
  expect_next_answer_is_clean(client, origin);
}

// ---- Upgrade

TEST_P(ResponseBody, Of101TurnsAnUpgradeIntoATunnel) {
  const Origin origin([](OriginConnection& connection) {
    connection.read_request_head();
    connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: own\r\n\r\nfirst");
    scripts::echo()(connection);
  });
  RawClient client = connect();
  client.send(get(origin, "Connection: Upgrade\r\nUpgrade: own\r\n"));
  const auto response = read_response(client);
  EXPECT_EQ(response.status, 101);
  EXPECT_EQ(response.field("Upgrade"), "own");
  const HttpHead asked = origin.wait_for_requests(1)[0].head;
  EXPECT_EQ(asked.field("Upgrade"), "own");
  EXPECT_EQ(client.read_exactly(5), "first");
  client.send("not HTTP \x01\x02\x03 at all");
  EXPECT_EQ(client.read_exactly(19), "not HTTP \x01\x02\x03 at all");
}

TEST_P(ResponseBody, Of200ToAnUpgradeIsAnOrdinaryOne) {
  const Origin origin(answer_or_next("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  RawClient client = connect();
  client.send(get(origin, "Connection: Upgrade\r\nUpgrade: own\r\n"));
  EXPECT_EQ(read_response(client).body.content, "ok");
  expect_next_answer_is_clean(client, origin);
}

TEST_P(ResponseBody, Of200ToAnUpgradeMakesARequestOfWhatStandsBehindIt) {
  const Origin origin(scripts::answer_ok());
  RawClient client = connect();
  client.send(get(origin, "Connection: upgrade\r\nUpgrade: chat\r\n") + get(origin, {}, "/behind"));
  EXPECT_EQ(read_response(client).status, 200);
  EXPECT_EQ(read_response(client).status, 200);
  const auto seen = origin.wait_for_requests(2);
  EXPECT_EQ(seen[1].head.start_line, "GET /behind HTTP/1.1") << "its target was rewritten: it was read";
  EXPECT_TRUE(seen[1].head.has("Via"));
}

TEST_P(ResponseBody, Of101ThatNobodyAskedForIsRefused) {
  const Origin origin(
      scripts::answer("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: own\r\n\r\n"));
  EXPECT_EQ(ask(get(origin)).status, 502);
}

}  // namespace
}  // namespace payg::test
