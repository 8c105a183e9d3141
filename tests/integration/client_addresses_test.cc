// Who connects from where: how many from one address, and that IPv6 is like IPv4.

#include <signal.h>

#include <algorithm>
#include <list>

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

using namespace std::chrono_literals;

class FromOneAddress : public EitherProxy {
 protected:
  FromOneAddress() : EitherProxy(limited_to(2)) {}

  static ProxySettings limited_to(int most) {
    return {.proxy_lines = {"max_connections_per_client_address = " + std::to_string(most),
                            "handshake_timeout = \"2m\""}};
  }
  /// That many connections that are open and have been served.
  std::list<RawClient> served(const Origin& origin, int count) const {
    std::list<RawClient> clients;
    for (int i = 0; i < count; ++i) {
      clients.push_back(connect());
      clients.back().send(get(origin));
      EXPECT_EQ(read_response(clients.back()).status, 200);
    }
    return clients;
  }
};

INSTANTIATE_TEST_SUITE_P(By, FromOneAddress, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(FromOneAddress, TheOneTooManyIsToldByHttp) {
  const Origin origin(scripts::answer_ok());
  auto clients = served(origin, 2);
  {
    const auto refused = ask(get(origin));
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(proxy_error(refused), "connection_limit_reached");
    EXPECT_NE(refused.body.content.find("too many connections from this address"), std::string::npos);
    EXPECT_TRUE(refused.head.has("Retry-After"));
  }
  clients.pop_front();
  EXPECT_TRUE(eventually([&] { return ask(get(origin)).status == 200; }))
      << "a connection that closes makes room";
}

TEST_P(FromOneAddress, TheOneTooManyIsToldBySocks) {
  const Origin origin(scripts::answer_ok());
  const auto clients = served(origin, 2);
  RawClient client = connect();
  client.send(socks::greeting(socks::no_authentication));
  EXPECT_EQ(client.read_to_end(), "\x05\xff");
}

TEST_P(FromOneAddress, ThoseFarTooManyAreClosedWithoutAWord) {
  const Origin origin(scripts::answer_ok());
  const auto clients = served(origin, 2);
  // Four are told when they say what they want. Which of them is the fifth, the workers make out.
  std::list<RawClient> beyond;
  for (int i = 0; i < 5; ++i) beyond.emplace_back(proxy_.address());
  const auto is_closed = [](RawClient& client) { return client.readable_within(0ms); };
  ASSERT_TRUE(eventually([&] { return std::any_of(beyond.begin(), beyond.end(), is_closed); }));
  const auto unheard = std::find_if(beyond.begin(), beyond.end(), is_closed);
  EXPECT_EQ(unheard->read_to_end(), "");
  beyond.erase(unheard);
  for (RawClient& told : beyond) {
    if (GetParam() == Transport::tls) told.start_tls();
    told.send(get(origin));
    EXPECT_EQ(read_response(told).status, 429);
  }
}

TEST_P(FromOneAddress, TheLimitIsReloaded) {
  const Origin origin(scripts::answer_ok());
  const auto clients = served(origin, 2);
  auto settings = limited_to(3);
  settings.transport = GetParam();
  proxy_.rewrite_config(settings.toml(proxy_.folder()));
  proxy_.process().signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return ask(get(origin)).status == 200; }));
}

// ---- IPv6

class OverIpv6 : public EitherProxy {
 protected:
  OverIpv6()
      : EitherProxy(ProxySettings{.listeners = {"[::1]:0", "[::]:0"},
                                  .proxy_lines = {"access_log = \"access.log\""}}) {}

  RawClient connect_to(const SocketAddress& address) const { return RawClient(address, GetParam()); }
  SocketAddress everywhere(std::string_view literal) const {
    return {IpAddress::parse(literal).value(), proxy_.address(1).port()};
  }
  void expect_served(const SocketAddress& proxy, const Origin& origin) const {
    RawClient client = connect_to(proxy);
    client.send(get(origin));
    EXPECT_EQ(read_response(client).body.content, "served") << proxy.to_string();
  }
};

INSTANTIATE_TEST_SUITE_P(By, OverIpv6, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(OverIpv6, ListenersServeHttpAndSocks) {
  const Origin origin(scripts::answer_ok("served"), "[::1]:0");
  expect_served(proxy_.address(), origin);
  expect_served(everywhere("::1"), origin);
  expect_served(everywhere("127.0.0.1"), origin);
  RawClient client = connect_to(proxy_.address());
  EXPECT_EQ(socks::open(client, socks::connect_to(origin.address())).code, 0);
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(read_response(client).body.content, "served");
}

TEST_P(OverIpv6, AClientOfIpv4IsKnownByItsIpv4Address) {
  const Origin origin(scripts::answer_ok("served"));
  expect_served(everywhere("127.0.0.1"), origin);
  EXPECT_TRUE(eventually([&] {
    return read_file(proxy_.folder() + "/access.log").find("\"client\":\"127.0.0.1:") != std::string::npos;
  })) << read_file(proxy_.folder() + "/access.log");
}

}  // namespace
}  // namespace payg::test
