// PROXY_RULES, "Keep-alive and pipelining": many requests on one connection, each with its own answer.

#include <algorithm>
#include <atomic>

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

class KeepAlive : public EitherProxy {};
INSTANTIATE_TEST_SUITE_P(By, KeepAlive, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(KeepAlive, PipelinedRequestsToDifferentHostsAreAnsweredInOrder) {
  Signal second_is_sent;
  const Origin slow([&](OriginConnection& connection) {
    while (connection.read_request()) {
      second_is_sent.wait();
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow");
    }
  });
  const Origin fast(scripts::answer_ok("fast"));
  RawClient client = connect();
  client.send(get(slow) + get(fast) + post(slow, "Content-Length: 5\r\n", "hello") + get(fast));
  second_is_sent.set();
  EXPECT_EQ(read_response(client).body.content, "slow");
  EXPECT_EQ(read_response(client).body.content, "fast");
  EXPECT_EQ(read_response(client).body.content, "slow");
  EXPECT_EQ(read_response(client).body.content, "fast");
  EXPECT_EQ(slow.requests().at(1).body.content, "hello");
}

TEST_P(KeepAlive, AHundredPipelinedRequestsGetAHundredAnswers) {
  const Origin origin(scripts::answer_ok("answer"));
  RawClient client = connect();
  std::string all;
  for (int i = 0; i < 100; ++i) all += get(origin, "", "/" + std::to_string(i));
  client.send(all);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(read_response(client).body.content, "answer") << i;
  const auto seen = origin.requests();
  ASSERT_EQ(seen.size(), 100U);
  EXPECT_EQ(seen[99].head.start_line, "GET /99 HTTP/1.1");
}

TEST_P(KeepAlive, RefusalsHaveALengthAndLeaveTheConnectionUsable) {
  const Origin origin(scripts::answer_ok());
  const std::string self = proxy_.address().to_string();
  RawClient client = connect();
  client.send("GET http://" + self + "/ HTTP/1.1\r\nHost: " + self + "\r\n\r\n");
  const auto refusal = read_response(client);
  EXPECT_EQ(refusal.status, 403);
  EXPECT_TRUE(refusal.head.has("Content-Length")) << refusal.head.raw;
  client.send(get(origin));
  EXPECT_EQ(read_response(client).body.content, "ok");
}

TEST_P(KeepAlive, ARefusedTargetOfARequestWithABodyDoesNotMixUpTheNext) {
  const Origin origin(scripts::answer_ok());
  const std::string self = proxy_.address().to_string();
  RawClient client = connect();
  const std::string body = get(origin, "", "/in-the-body");
  client.send("POST http://" + self + "/ HTTP/1.1\r\nHost: " + self +
              "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  client.finish_sending();
  EXPECT_EQ(read_response(client).status, 403);
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_EQ(origin.connections(), 0) << "a body was taken for a request";
}

TEST_P(KeepAlive, AnOriginConnectionIsUsedAgain) {
  const Origin origin(scripts::answer_ok());
  RawClient client = connect();
  for (int i = 0; i < 3; ++i) {
    client.send(get(origin));
    EXPECT_EQ(read_response(client).status, 200);
  }
  EXPECT_EQ(origin.connections(), 1);
}

TEST_P(KeepAlive, ConnectionCloseIsHonoured) {
  const Origin origin(scripts::answer_ok());
  RawClient client = connect();
  client.send(get(origin, "Connection: close\r\n"));
  EXPECT_EQ(read_response(client).body.content, "ok");
  EXPECT_TRUE(client.at_end());
}

TEST_P(KeepAlive, AnHttp10ClientIsClosedUnlessItAskedToStay) {
  const Origin origin(scripts::answer_ok());
  RawClient client = connect();
  client.send(at(origin, "GET http://{origin}/ HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(read_response(client).body.content, "ok");
  EXPECT_TRUE(client.at_end());
}

TEST_P(KeepAlive, AnOriginThatClosesAfterItsAnswerCostsTheClientNothing) {
  const Origin origin(
      scripts::answer_and_close("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"));
  RawClient client = connect();
  for (int i = 0; i < 5; ++i) {
    client.send(get(origin));
    ASSERT_EQ(read_response(client).body.content, "ok") << i;
  }
  EXPECT_EQ(origin.connections(), 5);
}

/// Answers the first request of its first connection, then dies on the next one of that connection before it
/// has said a word. Later connections answer everything.
Origin::Script die_on_second_request() {
  return [](OriginConnection& connection) {
    for (int count = 1; connection.read_request(); ++count) {
      if (connection.number() == 1 && count == 2) return;
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
  };
}

TEST_P(KeepAlive, AGetIsRetriedWhenAPooledConnectionDiesBeforeAnyAnswer) {
  const Origin origin(die_on_second_request());
  RawClient client = connect();
  client.send(get(origin));
  EXPECT_EQ(read_response(client).status, 200);
  client.send(get(origin, "", "/again"));
  EXPECT_EQ(read_response(client).status, 200);
  const auto seen = origin.wait_for_requests(3);
  EXPECT_EQ(seen[1].head.start_line, "GET /again HTTP/1.1");
  EXPECT_EQ(seen[2].head.start_line, "GET /again HTTP/1.1");
}

TEST_P(KeepAlive, APostIsNeverRetried) {
  const Origin origin(die_on_second_request());
  RawClient client = connect();
  client.send(get(origin));
  EXPECT_EQ(read_response(client).status, 200);
  client.send(post(origin, "Content-Length: 2\r\n", "hi"));
  const auto response = read_response(client);
  const auto seen = origin.requests();
  const auto posts = std::count_if(seen.begin(), seen.end(),
                                   [](const auto& each) { return each.head.start_line.starts_with("POST"); });
  EXPECT_EQ(posts, 1);
  // A proxy may send a POST on a connection of its own from the start; what it may not do is send it twice.
  const bool went_to_the_pooled_one = seen.back().connection == 1;
  EXPECT_EQ(response.status, went_to_the_pooled_one ? 502 : 200);
}

TEST_P(KeepAlive, NothingIsRetriedAfterTheFirstByteOfAnAnswer) {
  const Origin origin([](OriginConnection& connection) {
    for (int count = 1; connection.read_request(); ++count) {
      if (count == 2) {
        connection.send("HTTP/1.1 200 OK\r\nContent-Len");
        return;
      }
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
  });
  RawClient client = connect();
  client.send(get(origin));
  EXPECT_EQ(read_response(client).status, 200);
  client.send(get(origin));
  EXPECT_EQ(read_response(client).status, 502);
  EXPECT_EQ(origin.requests().size(), 2U);
}

TEST_P(KeepAlive, AFreshConnectionThatDiesIsNotRetried) {
  const Origin origin([](OriginConnection& connection) { connection.read_request(); });
  EXPECT_EQ(ask(get(origin)).status, 502);
  EXPECT_EQ(origin.requests().size(), 1U);
}

TEST_P(KeepAlive, AnOriginThatClosesItsIdleConnectionIsNotNoticedByTheClient) {
  Signal closed;
  const Origin origin([&](OriginConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    if (connection.number() == 1) {
      connection.close();
      closed.set();
    } else {
      connection.stream().read_to_end();
    }
  });
  RawClient client = connect();
  client.send(get(origin));
  EXPECT_EQ(read_response(client).status, 200);
  closed.wait();
  client.send(get(origin));
  EXPECT_EQ(read_response(client).status, 200);
}

TEST_P(KeepAlive, BytesBehindAResponseAreNotTheNextAnswer) {
  std::atomic<int> answered{0};
  const Origin origin([&](OriginConnection& connection) {
    while (connection.read_request()) {
      const bool first = answered++ == 0;
      connection.send(first ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
                              "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
                            : "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine");
    }
  });
  RawClient client = connect();
  client.send(get(origin));
  EXPECT_EQ(read_response(client).body.content, "ok");
  client.send(get(origin));
  EXPECT_EQ(read_response(client).body.content, "mine");
}

TEST_P(KeepAlive, EmptyLinesBeforeARequestAreOverlooked) {
  const Origin origin(scripts::answer_ok());
  RawClient client = connect();
  client.send(post(origin, "Content-Length: 2\r\n", "hi") + "\r\n" + get(origin));
  EXPECT_EQ(read_response(client).status, 200);
  EXPECT_EQ(read_response(client).status, 200);
}

TEST_P(KeepAlive, AClientThatHalfClosesStillGetsItsAnswer) {
  Signal client_is_done;
  const Origin origin([&](OriginConnection& connection) {
    connection.read_request();
    client_is_done.wait();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate");
    connection.stream().read_to_end();
  });
  RawClient client = connect();
  client.send(get(origin));
  client.finish_sending();
  client_is_done.set();
  EXPECT_EQ(read_response(client).body.content, "late");
  EXPECT_TRUE(client.at_end());
}

}  // namespace
}  // namespace payg::test
