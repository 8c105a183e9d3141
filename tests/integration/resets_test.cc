// What is gone is let go of at once: a reset, on either side and in every phase, does not wait for
// idle_timeout (five minutes here; a test gives up long before).

#include <future>

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

/// A script's word to its test that it saw the end of its connection.
class Ending {
 public:
  Origin::Script after(std::function<void(OriginConnection&)> beginning) {
    return [this, beginning = std::move(beginning)](OriginConnection& connection) {
      beginning(connection);
      if (connection.stream().at_end()) seen_.set_value();
    };
  }
  bool comes() { return seen_.get_future().wait_for(patience) == std::future_status::ready; }

 private:
  std::promise<void> seen_;
};

class Resets : public EitherProxy {
 protected:
  RawClient tunnel_to(const Origin& origin) const {
    RawClient client = connect();
    if (http_connect(client, origin.authority()).status != 200) throw HarnessError("no tunnel");
    return client;
  }
};

INSTANTIATE_TEST_SUITE_P(By, Resets, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(Resets, OfATargetComeBehindItsLastWords) {
  const Origin origin([](OriginConnection& connection) {
    connection.stream().read_exactly(1);
    connection.send("last words");
    connection.close();  // with bytes unread: a reset
  });
  RawClient client = tunnel_to(origin);
  client.send(std::string(100'000, 'x'));
  EXPECT_EQ(client.read_to_end(), "last words");
}

TEST_P(Resets, OfAnIdleTunnelsClientReachItsTarget) {
  Ending ending;
  const Origin origin(
      ending.after([](OriginConnection& connection) { connection.stream().read_exactly(1); }));
  RawClient client = tunnel_to(origin);
  client.send("x");
  client.reset();
  EXPECT_TRUE(ending.comes());
}

TEST_P(Resets, OfAnIdleTunnelsTargetReachItsClient) {
  const Origin origin([](OriginConnection& connection) {
    connection.stream().read_exactly(1);
    connection.reset();
  });
  RawClient client = tunnel_to(origin);
  client.send("x");
  EXPECT_TRUE(client.at_end());
}

TEST_P(Resets, OfAClientThatWaitsForItsAnswerEndTheRequest) {
  Ending ending;
  const Origin origin(ending.after([](OriginConnection& connection) { connection.read_request(); }));
  RawClient client = connect();
  client.send(get(origin));
  origin.wait_for_requests(1);
  client.reset();
  EXPECT_TRUE(ending.comes());
}

TEST_P(Resets, OfAClientInTheMiddleOfItsAnswerEndTheRequest) {
  Ending ending;
  const Origin origin(ending.after([](OriginConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin");
  }));
  RawClient client = connect();
  client.send(get(origin));
  client.read_until("begin");
  client.reset();
  EXPECT_TRUE(ending.comes());
}

TEST_P(Resets, AreNotWhatAHalfCloseIs) {
  const Origin origin(scripts::answer_ok("still here"));
  RawClient client = connect();
  client.send(get(origin));
  client.finish_sending();
  EXPECT_EQ(read_response(client).body.content, "still here");
}

TEST_P(Resets, AndHalfClosesBehindAWholeSocksHandshakeDiffer) {
  const Origin origin(scripts::echo());
  RawClient client = connect();
  client.send(socks::greeting(socks::no_authentication));
  EXPECT_EQ(client.read_exactly(2), std::string("\x05\x00", 2));
  client.send(socks::connect_to(origin.address()) + "all at once");
  client.finish_sending();
  EXPECT_EQ(socks::read_reply(client).code, 0);
  EXPECT_EQ(client.read_to_end(), "all at once");
}

TEST_P(Resets, DoNotLetTheBodyOfAnOptionsAnsweredHereBecomeARequest) {
  const Origin origin(scripts::answer_ok());
  const std::string smuggled = get(origin, {}, "/smuggled");
  RawClient client = connect();
  client.send(
      at(origin,
         "OPTIONS http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\nMax-Forwards: 0\r\nContent-Length: " +
             std::to_string(smuggled.size()) + "\r\n\r\n" + smuggled) +
      get(origin, {}, "/honest"));
  EXPECT_EQ(read_response(client, "OPTIONS").status, 200);
  EXPECT_EQ(read_response(client).status, 200);
  ASSERT_EQ(origin.requests().size(), 1U);
  EXPECT_NE(origin.requests()[0].head.raw.find("/honest"), std::string::npos);
}

}  // namespace
}  // namespace payg::test
