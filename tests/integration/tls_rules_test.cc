// PROXY_RULES, "TLS listener": what TLS adds to the rules that plain listeners have. That those hold by TLS
// too is shown in the other …_rules_test.cc, whose suites are run by both.

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <list>

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

using namespace std::string_literals;

class Tls : public PlainProxy {
 protected:
  Tls() : PlainProxy(ProxySettings{.transport = Transport::tls}) {}

  RawClient connect_as(const TlsOffer& offer) const {
    RawClient client(proxy_.address());
    client.start_tls(offer);
    return client;
  }
  RawClient plain() const { return RawClient(proxy_.address()); }
  RawClient tunnel_to(const Origin& origin, const TlsOffer& offer = {}) const {
    RawClient client = connect_as(offer);
    if (http_connect(client, origin.authority()).status != 200) throw HarnessError("no tunnel");
    return client;
  }
};

// ---- the handshake

TEST_F(Tls, IsSpokenInVersions12And13AndNoOlder) {
  const Origin origin(scripts::answer_ok());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    RawClient client = connect_as({.least_version = version, .most_version = version});
    client.send(get(origin));
    EXPECT_EQ(read_response(client).status, 200) << version;
  }
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION})
    EXPECT_THROW(connect_as({.most_version = version}), HarnessError) << version;
}

TEST_F(Tls, AgreesOnHttp11ByAlpnWhereItIsOffered) {
  EXPECT_EQ(connect_as({.protocols = {"http/1.1"}}).tls()->protocol(), "http/1.1");
  EXPECT_EQ(connect_as({.protocols = {"h2", "http/1.1"}}).tls()->protocol(), "http/1.1");
  EXPECT_EQ(connect_as({}).tls()->protocol(), "");
}

TEST_F(Tls, TellsWhoOffersOtherProtocolsOnlyThatThereIsNone) {
  try {
    connect_as({.protocols = {"h2", "http/1.0"}});
    ADD_FAILURE() << "a protocol was agreed on";
  } catch (const HarnessError& error) {
    EXPECT_NE(std::string(error.what()).find("no application protocol"), std::string::npos) << error.what();
  }
}

TEST_F(Tls, AnswersPlainHttpOfAnyMethodInPlainWords) {
  for (const std::string raw : {"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT a:443 HTTP/1.1\r\n",
                                "x-own", "!", "PROXY UNKNOWN\r\n", "\r\nGET / HTTP/1.0\r\n\r\n"}) {
    RawClient client = plain();
    client.send(raw);
    const auto response = read_response(client);
    EXPECT_EQ(response.status, 400) << raw;
    EXPECT_NE(response.body.content.find("TLS"), std::string::npos) << response.body.content;
    EXPECT_TRUE(response.head.has("Proxy-Status"));
    EXPECT_EQ(client.read_to_end(), "");
  }
}

TEST_F(Tls, ClosesOnWhatIsNeitherWithoutAWord) {
  for (const std::string& raw : {"\x05\x01\x00"s, "\x04\x01\x00\x50"s, "\x80\x2e\x01\x03"s, "\x00"s, "\xff"s,
                                 "\x16\x03\x01\x00\x04junk"s + std::string(100, 'x')}) {
    RawClient client = plain();
    client.send(raw);
    const std::string answer = client.read_to_end();
    EXPECT_TRUE(answer.empty() || answer[0] == '\x15') << "an alert at most: " << answer;
  }
}

TEST_F(Tls, IsReadHoweverItsRecordsAreSplit) {
  const Origin origin(scripts::echo());
  RawClient client = tunnel_to(origin, {.segment = 1});
  client.send(std::string(300, 'x'));
  EXPECT_EQ(client.read_exactly(300), std::string(300, 'x'));
}

class TlsHandshakeTimeout : public PlainProxy {
 protected:
  TlsHandshakeTimeout()
      : PlainProxy(
            ProxySettings{.transport = Transport::tls, .proxy_lines = {"handshake_timeout = \"500ms\""}}) {}

  /// As a client sends it; nothing else is sent of it.
  static std::string client_hello() {
    TlsEnd tls;
    SSL_do_handshake(tls.ssl());
    return tls.take_output();
  }
};

TEST_F(TlsHandshakeTimeout, ClosesAClientThatSaysNothing) {
  RawClient client(proxy_.address());
  EXPECT_EQ(client.read_to_end(), "");
}

TEST_F(TlsHandshakeTimeout, ClosesAClientThatStopsInTheMiddleOfItsHello) {
  RawClient client(proxy_.address());
  client.send(client_hello().substr(0, 100));
  EXPECT_EQ(client.read_to_end(), "");
}

TEST_F(TlsHandshakeTimeout, ClosesAClientThatStopsBehindItsHello) {
  RawClient client(proxy_.address());
  client.send(client_hello());
  EXPECT_NE(client.read_to_end(), "") << "the server's part of the handshake";
}

TEST_F(TlsHandshakeTimeout, IsNotPutOffByAByteNowAndThen) {
  RawClient client(proxy_.address());
  const std::string hello = client_hello();
  for (const char byte : hello) {
    if (client.readable_within(std::chrono::milliseconds(20))) break;
    ASSERT_TRUE(client.try_send({&byte, 1}));
  }
  EXPECT_EQ(client.read_to_end(), "");
}

TEST_F(TlsHandshakeTimeout, GoesOnUntilTheFirstByteBehindTheHandshake) {
  RawClient client(proxy_.address());
  client.start_tls();
  EXPECT_TRUE(client.at_end());
}

// ---- the end

TEST_F(Tls, ClientThatSaysGoodbyeAndNothingElseStillGetsItsAnswer) {
  const Origin origin(scripts::answer_ok("still here"));
  RawClient client = connect();
  client.send(get(origin));
  client.tls()->say_goodbye(client.fd());
  EXPECT_EQ(read_response(client).body.content, "still here");
}

