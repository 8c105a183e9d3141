// How fast the bytes of one user move, through a whole worker on real sockets. Time is moved by hand, so that
// how much has moved at which moment is exact.

#include <atomic>
#include <functional>
#include <list>
#include <thread>

#include "tests/integration/held_proxy.h"

namespace payg::test {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t rate = 1'000'000;
/// What moves before its time, and one piece more.
constexpr std::uint64_t most_ahead = rate / 10;

/// Takes whatever comes, so that only the proxy is slow.
class Drain {
 public:
  explicit Drain(RawClient& client)
      : client_(client), thread_([this, &client] {
          for (std::string some = client.read_some(); !some.empty(); some = client.read_some())
            arrived_ += some.size();
        }) {}
  ~Drain() {
    client_.interrupt();
    thread_.join();
  }
  std::uint64_t arrived() const { return arrived_; }

 private:
  RawClient& client_;
  std::atomic<std::uint64_t> arrived_{0};
  std::thread thread_;
};

class Bandwidth : public testing::Test {
 protected:
  Bandwidth() : proxy_(rate) { proxy_.plugin().user = 5; }

  /// Lets time pass in steps, each when everybody is held, and returns what was relayed meanwhile.
  std::uint64_t moved_in(std::chrono::milliseconds time, std::uint64_t connections) {
    EXPECT_TRUE(proxy_.comes_to_hold(connections));
    const std::uint64_t before = proxy_.bytes();
    constexpr milliseconds step{50};  // behind each, at least one piece may move
    for (milliseconds passed{0}; passed < time; passed += step) {
      const std::uint64_t holds = proxy_.holds();
      proxy_.clock().advance(step);
      EXPECT_TRUE(eventually([&] { return proxy_.holds() > holds; })) << "all of the pace was used";
      EXPECT_TRUE(proxy_.comes_to_hold(connections));
    }
    return proxy_.bytes() - before;
  }

  /// True when it happens while a connection that is always held again has so many turns.
  bool within_turns(int turns, const std::function<bool()>& happened) {
    for (int turn = 0; turn < turns; ++turn) {
      const std::uint64_t holds = proxy_.holds();
      proxy_.clock().advance(milliseconds(50));
      if (!eventually([&] { return happened() || proxy_.holds() > holds; })) return false;
    }
    return eventually(happened);
  }

  HeldProxy proxy_;
};

TEST_F(Bandwidth, OfAUserIsWhatHisBytesMoveBy) {
  const Origin bulk(scripts::pattern_stream(100'000'000));
  RawClient download = proxy_.tunnel(bulk);
  const Drain drain(download);
  EXPECT_TRUE(proxy_.comes_to_hold(1));
  EXPECT_LE(proxy_.bytes(), most_ahead + 200) << "and the answer to CONNECT";
  EXPECT_NEAR(static_cast<double>(moved_in(milliseconds(2000), 1)), 2.0 * rate, most_ahead);
}

TEST_F(Bandwidth, IsSharedByAllConnectionsOfAUser) {
  const Origin bulk([](OriginConnection& connection) {
    connection.stream().read_exactly(1);
    connection.send_pattern(100'000'000);
  });
  RawClient one = proxy_.tunnel(bulk);
  RawClient another = proxy_.socks_tunnel(bulk);
  one.send("1");
  another.send("2");
  const Drain drain(one), other_drain(another);
  EXPECT_NEAR(static_cast<double>(moved_in(milliseconds(1000), 2)), 1.0 * rate, 2 * most_ahead);
}

TEST_F(Bandwidth, IsSharedFairlyByManyConnections) {
  const Origin bulk([](OriginConnection& connection) {
    connection.stream().read_exactly(1);
    connection.send_pattern(100'000'000);
  });
  constexpr std::size_t count = 5;
  std::list<RawClient> clients;
  for (std::size_t i = 0; i < count; ++i) clients.push_back(proxy_.tunnel(bulk));
  for (auto& client : clients) client.send("1");
  std::list<Drain> drains;
  for (auto& client : clients) drains.emplace_back(client);
  const std::uint64_t all = moved_in(milliseconds(5000), count);
  EXPECT_NEAR(static_cast<double>(all), 5.0 * rate, 2 * most_ahead);
  for (const Drain& drain : drains)
    EXPECT_TRUE(eventually([&] { return drain.arrived() > all / count / 2; })) << drain.arrived();
}

TEST_F(Bandwidth, IsSharedByBothDirections) {
  Signal arrived;
  const Origin flood([&](OriginConnection& connection) {
    const std::jthread listener([&] {
      if (connection.stream().read_some() == "stop") arrived.set();
    });
    connection.send_pattern(100'000'000);
  });
  RawClient client = proxy_.tunnel(flood);
  EXPECT_TRUE(proxy_.comes_to_hold(1));
  client.send("stop");
  const Drain drain(client);
  EXPECT_TRUE(within_turns(4, [&] { return arrived.is_set(); })) << "in between what comes down";
}

TEST_F(Bandwidth, LetsAnAnswerThroughThatComesDuringAnUpload) {
  const Origin refusing([](OriginConnection& connection) {
    connection.read_request_head();
    connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    while (!connection.stream().read_some().empty()) {
    }
  });
  RawClient client = proxy_.connect();
  client.send("PUT http://" + refusing.authority() + "/ HTTP/1.1\r\nHost: " + refusing.authority() +
              "\r\nContent-Length: 100000000\r\n\r\n");
  std::thread upload([&client] {
    const std::string piece(65'536, 'x');
    while (client.try_send(piece)) {
    }
  });
  const bool is_answered = within_turns(10, [&] { return client.readable_within(milliseconds(0)); });
  EXPECT_TRUE(is_answered);
  if (is_answered) {
    EXPECT_EQ(read_response(client).status, 413);
  }
  client.interrupt();
  upload.join();
}

TEST_F(Bandwidth, HoldsForwardedBodiesToo) {
  const Origin bulk(scripts::pattern_download(100'000'000));
  RawClient client = proxy_.connect();
  client.send(get(bulk));
  const Drain drain(client);
  EXPECT_NEAR(static_cast<double>(moved_in(milliseconds(1000), 1)), 1.0 * rate, most_ahead);
}

TEST_F(Bandwidth, OfAnotherUserIsHisOwn) {
  const Origin bulk(scripts::pattern_stream(100'000'000));
  RawClient download = proxy_.tunnel(bulk);
  EXPECT_TRUE(proxy_.comes_to_hold(1));
  proxy_.plugin().user = 6;
  const Origin echo(scripts::echo());
  RawClient other = proxy_.tunnel(echo);
  other.send("not held");
  EXPECT_EQ(other.read_exactly(8), "not held");
}

TEST_F(Bandwidth, LosesNothing) {
  constexpr std::uint64_t length = 1'000'000;
  const Origin bulk(scripts::pattern_stream(length));
  RawClient download = proxy_.tunnel(bulk);
  PatternCheck check;
  while (check.good_bytes() < length) {
    proxy_.clock().advance(milliseconds(20));
    if (download.readable_within(milliseconds(20))) check.feed(download.read_some());
    ASSERT_TRUE(check.intact());
  }
  proxy_.clock().advance(milliseconds(1000));
  EXPECT_TRUE(download.at_end());
}

}  // namespace
}  // namespace payg::test
