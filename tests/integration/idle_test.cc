// What is not idle, through a whole worker on real sockets. Time is moved by hand.

#include <functional>
#include <future>

#include "tests/integration/held_proxy.h"

namespace payg::test {
namespace {

using namespace std::chrono_literals;

class Idle : public testing::TestWithParam<Transport> {
 protected:
  /// Much more than idle_timeout, of which four fifths are over whenever somebody says something.
  void pass_time_while(const std::function<void()>& somebody_says_something) {
    for (int round = 0; round < 5; ++round) {
      RawClient silent = proxy_.tunnel(echo_);
      do {
        proxy_.clock().advance(4min);
        somebody_says_something();
      } while (!silent.readable_within(10ms));
      EXPECT_TRUE(silent.at_end()) << "closed for idleness, so the worker has looked for it";
      somebody_says_something();
    }
  }

  const Origin echo_{scripts::echo()};
  HeldProxy proxy_{0, GetParam()};
};

INSTANTIATE_TEST_SUITE_P(By, Idle, testing::ValuesIn(both_transports), name_of_transport);

/// A target whose side of its only connection is in the hands of the test.
class FarEnd {
 public:
  ~FarEnd() { over_.set(); }
  const Origin& origin() const { return origin_; }
  /// REQUIRES: somebody has connected; called once.
  Stream& stream() { return *stream_.get_future().get(); }

 private:
  std::promise<Stream*> stream_;
  Signal over_;
  const Origin origin_{[this](OriginConnection& connection) {
    stream_.set_value(&connection.stream());
    over_.wait();
  }};
};

TEST_P(Idle, IsNoTunnelInWhichOnlyTheTargetSpeaks) {
  FarEnd target;
  RawClient client = proxy_.tunnel(target.origin());
  Stream& far = target.stream();
  pass_time_while([&] {
    far.send(".");
    ASSERT_EQ(client.read_exactly(1), ".");
  });
}

TEST_P(Idle, IsNoTunnelInWhichOnlyTheClientSpeaks) {
  FarEnd target;
  RawClient client = proxy_.tunnel(target.origin());
  Stream& far = target.stream();
  pass_time_while([&] {
    client.send(".");
    ASSERT_EQ(far.read_exactly(1), ".");
  });
}

TEST_P(Idle, IsNoAnswerThatComesLittleByLittle) {
  FarEnd target;
  RawClient client = proxy_.connect();
  client.send(get(target.origin()));
  Stream& far = target.stream();
  far.read_until("\r\n\r\n");
  far.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
  client.read_until("\r\n\r\n");
  pass_time_while([&] {
    far.send(".");
    ASSERT_EQ(client.read_exactly(1), ".");
  });
}

}  // namespace
}  // namespace payg::test
