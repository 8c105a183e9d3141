// PROXY_RULES, "CONNECT": a tunnel carries what it is given, to the byte and to the end.

#include <thread>

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

class Connect : public EitherProxy {
 protected:
  /// A client with an open tunnel to `origin`.
  RawClient tunnel_to(const Origin& origin) const {
    RawClient client = connect();
    const auto response = http_connect(client, origin.authority());
    if (response.status != 200) throw HarnessError("no tunnel: " + response.head.raw);
    return client;
  }
};

INSTANTIATE_TEST_SUITE_P(By, Connect, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(Connect, TakesOnlyTheAuthorityForm) {
  const Origin origin(scripts::echo());
  for (const std::string target : {"http://{origin}/", "/path", "127.0.0.1", "user@{origin}", "{origin}/",
                                   "*", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:http",
                                   ":80", "[::1]", "::1:80", "[127.0.0.1]:80", "{origin}#a"}) {
    const auto response =
        ask(at(origin, "CONNECT " + target + " HTTP/1.1\r\nHost: {origin}\r\n\r\n"), "CONNECT");
    EXPECT_EQ(response.status, 400) << target;
  }
  EXPECT_EQ(origin.connections(), 0);
}

TEST_P(Connect, IsAnsweredWith200WithoutAnyFraming) {
  const Origin origin(scripts::echo());
  RawClient client = connect();
  const auto response = http_connect(client, origin.authority());
  EXPECT_EQ(response.status, 200);
  EXPECT_FALSE(response.head.has("Content-Length")) << response.head.raw;
  EXPECT_FALSE(response.head.has("Transfer-Encoding")) << response.head.raw;
}

TEST_P(Connect, ToAnIpv6LiteralWorks) {
  const Origin origin(scripts::echo(), "[::1]:0");
  RawClient client = tunnel_to(origin);
  client.send("six");
  EXPECT_EQ(client.read_exactly(3), "six");
}

TEST_P(Connect, FromHttp10Works) {
  const Origin origin(scripts::echo());
  RawClient client = connect();
  client.send("CONNECT " + origin.authority() + " HTTP/1.0\r\n\r\n");
  EXPECT_EQ(read_response(client, "CONNECT").status, 200);
  client.send("ten");
  EXPECT_EQ(client.read_exactly(3), "ten");
}

TEST_P(Connect, WithoutAHostIsRefusedIn11) {
  const Origin origin(scripts::echo());
  EXPECT_EQ(ask("CONNECT " + origin.authority() + " HTTP/1.1\r\n\r\n", "CONNECT").status, 400);
  EXPECT_EQ(origin.connections(), 0);
}

TEST_P(Connect, ForwardsWhatWasSentBehindTheHead) {
  const Origin origin(scripts::echo());
  RawClient client = connect();
  client.send(at(origin, "CONNECT {origin} HTTP/1.1\r\nHost: {origin}\r\n\r\nearly bytes"));
  EXPECT_EQ(read_response(client, "CONNECT").status, 200);
  EXPECT_EQ(client.read_exactly(11), "early bytes");
}

TEST_P(Connect, ForwardsMoreBehindTheHeadThanAnyBufferHolds) {
  const Origin origin(scripts::echo());
  RawClient client = connect();
  const std::string early = Pattern::bytes(0, 2'000'000);
  std::thread sender([&] {
    static_cast<void>(
        client.try_send(at(origin, "CONNECT {origin} HTTP/1.1\r\nHost: {origin}\r\n\r\n") + early));
  });
  EXPECT_EQ(read_response(client, "CONNECT").status, 200);
  EXPECT_EQ(client.read_exactly(early.size()), early);
  sender.join();
}

TEST_P(Connect, GivesNoMeaningToWhatTheTunnelCarries) {
  const Origin origin(scripts::echo());
  RawClient client = tunnel_to(origin);
  const std::string odd =
      std::string("\0\xff\r\n\r\nGET / HTTP/1.1\r\n\r\n", 24) + "HTTP/1.1 400 Bad\r\n\r\n";
  client.send(odd);
  EXPECT_EQ(client.read_exactly(odd.size()), odd);
}

TEST_P(Connect, LetsTheServerSpeakFirst) {
  const Origin origin(scripts::pattern_stream(5));
  RawClient client = tunnel_to(origin);
  EXPECT_EQ(client.read_to_end(), Pattern::bytes(0, 5));
}

TEST_P(Connect, DeliversAllThatWasSentBeforeTheOriginClosed) {
  const Origin origin(scripts::pattern_stream(20'000'000));
  RawClient client = tunnel_to(origin);
  PatternCheck check;
  check.feed(client.read_to_end());
  EXPECT_EQ(check.good_bytes(), 20'000'000U);
  EXPECT_FALSE(client.was_reset());
}

TEST_P(Connect, DeliversAllThatWasSentBeforeTheClientClosed) {
  Signal arrived;
  PatternCheck check;
  const Origin origin([&](OriginConnection& connection) {
    check.feed(connection.stream().read_to_end());
    arrived.set();
  });
  {
    RawClient client = tunnel_to(origin);
    client.send(Pattern::bytes(0, 10'000'000));
  }
  arrived.wait();
  EXPECT_EQ(check.good_bytes(), 10'000'000U);
}

TEST_P(Connect, CarriesAClientsHalfCloseAndTheAnswerToIt) {
  const Origin origin([](OriginConnection& connection) {
    const std::string all = connection.stream().read_to_end();
    connection.send("got " + std::to_string(all.size()));
  });
  RawClient client = tunnel_to(origin);
  client.send("hello");
  client.finish_sending();
  EXPECT_EQ(client.read_to_end(), "got 5");
}

TEST_P(Connect, CarriesAnOriginsHalfCloseAndWhatTheClientSaysAfterIt) {
  Signal client_saw_the_end;
  Signal checked;
  std::string heard;
  const Origin origin([&](OriginConnection& connection) {
    connection.send("bye");
    connection.stream().finish_sending();
    heard = connection.stream().read_to_end();
    checked.set();
  });
  RawClient client = tunnel_to(origin);
  EXPECT_EQ(client.read_to_end(), "bye");
  client.send("still here");
  client.finish_sending();
  checked.wait();
  EXPECT_EQ(heard, "still here");
}

TEST_P(Connect, CarriesBulkInBothDirectionsAtOnce) {
  const Origin origin(scripts::echo());
  RawClient client = tunnel_to(origin);
  constexpr std::uint64_t size = 30'000'000;
  std::thread sender([&] {
    for (std::uint64_t sent = 0; sent < size;) {
      const auto piece =
          Pattern::at(sent, static_cast<std::size_t>(std::min<std::uint64_t>(size - sent, 262'144)));
      if (!client.try_send(piece)) return;
      sent += piece.size();
    }
    client.finish_sending();
  });
  PatternCheck check;
  for (auto bytes = client.read_some(); !bytes.empty(); bytes = client.read_some()) check.feed(bytes);
  sender.join();
  EXPECT_EQ(check.good_bytes(), size);
}

TEST_P(Connect, KeepsASlowReaderWaitingWithoutLosingAByte) {
  const Origin origin(scripts::pattern_stream(8'000'000));
  RawClient client = proxy_.connect(ReceiveBuffer::small);
  ASSERT_EQ(http_connect(client, origin.authority()).status, 200);
  PatternCheck check;
  for (auto bytes = client.read_some(1500); !bytes.empty(); bytes = client.read_some(1500)) check.feed(bytes);
  EXPECT_EQ(check.good_bytes(), 8'000'000U);
}

TEST_P(Connect, ToAPortWhereNobodyListensIs502) {
  const ClosedPort closed;
  RawClient client = connect();
  const auto response = http_connect(client, closed.address().to_string());
  EXPECT_EQ(response.status, 502);
  EXPECT_EQ(proxy_error(response), "connection_refused") << response.head.raw;
}

TEST_P(Connect, ThatFailedLeavesTheConnectionUsable) {
  const Origin origin(scripts::echo());
  RawClient client = connect();
  const std::string self = proxy_.address().to_string();
  client.send("CONNECT " + self + " HTTP/1.1\r\nHost: " + self + "\r\n\r\n");
  EXPECT_EQ(read_response(client).status, 403);
  EXPECT_EQ(http_connect(client, origin.authority()).status, 200);
  client.send("works");
  EXPECT_EQ(client.read_exactly(5), "works");
}

TEST_P(Connect, ByARealClientWorks) {
  const Origin origin(scripts::answer_ok("through a tunnel"));
  const auto curl =
      run_program({"/usr/bin/curl", "-sS", "-p", "--proxy-insecure", "-x",
                   (GetParam() == Transport::plain ? "http://" : "https://") + proxy_.address().to_string(),
                   origin.url()});
  EXPECT_EQ(curl.status.code, 0) << curl.errors;
  EXPECT_EQ(curl.output, "through a tunnel");
}

}  // namespace
}  // namespace payg::test
