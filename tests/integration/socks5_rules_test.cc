// PROXY_RULES, "SOCKS5": RFC 1928 and RFC 1929, byte by byte.

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

using namespace std::string_literals;

class Socks5 : public EitherProxy {
 protected:
  explicit Socks5(ProxySettings settings = {}) : EitherProxy(std::move(settings)) {}

  /// The reply to a request that follows a handshake without credentials.
  socks::Reply reply_to(const std::string& request) const {
    RawClient client = connect();
    return socks::open(client, request);
  }
};

INSTANTIATE_TEST_SUITE_P(By, Socks5, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(Socks5, ConnectToAnIpv4AddressCarriesBytes) {
  const Origin origin(scripts::echo());
  RawClient client = connect();
  const auto reply = socks::open(client, socks::connect_to(origin.address()));
  EXPECT_EQ(reply.version, 5);
  EXPECT_EQ(reply.code, 0);
  EXPECT_EQ(reply.reserved, 0);
  client.send("hello");
  EXPECT_EQ(client.read_exactly(5), "hello");
}

TEST_P(Socks5, ConnectToAnIpv6AddressCarriesBytes) {
  const Origin origin(scripts::echo(), "[::1]:0");
  RawClient client = connect();
  EXPECT_EQ(socks::open(client, socks::connect_to(origin.address())).code, 0);
  client.send("hello");
  EXPECT_EQ(client.read_exactly(5), "hello");
}

TEST_P(Socks5, ADomainThatIsAnAddressLiteralIsThatAddress) {
  const Origin origin(scripts::echo());
  EXPECT_EQ(reply_to(socks::connect_to_name("127.0.0.1", origin.address().port())).code, 0);
  const Origin origin6(scripts::echo(), "[::1]:0");
  EXPECT_EQ(reply_to(socks::connect_to_name("::1", origin6.address().port())).code, 0);
}

TEST_P(Socks5, TheReplyNamesTheAddressThatTheConnectionLeavesBy) {
  const Origin origin([](OriginConnection& connection) {
    connection.send(connection.stream().peer().to_string() + "\n");
    connection.stream().read_to_end();
  });
  RawClient client = connect();
  const auto reply = socks::open(client, socks::connect_to(origin.address()));
  ASSERT_EQ(reply.address_type, socks::ipv4);
  EXPECT_EQ(reply.address, "\x7f\x00\x00\x01"s);
  EXPECT_EQ("127.0.0.1:" + std::to_string(reply.port) + "\n", client.read_until("\n"));
}

TEST_P(Socks5, EveryStageMayArriveOneByteAtATime) {
  const Origin origin(scripts::echo());
  RawClient client = connect();
  client.send_slowly(socks::greeting("\x01\x00"s));
  EXPECT_EQ(client.read_exactly(2), "\x05\x00"s);
  client.send_slowly(socks::connect_to(origin.address()));
  EXPECT_EQ(socks::read_reply(client).code, 0);
  client.send_slowly("slow");
  EXPECT_EQ(client.read_exactly(4), "slow");
}

TEST_P(Socks5, EverythingMayArriveAtOnce) {
  const Origin origin(scripts::echo());
  RawClient client = connect();
  client.send(socks::greeting(socks::no_authentication) + socks::connect_to(origin.address()) + "early");
  EXPECT_EQ(client.read_exactly(2), "\x05\x00"s);
  EXPECT_EQ(socks::read_reply(client).code, 0);
  EXPECT_EQ(client.read_exactly(5), "early");
}

TEST_P(Socks5, AGreetingWithoutMethodsIsRefused) {
  RawClient client = connect();
  client.send("\x05\x00"s);
  const std::string answer = client.read_to_end();
  EXPECT_TRUE(answer.empty() || answer == "\x05\xff"s);
}

TEST_P(Socks5, AGreetingMayOfferAllMethods) {
  const Origin origin(scripts::echo());
  std::string methods;
  for (int method = 254; method >= 0; --method) methods += static_cast<char>(method);
  RawClient client = connect();
  client.send(socks::greeting(methods));
  const std::string chosen = client.read_exactly(2);
  if (chosen == "\x05\x02"s) {
    client.send(socks::password("anybody", "anything"));
    EXPECT_EQ(client.read_exactly(2), "\x01\x00"s);
  } else {
    EXPECT_EQ(chosen, "\x05\x00"s);
  }
  client.send(socks::connect_to(origin.address()));
  EXPECT_EQ(socks::read_reply(client).code, 0);
}

TEST_P(Socks5, MethodsThatWeDoNotSpeakAreAnsweredWithNoneAcceptable) {
  RawClient client = connect();
  client.send(socks::greeting("\x01\x03\x80"s));
  EXPECT_EQ(client.read_to_end(), "\x05\xff"s);
}

TEST_P(Socks5, CredentialsOfAnyLengthPassAPlainProxy) {
  const Origin origin(scripts::echo());
  for (const std::size_t length : {std::size_t{1}, std::size_t{255}}) {
    RawClient client = connect();
    client.send(socks::greeting(socks::user_and_password));
    ASSERT_EQ(client.read_exactly(2), "\x05\x02"s);
    client.send_slowly(socks::password(std::string(length, 'u'), std::string(length, 'p')));
    EXPECT_EQ(client.read_exactly(2), "\x01\x00"s);
    client.send(socks::connect_to(origin.address()));
    EXPECT_EQ(socks::read_reply(client).code, 0) << length;
  }
}

TEST_P(Socks5, APasswordMessageOfAnotherVersionIsRefused) {
  RawClient client = connect();
  client.send(socks::greeting(socks::user_and_password));
  ASSERT_EQ(client.read_exactly(2), "\x05\x02"s);
  client.send("\x05\x01u\x01p"s);
  const std::string answer = client.read_to_end();
  EXPECT_TRUE(answer.empty() || answer == "\x01\x01"s);
}

// ---- refusals

TEST_P(Socks5, BindIsNotSupported) {
  const Origin origin(scripts::echo());
  EXPECT_EQ(reply_to(socks::request(socks::bind, socks::ipv4, "\x7f\x00\x00\x01"s, 80)).code, 7);
}

TEST_P(Socks5, AnUnknownCommandIsNotSupported) {
  EXPECT_EQ(reply_to(socks::request(9, socks::ipv4, "\x7f\x00\x00\x01"s, 80)).code, 7);
}

TEST_P(Socks5, AnUnknownAddressTypeIsNamedAsTheReason) {
  EXPECT_EQ(reply_to(socks::request(socks::connect, 2, "\x7f\x00\x00\x01"s, 80)).code, 8);
}

TEST_P(Socks5, PortZeroIsRefused) {
  EXPECT_EQ(reply_to(socks::request(socks::connect, socks::ipv4, "\x7f\x00\x00\x01"s, 0)).code, 1);
}

TEST_P(Socks5, AReservedByteThatIsSetIsRefused) {
  const Origin origin(scripts::echo());
  std::string request = socks::connect_to(origin.address());
  request[2] = 1;
  EXPECT_EQ(reply_to(request).code, 1);
  EXPECT_EQ(origin.connections(), 0);
}

TEST_P(Socks5, ARequestOfAnotherVersionIsRefused) {
  const Origin origin(scripts::echo());
  std::string request = socks::connect_to(origin.address());
  request[0] = 4;
  RawClient client = connect();
  client.send(socks::greeting(socks::no_authentication) + request);
  EXPECT_EQ(client.read_exactly(2), "\x05\x00"s);
  const std::string answer = client.read_to_end();
  EXPECT_TRUE(answer.empty() || (answer.size() >= 2 && answer[1] != 0));
  EXPECT_EQ(origin.connections(), 0);
}

TEST_P(Socks5, AnEmptyDomainIsRefused) {
  EXPECT_EQ(reply_to(socks::connect_to_name("", 80)).code, 1);
}

TEST_P(Socks5, ADomainThatIsNoNameIsRefused) {
  for (const std::string& name : {"a b"s, "a\0b"s, "a/b"s, "[::1]"s, "user@host"s, "a\r\nb"s}) {
    EXPECT_EQ(reply_to(socks::connect_to_name(name, 80)).code, 1) << name;
  }
}

TEST_P(Socks5, AForbiddenTargetIsReply2) {
  EXPECT_EQ(reply_to(socks::connect_to(proxy_.address())).code, 2);
}

TEST_P(Socks5, ARefusedConnectionIsReply5) {
  const ClosedPort closed;
  RawClient client = connect();
  const auto reply = socks::open(client, socks::connect_to(closed.address()));
  EXPECT_EQ(reply.code, 5);
  EXPECT_TRUE(client.at_end()) << "RFC 1928 §6: the connection is closed after a failure";
}

TEST_P(Socks5, Socks4IsRefusedInItsOwnLanguage) {
  const Origin origin(scripts::echo());
  RawClient client = connect();
  client.send("\x04\x01"s + "\x00\x50"s + "\x7f\x00\x00\x01"s + "user\0"s);
  const std::string answer = client.read_to_end();
  EXPECT_TRUE(answer.empty() || (answer.size() == 8 && answer.substr(0, 2) == "\x00\x5b"s));
  EXPECT_EQ(origin.connections(), 0);
}

// ---- the tunnel

TEST_P(Socks5, CarriesAHalfCloseInBothDirections) {
  const Origin origin([](OriginConnection& connection) {
    const std::string all = connection.stream().read_to_end();
    connection.send("got " + std::to_string(all.size()));
  });
  RawClient client = connect();
  ASSERT_EQ(socks::open(client, socks::connect_to(origin.address())).code, 0);
  client.send("hello");
  client.finish_sending();
  EXPECT_EQ(client.read_to_end(), "got 5");
}

TEST_P(Socks5, DeliversBulkToTheLastByte) {
  const Origin origin(scripts::pattern_stream(20'000'000));
  RawClient client = connect();
  ASSERT_EQ(socks::open(client, socks::connect_to(origin.address())).code, 0);
  PatternCheck check;
  check.feed(client.read_to_end());
  EXPECT_EQ(check.good_bytes(), 20'000'000U);
}

/// No client that is known speaks SOCKS5 by TLS of itself.
using PlainSocks5 = PlainProxy;

TEST_F(PlainSocks5, ByARealClientWorks) {
  const Origin origin(scripts::answer_ok("over socks"));
  const auto curl =
      run_program({"/usr/bin/curl", "-sS", "--socks5-hostname", proxy_.address().to_string(), origin.url()});
  EXPECT_EQ(curl.status.code, 0) << curl.errors;
  EXPECT_EQ(curl.output, "over socks");
}

// ---- with a plugin that asks for credentials

class Socks5WithBilling : public Socks5 {
 protected:
  Socks5WithBilling() : Socks5(ProxySettings{.billing = BillingSettings{}}) {}
};

INSTANTIATE_TEST_SUITE_P(By, Socks5WithBilling, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(Socks5WithBilling, NoCredentialsMeansNoAcceptableMethod) {
  RawClient client = connect();
  client.send(socks::greeting(socks::no_authentication));
  EXPECT_EQ(client.read_to_end(), "\x05\xff"s);
}

void expect_bad_credentials(RawClient& client, const std::string& password_message) {
  client.send(socks::greeting(socks::user_and_password));
  ASSERT_EQ(client.read_exactly(2), "\x05\x02"s);
  client.send_slowly(password_message);
  EXPECT_EQ(client.read_to_end(), "\x01\x01"s);
}

TEST_P(Socks5WithBilling, EmptyCredentialsAreRefused) {
  for (const auto& [user, token] : {std::pair{""s, ""s}, std::pair{""s, "token"s}, std::pair{"user"s, ""s}}) {
    SCOPED_TRACE(user + ":" + token);
    RawClient client = connect();
    expect_bad_credentials(client, socks::password(user, token));
  }
}

TEST_P(Socks5WithBilling, CredentialsOf255BytesAreReadAndRefused) {
  RawClient client = connect();
  expect_bad_credentials(client, socks::password(std::string(255, 'u'), std::string(255, 'p')));
}

TEST_P(Socks5WithBilling, OnlyTheRightTokenLearnsWhatIsWrongBehindAUserName) {
  proxy_.operator_client().create_user("alice");
  RawClient client = connect();
  expect_bad_credentials(client, socks::password("alice-colour-blue", "a wrong token"));
}

TEST_P(Socks5WithBilling, AUserNameThatBreaksTheGrammarIsReply1) {
  const std::string token = proxy_.operator_client().create_user("alice");
  RawClient client = connect();
  const auto reply = socks::open(client, socks::connect_to(proxy_.address()), "alice-colour-blue", token);
  EXPECT_EQ(reply.code, 1);
}

}  // namespace
}  // namespace payg::test
