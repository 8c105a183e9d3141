// PROXY_RULES, "Limits": slow, silent and too many clients cost a fixed amount and disturb nobody.

#include <list>

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

using namespace std::chrono_literals;

class HandshakeTimeout : public EitherProxy {
 protected:
  HandshakeTimeout() : EitherProxy(ProxySettings{.proxy_lines = {"handshake_timeout = \"500ms\""}}) {}
};

INSTANTIATE_TEST_SUITE_P(By, HandshakeTimeout, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(HandshakeTimeout, AnswersAHeadThatDoesNotBecomeWholeWith408) {
  RawClient client = connect();
  client.send("GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ");
  EXPECT_EQ(read_response(client).status, 408);
  EXPECT_EQ(client.read_to_end(), "");
}

TEST_P(HandshakeTimeout, IsNotPutOffByAByteNowAndThen) {
  RawClient client = connect();
  client.send("GET http://127.0.0.1/ HTTP/1.1\r\nX: ");
  while (!client.readable_within(50ms)) ASSERT_TRUE(client.try_send("a"));
  EXPECT_EQ(read_response(client).status, 408);
}

TEST_P(HandshakeTimeout, ClosesAClientThatSaysNothing) {
  RawClient client = connect();
  const std::string answer = client.read_to_end();
  EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 408 ")) << answer;
}

TEST_P(HandshakeTimeout, ClosesAHalfSpokenSocksHandshake) {
  RawClient client = connect();
  client.send(socks::greeting(socks::no_authentication));
  EXPECT_EQ(client.read_exactly(2).substr(0, 1), "\x05");
  client.send("\x05\x01");
  EXPECT_LE(client.read_to_end().size(), 10U);
}

TEST_P(HandshakeTimeout, DoesNotConcernATunnelThatIsOpen) {
  const Origin origin(scripts::echo());
  RawClient client = connect();
  ASSERT_EQ(http_connect(client, origin.authority()).status, 200);
  RawClient timekeeper = connect();  // is closed by the same limit, later than ours would be
  timekeeper.read_to_end();
  client.send("still here");
  EXPECT_EQ(client.read_exactly(10), "still here");
}

class IdleTimeout : public EitherProxy {
 protected:
  IdleTimeout() : EitherProxy(ProxySettings{.proxy_lines = {"idle_timeout = \"500ms\""}}) {}
};

INSTANTIATE_TEST_SUITE_P(By, IdleTimeout, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(IdleTimeout, ClosesATunnelInWhichNothingMoves) {
  const Origin origin(scripts::echo());
  RawClient client = connect();
  ASSERT_EQ(http_connect(client, origin.authority()).status, 200);
  client.send("hello");
  EXPECT_EQ(client.read_exactly(5), "hello");
  EXPECT_TRUE(client.at_end());
}

TEST_P(IdleTimeout, ClosesAnIdleSocksTunnel) {
  const Origin origin(scripts::echo());
  RawClient client = connect();
  ASSERT_EQ(socks::open(client, socks::connect_to(origin.address())).code, 0);
  EXPECT_TRUE(client.at_end());
}

TEST_P(IdleTimeout, ClosesAnIdleKeepAliveConnection) {
  const Origin origin(scripts::answer_ok());
  RawClient client = connect();
  client.send(get(origin));
  EXPECT_EQ(read_response(client).status, 200);
  EXPECT_TRUE(client.at_end());
}

TEST_P(IdleTimeout, OfAnOriginThatNeverAnswersIs504) {
  const Origin origin([](OriginConnection& connection) {
    connection.read_request();
    connection.stream().read_to_end();
  });
  EXPECT_EQ(ask(get(origin)).status, 504);
}

TEST_P(IdleTimeout, EndsARequestWhoseBodyDoesNotCome) {
  const Origin origin(scripts::answer_ok());
  RawClient client = connect();
  client.send(post(origin, "Content-Length: 10\r\n", "hello"));
  EXPECT_EQ(read_response(client).status, 504);
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_FALSE(origin.wait_for_requests(1)[0].body.complete);
}

TEST_P(IdleTimeout, ClosesATunnelWhoseClientReadsNothing) {
  Signal closed;
  const Origin origin([&](OriginConnection& connection) {
    while (connection.stream().try_send(Pattern::at(0, 65'536))) {
    }
    closed.set();
  });
  RawClient client = proxy_.connect(ReceiveBuffer::small);
  ASSERT_EQ(http_connect(client, origin.authority()).status, 200);
  closed.wait();
}

TEST_P(IdleTimeout, ClosesADownloadWhoseClientReadsNothing) {
  Signal closed;
  const Origin origin([&](OriginConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    while (connection.stream().try_send(Pattern::at(0, 65'536))) {
    }
    closed.set();
  });
  RawClient client = proxy_.connect(ReceiveBuffer::small);
  client.send(get(origin));
  closed.wait();
}

TEST_P(IdleTimeout, ClosesATunnelThatIsHalfOpen) {
  Signal over;
  const Origin origin([&](OriginConnection& connection) {
    connection.stream().read_to_end();
    over.wait();  // and says nothing itself
  });
  RawClient client = connect();
  ASSERT_EQ(http_connect(client, origin.authority()).status, 200);
  client.finish_sending();
  EXPECT_TRUE(client.at_end());
  over.set();
}

class ConnectionsOfAUser : public testing::Test {
 protected:
  ConnectionsOfAUser()
      : proxy_(ProxySettings{.proxy_lines = {"max_connections_per_user = 2"}, .billing = BillingSettings{}}),
        token_(proxy_.operator_client().create_user("alice")) {
    proxy_.operator_client().add_credits("alice", "10");
  }

  ProxyProcess proxy_;
  std::string token_;
};

TEST_F(ConnectionsOfAUser, BeyondTheLimitAreRefusedAs429AndReply2) {
  const Origin origin(scripts::echo());
  RawClient first = proxy_.connect();
  ASSERT_EQ(http_connect(first, origin.authority(), "alice", token_).status, 200);
  RawClient second = proxy_.connect();
  ASSERT_EQ(socks::open(second, socks::connect_to(origin.address()), "alice", token_).code, 0);

  RawClient third = proxy_.connect();
  const auto refused = http_connect(third, origin.authority(), "alice", token_);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(proxy_error(refused), "connection_limit_reached") << refused.head.raw;
  RawClient fourth = proxy_.connect();
  EXPECT_EQ(socks::open(fourth, socks::connect_to(origin.address()), "alice", token_).code, 2);

  first.close();
  EXPECT_TRUE(eventually([&] {
    RawClient next = proxy_.connect();
    return http_connect(next, origin.authority(), "alice", token_).status == 200;
  })) << "a connection that closes makes room";
}

TEST_F(ConnectionsOfAUser, AreNotCountedForAnotherUser) {
  const Origin origin(scripts::echo());
  const std::string other = proxy_.operator_client().create_user("bob");
  proxy_.operator_client().add_credits("bob", "10");
  std::list<RawClient> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back(proxy_.address());
    ASSERT_EQ(http_connect(clients.back(), origin.authority(), "alice", token_).status, 200);
  }
  RawClient client = proxy_.connect();
  EXPECT_EQ(http_connect(client, origin.authority(), "bob", other).status, 200);
}

class FileDescriptors : public testing::Test {
 protected:
  FileDescriptors() { proxy_.operator_client().add_credits("alice", "10"); }

  static ProxyLaunch with_few() {
    ProxyLaunch launch;
    launch.settings.workers = 1;
    launch.settings.billing = BillingSettings{};
    launch.open_files = 128;
    return launch;
  }
  double pauses() const { return proxy_.operator_client().metric("payg_proxy_accept_pauses_total"); }

  const ProxyProcess proxy_{with_few()};
  const std::string token_ = proxy_.operator_client().create_user("alice");
};

TEST_F(FileDescriptors, RunningOutPausesAcceptingWithoutSpinningAndRecovers) {
  const Origin web(scripts::answer_ok());
  const Origin echo(scripts::echo());
  RawClient tunnel = proxy_.connect();
  ASSERT_EQ(http_connect(tunnel, echo.authority(), "alice", token_).status, 200);
  std::list<RawClient> crowd;
  for (int i = 0; i < 200; ++i) crowd.push_back(proxy_.connect());
  RawClient waiting = proxy_.connect();
  waiting.send(get(web, "Proxy-Authorization: " + basic_credentials("alice", token_) + "\r\n"));
  ASSERT_TRUE(eventually([&] { return pauses() > 0; }));

  // Meanwhile the worker's loop goes round and round for others. One that does not pause would try to accept,
  // and pause again, each time.
  constexpr int rounds = 2000;
  const double paused = pauses();
  for (int i = 0; i < rounds; ++i) {
    tunnel.send(".");
    ASSERT_EQ(tunnel.read_exactly(1), ".");
  }
  EXPECT_LT(pauses() - paused, rounds / 2);
  EXPECT_FALSE(waiting.readable_within(0ms));

  crowd.clear();
  EXPECT_EQ(read_response(waiting).status, 200);
}

class ConnectionsInAll : public EitherProxy {
 protected:
  ConnectionsInAll() : EitherProxy(ProxySettings{.workers = 1, .proxy_lines = {"max_connections = 4"}}) {}
};

INSTANTIATE_TEST_SUITE_P(By, ConnectionsInAll, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(ConnectionsInAll, BeyondTheLimitWaitForAPlace) {
  const Origin origin(scripts::answer_ok("served"));
  const auto is_served = [&](RawClient& client) {
    client.send(get(origin));
    return read_response(client).body.content == "served";
  };
  std::list<RawClient> crowd;
  for (int i = 0; i < 4; ++i) {
    crowd.push_back(connect());
    ASSERT_TRUE(is_served(crowd.back()));
  }
  RawClient fifth(proxy_.address());  // by TLS too without a handshake: it would be told so at once
  fifth.send(get(origin));
  // The only worker looks at its listener, where the fifth is, at least once in each of these.
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(is_served(crowd.front()));
  EXPECT_FALSE(fifth.readable_within(0ms));

  crowd.pop_back();
  EXPECT_EQ(read_response(fifth).status, GetParam() == Transport::plain ? 200 : 400);
}

TEST(ConnectionsInAll, AreNoMoreThanThereAreDescriptorsToServeThem) {
  ProxyLaunch launch;
  launch.settings.workers = 1;
  launch.settings.proxy_lines = {"max_connections = 1000"};
  launch.open_files = 64;
  ProxyProcess proxy(launch);
  const Origin origin(scripts::answer_ok("served"));
  EXPECT_TRUE(proxy.process().wait_for_errors([](const std::string& log) {
    return log.find("max_connections is 1000, but 64 file descriptors (ulimit -n) serve 12") != log.npos;
  })) << proxy.process().errors();
  std::list<RawClient> crowd;
  for (int i = 0; i < 200; ++i) crowd.emplace_back(proxy.address());
  // Each of those who were let in finds a descriptor for his target too.
  for (int i = 0; i < 12; ++i) {
    crowd.front().send(get(origin));
    ASSERT_EQ(read_response(crowd.front()).status, 200) << i;
    crowd.pop_front();
  }
}

class StalledClients : public EitherProxy {};

INSTANTIATE_TEST_SUITE_P(By, StalledClients, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(StalledClients, CostAFixedAmountOfMemory) {
  const Origin origin(scripts::pattern_stream(1'000'000'000));
  std::list<RawClient> stalled;
  for (int i = 0; i < 20; ++i) {
    stalled.push_back(proxy_.connect(ReceiveBuffer::small));
    ASSERT_EQ(http_connect(stalled.back(), origin.authority()).status, 200);
  }
  const std::size_t before = proxy_.process().resident_bytes();
  // While a reader beside them gets 100 MB, buffers without a bound would take as much for each of them.
  RawClient reader = proxy_.connect();
  ASSERT_EQ(http_connect(reader, origin.authority()).status, 200);
  PatternCheck check;
  while (check.good_bytes() < 100'000'000 && check.intact()) check.feed(reader.read_some());
  EXPECT_TRUE(check.intact());
  const std::size_t after = proxy_.process().resident_bytes();
  EXPECT_LT(after, before + 200'000'000);
  for (auto& client : stalled) EXPECT_EQ(client.read_some(1), Pattern::bytes(0, 1));
}

}  // namespace
}  // namespace payg::test
