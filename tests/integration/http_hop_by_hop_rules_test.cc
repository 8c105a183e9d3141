// PROXY_RULES, "Hop by hop" and "Expect": what a proxy keeps to itself, and what it must hand on.

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

class HopByHop : public EitherProxy {};
INSTANTIATE_TEST_SUITE_P(By, HopByHop, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(HopByHop, FieldsOfARequestStayWithTheProxy) {
  const Origin origin(scripts::answer_ok());
  const auto response =
      ask(get(origin,
              "Connection: keep-alive, X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n"
              "Proxy-Connection: keep-alive\r\nTE: trailers\r\nTrailer: X-T\r\n"
              "Upgrade: h2c\r\nProxy-Authorization: Basic ZGVtbzpkZW1v\r\n"
              "Proxy-Authenticate: Basic\r\nX-Kept: yes\r\n"));
  EXPECT_EQ(response.status, 200);
  const HttpHead head = origin.wait_for_requests(1)[0].head;
  for (const char* name : {"X-Private", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade",
                           "Proxy-Authorization", "Proxy-Authenticate"}) {
    EXPECT_FALSE(head.has(name)) << head.raw;
  }
  EXPECT_EQ(head.field("X-Kept"), "yes");
}

TEST_P(HopByHop, FieldsListedInSeveralConnectionLinesAreAllStripped) {
  const Origin origin(scripts::answer_ok());
  const auto response =
      ask(get(origin, "Connection: X-One\r\nconnection: ,x-TWO ,, keep-alive\r\nX-One: 1\r\nX-Two: 2\r\n"));
  EXPECT_EQ(response.status, 200);
  const HttpHead head = origin.wait_for_requests(1)[0].head;
  EXPECT_FALSE(head.has("X-One")) << head.raw;
  EXPECT_FALSE(head.has("X-Two")) << head.raw;
}

TEST_P(HopByHop, ConnectionThatListsItselfChangesNothing) {
  const Origin origin(scripts::answer_ok());
  EXPECT_EQ(ask(get(origin, "Connection: close, connection\r\n")).status, 200);
  EXPECT_EQ(origin.wait_for_requests(1)[0].head.start_line, "GET / HTTP/1.1");
}

TEST_P(HopByHop, ConnectionCannotTakeTheFramingAway) {
  const Origin origin(scripts::answer_ok());
  const auto response = ask(post(origin, "Content-Length: 5\r\nConnection: content-length\r\n", "hello"));
  EXPECT_EQ(response.status, 200);
  const auto sized = origin.wait_for_requests(1)[0];
  EXPECT_EQ(sized.head.field("Content-Length"), "5") << sized.head.raw;
  EXPECT_EQ(sized.body.content, "hello");

  const auto chunked = ask(post(origin, "Transfer-Encoding: chunked\r\nConnection: transfer-encoding\r\n",
                                "5\r\nhello\r\n0\r\n\r\n"));
  EXPECT_EQ(chunked.status, 200);
  EXPECT_EQ(origin.wait_for_requests(2)[1].body.content, "hello");
}

TEST_P(HopByHop, ConnectionCannotTakeTheHostAway) {
  const Origin origin(scripts::answer_ok());
  EXPECT_EQ(ask(get(origin, "Connection: host\r\n")).status, 200);
  const HttpHead head = origin.wait_for_requests(1)[0].head;
  EXPECT_EQ(head.count("Host"), 1U);
  EXPECT_EQ(head.field("Host"), origin.authority());
}

TEST_P(HopByHop, FieldsOfAResponseStayWithTheProxy) {
  const Origin origin(
      scripts::answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                      "Connection: keep-alive, connection, X-Private, content-length\r\n"
                      "X-Private: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n"
                      "Trailer: X-T\r\nUpgrade: h2c\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
                      "X-Kept: yes\r\n\r\nok"));
  const auto response = ask(get(origin));
  EXPECT_EQ(response.status, 200);
  for (const char* name :
       {"X-Private", "Keep-Alive", "Proxy-Connection", "Trailer", "Upgrade", "Proxy-Authenticate"}) {
    EXPECT_FALSE(response.head.has(name)) << response.head.raw;
  }
  EXPECT_EQ(response.field("X-Kept"), "yes");
  EXPECT_EQ(response.field("Content-Length"), "2");
  EXPECT_EQ(response.body.content, "ok");
}

