// Exits through parent proxies: what a parent is asked for, what becomes of what it answers, and chains of
// the program itself.

#include "tests/integration/parents.h"

#include "tests/integration/plain_proxy.h"
#include "tests/support/harness/fake_dns.h"

namespace payg::test {
namespace {

enum class Kind { http, socks5 };

const char* name_of(Kind kind) {
  return kind == Kind::http ? "http" : "socks5";
}

FakeParent parent_of(Kind kind, ParentScript script) {
  if (script.answer == http_ok && kind == Kind::socks5) script.answer = socks_ok;
  return kind == Kind::http ? FakeParent::http(std::move(script)) : FakeParent::socks5(std::move(script));
}

ProxySettings by_parent(Kind kind, const std::string& address, const std::string& more = {}) {
  ProxySettings settings{.proxy_lines = {"connect_timeout = \"10s\""}};
  settings.more = ExitLines{.name = "up", .kind = name_of(kind), .address = address, .more = more}.toml() +
                  "[exit_health]\nprobe_interval = \"0s\"\nbackoff = \"50ms\"\nlongest_backoff = \"50ms\"\n";
  return settings;
}

/// Each test is run with an HTTP and with a SOCKS5 parent.
class Parent : public testing::TestWithParam<Kind> {
 protected:
  Kind kind() const { return GetParam(); }
};

INSTANTIATE_TEST_SUITE_P(Of, Parent, testing::Values(Kind::http, Kind::socks5),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST_P(Parent, ThatIsThisProgramCarriesEveryWayIn) {
  const Origin echo(scripts::echo());
  const Origin origin(scripts::answer_ok("through the chain"));
  const ProxyProcess last;
  const ProxyProcess middle(by_parent(kind(), last.address().to_string()));
  const ProxyProcess first(by_parent(kind(), middle.address().to_string()));

  RawClient forward = first.connect();
  for (int i = 0; i < 2; ++i) {
    forward.send(get(origin));
    EXPECT_EQ(read_response(forward).body.content, "through the chain");
  }
  EXPECT_EQ(origin.connections(), 1) << "the way is kept for the next request";

  RawClient tunnel = first.connect();
  ASSERT_EQ(http_connect(tunnel, echo.authority()).status, 200);
  tunnel.send("by CONNECT");
  EXPECT_EQ(tunnel.read_exactly(10), "by CONNECT");

  RawClient socks = first.connect();
  ASSERT_EQ(socks::open(socks, socks::connect_to(echo.address())).code, 0);
  socks.send("by SOCKS5");
  EXPECT_EQ(socks.read_exactly(9), "by SOCKS5");
  socks.finish_sending();
  EXPECT_EQ(socks.read_to_end(), "") << "an end passes through all of them";
}

TEST_P(Parent, CarriesALotByteForByte) {
  const Origin origin(scripts::pattern_stream(20'000'000));
  const ProxyProcess last;
  const ProxyProcess first(by_parent(kind(), last.address().to_string()));
  RawClient client = first.connect();
  ASSERT_EQ(http_connect(client, origin.authority()).status, 200);
  PatternCheck check;
  for (std::string bytes = client.read_some(); !bytes.empty(); bytes = client.read_some()) check.feed(bytes);
  EXPECT_TRUE(check.intact());
  EXPECT_EQ(check.good_bytes(), 20'000'000u);
}

TEST_P(Parent, GetsTheCredentialsThatItWants) {
  const TempFolder folder;
  const std::string file = folder.write("password", "se:cret\n");
  const FakeParent parent =
      parent_of(kind(), {.answer = http_ok, .user = "us", .password = "se:cret", .then = scripts::echo()});
  const ProxyProcess proxy(
      by_parent(kind(), parent.authority(), "username = \"us\"\npassword_file = \"" + file + "\"\n"));
  RawClient client = proxy.connect();
  ASSERT_EQ(http_connect(client, "192.0.2.1:80").status, 403) << "the guard stands before any parent";
  ASSERT_EQ(http_connect(client, "127.0.0.1:80").status, 200);
  client.send("in");
  EXPECT_EQ(client.read_exactly(2), "in");
}

TEST_P(Parent, ThatRefusesTheCredentialsIsNoWay) {
  const FakeParent parent = parent_of(kind(), {.answer = http_ok, .user = "us", .password = "secret"});
  const ProxyProcess proxy(by_parent(kind(), parent.authority()));
  RawClient client = proxy.connect();
  const auto response = http_connect(client, "127.0.0.1:80");
  EXPECT_EQ(response.status, 503);
  EXPECT_TRUE(response.head.has("Retry-After"));
  EXPECT_EQ(response.field("Proxy-Status"),
            "payg-proxy; error=destination_unavailable; details=\"no exit works at the moment, try again "
            "later\"")
      << "not whose parent, nor where";
  RawClient socks = proxy.connect();
  EXPECT_EQ(socks::open(socks, socks::connect_to(parse_address("127.0.0.1:80"))).code, 1);
}

TEST_P(Parent, MayAnswerByteByByteAndSendTheTunnelsFirstBytesWithIt) {
  ParentScript script{
      .answer = kind() == Kind::http ? "HTTP/1.1 100 Continue\r\n\r\n" + std::string(http_ok) : socks_ok,
      .then = scripts::echo()};
  script.answer += "220 ready\r\n";
  for (const Pieces pieces : {Pieces::at_once, Pieces::byte_by_byte}) {
    script.pieces = pieces;
    const FakeParent parent = parent_of(kind(), script);
    const ProxyProcess proxy(by_parent(kind(), parent.authority()));
    RawClient tunnel = proxy.connect();
    ASSERT_EQ(http_connect(tunnel, "127.0.0.1:25").status, 200);
    EXPECT_EQ(tunnel.read_exactly(11), "220 ready\r\n");
    tunnel.send("EHLO");
    EXPECT_EQ(tunnel.read_exactly(4), "EHLO");
    RawClient socks = proxy.connect();
    ASSERT_EQ(socks::open(socks, socks::connect_to(parse_address("127.0.0.1:25"))).code, 0);
    EXPECT_EQ(socks.read_exactly(11), "220 ready\r\n");
  }
}

TEST_P(Parent, IsSpokenToInOriginFormInsideItsTunnel) {
  std::string inside;
  std::mutex mutex;
  const FakeParent parent = parent_of(kind(), {.answer = http_ok, .then = [&](OriginConnection& connection) {
                                                 const std::lock_guard lock(mutex);
                                                 inside = connection.stream().read_until("\r\n\r\n");
                                                 connection.send("HTTP/1.1 204 No Content\r\n\r\n");
                                               }});
  const ProxyProcess proxy(by_parent(kind(), parent.authority()));
  RawClient client = proxy.connect();
  client.send("GET http://127.0.0.1:81/path HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic eDp5\r\n\r\n");
  EXPECT_EQ(read_response(client).status, 204);
  const std::lock_guard lock(mutex);
  EXPECT_TRUE(inside.starts_with("GET /path HTTP/1.1\r\n")) << inside;
  EXPECT_EQ(inside.find("Proxy-Authorization"), std::string::npos);
}

TEST_P(Parent, IsAskedForAnAddressThatWasResolvedAndGuardedHere) {
  FakeDns dns;
  dns.set("public.example", {"::1", "127.0.0.9"});
  dns.set("private.example", {"10.0.0.1"});
  const FakeParent parent = parent_of(kind(), {.answer = http_ok});
  ProxySettings settings = by_parent(kind(), parent.authority());
  settings.nameservers = {dns.address()};
  const ProxyProcess proxy(settings);
  RawClient client = proxy.connect();
  EXPECT_EQ(http_connect(client, "private.example:80").status, 403);
  EXPECT_EQ(http_connect(client, "nowhere.example:80").status, 502);
  EXPECT_EQ(http_connect(client, "public.example:80").status, 200);
  const auto asked = parent.wait_for_asked(1);
  ASSERT_EQ(asked.size(), 1u) << "nobody asked for what is refused here";
  EXPECT_NE(asked[0].find("127.0.0.9:80"), std::string::npos) << asked[0] << ": IPv4 first";
}

TEST_P(Parent, ThatResolvesByItselfGetsTheName) {
  const FakeParent parent = parent_of(kind(), {.answer = http_ok});
  ProxySettings settings = by_parent(kind(), parent.authority(), "resolve = \"parent\"\n");
  settings.allow_targets = {};
  const ProxyProcess proxy(settings);
  for (const std::string guarded :
       {"127.0.0.1:80", "localhost:80", "x.localhost:80", "[::1]:80", "10.1.2.3:80"}) {
    RawClient client = proxy.connect();
    EXPECT_EQ(http_connect(client, guarded).status, 403) << guarded;
  }
  RawClient client = proxy.connect();
  EXPECT_EQ(http_connect(client, "only.parent.knows:80").status, 200);
  const auto asked = parent.wait_for_asked(1);
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_NE(asked[0].find("only.parent.knows:80"), std::string::npos) << asked[0];
}

TEST_P(Parent, IsAskedForTheNextAddressWhenItCannotReachTheFirst) {
  FakeDns dns;
  const Origin echo(scripts::echo(), "127.0.0.3:0");
  dns.set("many.example", {"127.0.0.2", "127.0.0.3"});
  const ProxyProcess last;
  ProxySettings settings = by_parent(kind(), last.address().to_string());
  settings.nameservers = {dns.address()};
  const ProxyProcess proxy(settings);
  RawClient client = proxy.connect();
  EXPECT_EQ(http_connect(client, "many.example:" + std::to_string(echo.address().port())).status, 200);
}

TEST_P(Parent, SaysWhyATargetIsNotReached) {
  const ClosedPort closed;
  const ProxyProcess last;
  const ProxyProcess proxy(by_parent(kind(), last.address().to_string()));
  for (int i = 0; i < 5; ++i) {
    RawClient client = proxy.connect();
    EXPECT_EQ(http_connect(client, closed.address().to_string()).status, 502);
    RawClient socks = proxy.connect();
    EXPECT_EQ(socks::open(socks, socks::connect_to(closed.address())).code, 5);
  }
  const Origin echo(scripts::echo());
  RawClient client = proxy.connect();
  EXPECT_EQ(http_connect(client, echo.authority()).status, 200) << "which says nothing of the exit";
  EXPECT_EQ(proxy.log().find("is down"), std::string::npos) << proxy.log();
}

TEST_P(Parent, ThatTalksNonsenseIsNoWay) {
  for (const std::string& nonsense : {std::string("\r\n\r\n"), std::string("SSH-2.0-x\r\n\r\n"),
                                      std::string(40'000, 'x'), std::string("HTTP/1.1 101 X\r\n\r\n")}) {
    const FakeParent parent = parent_of(kind(), {.answer = nonsense});
    const ProxyProcess proxy(by_parent(kind(), parent.authority()));
    RawClient client = proxy.connect();
    EXPECT_EQ(http_connect(client, "127.0.0.1:80").status, 503) << nonsense.substr(0, 20);
  }
}

TEST_P(Parent, ThatClosesWithoutAnAnswerIsNoWay) {
  const Origin parent([](OriginConnection& connection) { connection.stream().read_some(); });
  const ProxyProcess proxy(by_parent(kind(), parent.authority()));
  RawClient client = proxy.connect();
  EXPECT_EQ(http_connect(client, "127.0.0.1:80").status, 503);
}

TEST_P(Parent, ThatIsSilentIsGivenUpInConnectTimeout) {
  const Origin silent([](OriginConnection& connection) { connection.stream().read_to_end(); });
  ProxySettings settings = by_parent(kind(), silent.authority());
  settings.proxy_lines = {"connect_timeout = \"300ms\""};
  const ProxyProcess proxy(settings);
  RawClient client = proxy.connect();
  // Of an HTTP parent nobody knows whether it or its target is silent.
  EXPECT_EQ(http_connect(client, "127.0.0.1:80").status, kind() == Kind::http ? 504 : 503);
}

TEST_P(Parent, ThatIsKilledInMidTransferEndsTheTunnelAndNothingElse) {
  ProxyProcess last;
  const Origin origin(scripts::pattern_stream(1'000'000'000));
  const ProxyProcess proxy(by_parent(kind(), last.address().to_string()));
  RawClient client = proxy.connect();
  ASSERT_EQ(http_connect(client, origin.authority()).status, 200);
  client.read_exactly(1'000'000);
  last.kill();
  client.read_to_end();
  RawClient next = proxy.connect();
  EXPECT_EQ(http_connect(next, origin.authority()).status, 503);
}

TEST_P(Parent, IsNeverThisProxyItself) {
  ProxySettings settings;
  ProxyProcess proxy(settings);
  const std::string port = std::to_string(proxy.address().port());
  settings = by_parent(kind(), "127.0.0.1:" + port);
  settings.listeners = {proxy.address().to_string()};
  proxy.rewrite_config(settings.toml(proxy.folder()));
  proxy.process().signal(SIGHUP);
  EXPECT_TRUE(proxy.process().wait_for_errors([](const std::string& log) {
    return log.find("is this proxy itself") != std::string::npos &&
           log.find("was not reloaded") != std::string::npos;
  })) << proxy.log();

  settings.more = ExitLines{.name = "up", .kind = name_of(kind()), .address = "localhost:" + port}.toml();
  proxy.rewrite_config(settings.toml(proxy.folder()));
  proxy.process().signal(SIGHUP);
  EXPECT_TRUE(eventually([&] {
    RawClient client = proxy.connect();
    return http_connect(client, "127.0.0.1:9").status == 503;
  })) << "a name is found out when it is dialled";
}

TEST(HttpParent, IsAskedForNothingButTheTarget) {
  const FakeParent parent = FakeParent::http({.answer = http_ok});
  const ProxyProcess proxy(by_parent(Kind::http, parent.authority()));
  RawClient client = proxy.connect();
  client.send(
      "CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: x\r\nUser-Agent: curl\r\nProxy-Authorization: Basic "
      "eDp5\r\n\r\n");
  EXPECT_EQ(read_response(client, "CONNECT").status, 200);
  const HttpHead head = parse_head(parent.wait_for_asked(1)[0]);
  EXPECT_EQ(head.start_line, "CONNECT 127.0.0.1:443 HTTP/1.1");
  EXPECT_EQ(head.field("Host"), "127.0.0.1:443");
  EXPECT_EQ(head.fields.size(), 2u) << head.raw << ": Host and Via; nothing of the client's";
}

TEST(HttpParent, IsToldWhatTheRequestHasComeThrough) {
  const FakeParent parent = FakeParent::http({.answer = http_ok});
  const ProxyProcess proxy(by_parent(Kind::http, parent.authority()));
  RawClient client = proxy.connect();
  client.send("CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: x\r\nVia: 1.1 a\r\nVia: 1.0 b (c)\r\n\r\n");
  EXPECT_EQ(read_response(client, "CONNECT").status, 200);
  const HttpHead head = parse_head(parent.wait_for_asked(1)[0]);
  EXPECT_EQ(head.field("Via").value_or("").substr(0, 24), "1.1 a, 1.0 b (c), 1.1 pa");
}

TEST(HttpParent, WhoseOwnParentLeadsBackIsFoundOut) {
  ProxyProcess first(by_parent(Kind::http, "127.0.0.1:1"));
  const ProxyProcess second(by_parent(Kind::http, first.address().to_string()));
  ProxySettings settings = by_parent(Kind::http, second.address().to_string());
  settings.listeners = {first.address().to_string()};
  first.rewrite_config(settings.toml(first.folder()));
  first.process().signal(SIGHUP);
  ASSERT_TRUE(first.process().wait_for_errors(
      [](const std::string& log) { return log.find("config: reloaded") != std::string::npos; }));
  RawClient tunnel = first.connect();
  EXPECT_EQ(http_connect(tunnel, "127.0.0.1:9").status, 503);
  RawClient forward = first.connect();
  forward.send("GET http://127.0.0.1:9/ HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(read_response(forward).status, 503);
}

TEST(HttpParent, ThatAnswersOneStatusIsOneRefusal) {
  const std::pair<const char*, int> answers[] = {
      {"403 Forbidden", 403}, {"407 X", 503},           {"402 X", 503}, {"429 X", 503},
      {"500 X", 502},         {"502 Bad Gateway", 502}, {"503 X", 502}, {"504 Gateway Timeout", 504},
  };
  for (const auto& [answer, status] : answers) {
    const FakeParent parent =
        FakeParent::http({.answer = "HTTP/1.1 " + std::string(answer) + "\r\nContent-Length: 0\r\n\r\n"});
    const ProxyProcess proxy(by_parent(Kind::http, parent.authority()));
    RawClient client = proxy.connect();
    EXPECT_EQ(http_connect(client, "127.0.0.1:80").status, status) << answer;
  }
}

}  // namespace
}  // namespace payg::test