// OpenSSL 3 calls it an error, and forgets the session over it, unless it is told otherwise.
TEST_F(Tls, ClientThatEndsWithoutAGoodbyeStillGetsItsAnswer) {
  const Origin origin([](OriginConnection& connection) {
    const std::string all = connection.stream().read_to_end();
    connection.send("got " + std::to_string(all.size()));
  });
  RawClient client = tunnel_to(origin);
  client.send("hello");
  ::shutdown(client.fd(), SHUT_WR);
  EXPECT_EQ(client.read_to_end(), "got 5");
  EXPECT_TRUE(client.tls()->was_told_goodbye());
}

TEST_F(Tls, EndOfATargetIsPassedOnAsAGoodbyeBehindItsLastByte) {
  const Origin origin(scripts::pattern_stream(3'000'000));
  RawClient client = tunnel_to(origin);
  PatternCheck check;
  check.feed(client.read_to_end());
  EXPECT_EQ(check.good_bytes(), 3'000'000U);
  EXPECT_TRUE(client.tls()->was_told_goodbye());
}

TEST_F(Tls, ResponseThatIsCutShortIsNotFollowedByAGoodbye) {
  const Origin origin([](OriginConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\n\r\nbegin");
    connection.reset();
  });
  RawClient client = connect();
  // Of 1.0, where nothing but the end of the connection is the end of the response.
  client.send(at(origin, "GET http://{origin}/ HTTP/1.0\r\n\r\n"));
  client.read_to_end();
  EXPECT_FALSE(client.tls()->was_told_goodbye());
}

// ---- in the middle

TEST_F(Tls, KeysAreUpdatedInMidStream) {
  const Origin origin(scripts::echo());
  RawClient client = tunnel_to(origin, {.least_version = TLS1_3_VERSION});
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(SSL_key_update(client.tls()->ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
    const std::string bytes = Pattern::bytes(static_cast<std::uint64_t>(i) * 1000, 1000);
    client.send(bytes);
    ASSERT_EQ(client.read_exactly(1000), bytes) << i;
  }
}

TEST_F(Tls, KeyUpdatesWithoutEndKeepNobodyElseWaiting) {
  const Origin origin(scripts::answer_ok("served"));
  RawClient busy = connect_as({.least_version = TLS1_3_VERSION});
  for (int i = 0; i < 5000; ++i) {
    SSL_key_update(busy.tls()->ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
    SSL_do_handshake(busy.tls()->ssl());
  }
  ASSERT_TRUE(busy.tls()->flush(busy.fd()));
  for (int i = 0; i < 4; ++i) {
    RawClient client = connect();
    client.send(get(origin));
    EXPECT_EQ(read_response(client).body.content, "served");
  }
  busy.send(get(origin));
  EXPECT_EQ(read_response(busy).body.content, "served");
}

TEST_F(Tls, RenegotiationIsRefused) {
  RawClient client = connect_as({.most_version = TLS1_2_VERSION});
  ASSERT_EQ(SSL_renegotiate(client.tls()->ssl()), 1);
  try {
    client.tls()->shake_hands(client.fd());
    ADD_FAILURE() << "it was negotiated again";
  } catch (const HarnessError& error) {
    EXPECT_NE(std::string(error.what()).find("no renegotiation"), std::string::npos) << error.what();
  }
}

TEST_F(Tls, BulkMovesBothWaysAtTheSameTime) {
  constexpr std::uint64_t size = 8'000'000;
  const Origin origin([](OriginConnection& connection) {
    std::thread sender([&] { connection.send_pattern(size); });
    PatternCheck check;
    while (check.good_bytes() < size && check.intact()) check.feed(connection.stream().read_some());
    sender.join();
    connection.send(check.good_bytes() == size ? "whole" : "broken");
  });
  RawClient client = tunnel_to(origin);
  std::thread sender([&] {
    for (std::uint64_t sent = 0; sent < size;) {
      const auto piece = Pattern::at(sent, std::min<std::uint64_t>(size - sent, 100'000));
      if (!client.try_send(piece)) return;
      sent += piece.size();
    }
  });
  const std::string received = client.read_exactly(size + 5);
  sender.join();
  PatternCheck check;
  check.feed(std::string_view(received).substr(0, size));
  EXPECT_EQ(check.good_bytes(), size);
  EXPECT_EQ(received.substr(size), "whole");
}

// ---- SOCKS5 and real clients

TEST_F(Tls, CarriesSocks5) {
  const Origin origin(scripts::echo());
  RawClient client = connect();
  ASSERT_EQ(socks::open(client, socks::connect_to(origin.address())).code, 0);
  client.send("hello");
  EXPECT_EQ(client.read_exactly(5), "hello");
}

TEST_F(Tls, IsAnHttpsProxyForARealClientThatTrustsItsCertificate) {
  const Origin origin(scripts::answer_ok("by https"));
  const auto curl =
      run_program({"/usr/bin/curl", "-sS", "--proxy-cacert", proxy_.folder() + "/" + certificate_file, "-x",
                   "https://" + proxy_.address().to_string(), origin.url()});
  EXPECT_EQ(curl.status.code, 0) << curl.errors;
  EXPECT_EQ(curl.output, "by https");
}

class TlsWithoutHttp : public PlainProxy {
 protected:
  TlsWithoutHttp() : PlainProxy(ProxySettings{.transport = Transport::tls, .protocols = {"socks5"}}) {}
};

TEST_F(TlsWithoutHttp, HasNoWordsForPlainHttp) {
  RawClient client(proxy_.address());
  client.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(client.read_to_end(), "");
}

}  // namespace
}  // namespace payg::test