TEST_P(HopByHop, ViaIsAddedInBothDirections) {
  const Origin origin(scripts::answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nVia: 1.1 inner\r\n\r\n"));
  const auto response = ask(get(origin, "Via: 1.0 outer\r\n"));
  const HttpHead asked = origin.wait_for_requests(1)[0].head;
  const auto all_via = [](const HttpHead& head) {
    std::string all;
    for (const auto& [name, value] : head.fields) {
      if (name == "Via" || name == "via") all += (all.empty() ? "" : ", ") + value;
    }
    return all;
  };
  EXPECT_TRUE(all_via(asked).starts_with("1.0 outer, 1.1 ")) << asked.raw;
  EXPECT_TRUE(all_via(response.head).starts_with("1.1 inner, 1.1 ")) << response.head.raw;
}

TEST_P(HopByHop, ALoopThroughOurselvesIsRefused) {
  const Origin origin(scripts::answer_ok());
  EXPECT_EQ(ask(get(origin)).status, 200);
  const auto via = origin.wait_for_requests(1)[0].head.field("Via");
  ASSERT_TRUE(via);
  const auto looped = ask(get(origin, "Via: 1.1 other, " + *via + "\r\n"));
  EXPECT_GE(looped.status, 400) << looped.head.raw;
  EXPECT_EQ(origin.requests().size(), 1U);
}

TEST_P(HopByHop, TheProxysOwnListenerIsNeverATarget) {
  const std::string self = proxy_.address().to_string();
  EXPECT_EQ(ask("GET http://" + self + "/ HTTP/1.1\r\nHost: " + self + "\r\n\r\n").status, 403);
  RawClient client = connect();
  EXPECT_EQ(http_connect(client, self).status, 403);
  RawClient socks_client = connect();
  EXPECT_EQ(socks::open(socks_client, socks::connect_to(proxy_.address())).code, 2);
}

// ---- Expect

class Expect : public EitherProxy {};
INSTANTIATE_TEST_SUITE_P(By, Expect, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(Expect, IsForwardedAndItsInterimAnswerComesBack) {
  const Origin origin([](OriginConnection& connection) {
    Stream& stream = connection.stream();
    const HttpHead head = parse_head(stream.read_until("\r\n\r\n"));
    if (head.field("Expect") != "100-continue") return;
    connection.send("HTTP/1.1 100 Continue\r\n\r\n");
    const std::string body = stream.read_exactly(5);
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body);
    stream.read_to_end();
  });
  RawClient client = connect();
  client.send(post(origin, "Content-Length: 5\r\nExpect: 100-continue\r\n", ""));
  EXPECT_EQ(read_response(client).status, 100);
  client.send("hello");
  const auto response = read_response(client);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body.content, "hello");
}

TEST_P(Expect, RefusedByTheOriginIsTheFinalAnswer) {
  const Origin origin([](OriginConnection& connection) {
    connection.read_request_head();
    connection.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
  RawClient client = connect();
  client.send(post(origin, "Content-Length: 5\r\nExpect: 100-continue\r\n", ""));
  EXPECT_EQ(read_response(client).status, 417);
}

TEST_P(Expect, IsNotAnsweredWith100BeforeTheTargetWasChecked) {
  RawClient client = connect();
  const std::string forbidden = proxy_.address().to_string();
  client.send("POST http://" + forbidden + "/ HTTP/1.1\r\nHost: " + forbidden +
              "\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(read_response(client).status, 403) << "the first answer, with no 100 before it";
}

TEST_P(Expect, OtherInterimAnswersReachTheClientToo) {
  const Origin origin(
      scripts::answer("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  RawClient client = connect();
  client.send(get(origin));
  const auto hints = read_response(client);
  EXPECT_EQ(hints.status, 103);
  EXPECT_EQ(hints.field("Link"), "</a>");
  EXPECT_EQ(read_response(client).body.content, "ok");
}

}  // namespace
}  // namespace payg::test
