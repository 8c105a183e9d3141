#include "proxy/passage.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <numeric>
#include <string>
#include <vector>

#include "proxy/body_relay.h"
#include "tests/support/fake_clock.h"

namespace payg::proxy {
namespace {

using std::chrono::milliseconds;

/// A clock that shows a millisecond more each time somebody looks.
class TickingClock final : public Clock {
 public:
  MonotonicTime now() const noexcept override { return now_ += milliseconds(1); }
  WallTime wall_now() const noexcept override { return {}; }

 private:
  mutable MonotonicTime now_ = test::FakeClock::start;
};

struct TwoEnds {
  UniqueFd ours, theirs;
};

TwoEnds socket_pair() {
  int ends[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// Between two socket pairs, for the bytes of one session.
class PassageTest : public testing::Test, public SocketHandler, public Holdable {
 protected:
  PassageTest() : scratch_(16 * 1024) {
    TwoEnds from = socket_pair();
    TwoEnds to = socket_pair();
    far_source_ = std::move(from.theirs);
    far_sink_ = std::move(to.theirs);
    EXPECT_TRUE(source_.open(loop_.base(), std::move(from.ours), *this));
    EXPECT_TRUE(sink_.open(loop_.base(), std::move(to.ours), *this));
  }
  ~PassageTest() override { holds_.let_go(*this); }

  ByteCount count() { return {counters_.up_bytes, own_, sessions_, &plugin::SessionTraffic::up_bytes}; }
  Passage passage() { return Passage(count(), nullptr, *this, holds_, clock_.now()); }
  void permit() { session_.relay_until = MonotonicTime::max(); }
  void forbid() { session_.relay_until = MonotonicTime::min(); }

  void offer(std::string_view bytes) {
    EXPECT_EQ(send(far_source_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), std::ssize(bytes));
    event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
  }
  /// What has come out at the far end by now.
  std::string arrived() {
    std::vector<char> piece(1 << 20);
    const auto got = recv(far_sink_.get(), piece.data(), piece.size(), 0);
    return {piece.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  }

  void on_ready(Socket&) noexcept override {}
  bool may_move(MonotonicTime now) const noexcept override { return now <= relay_until(sessions_); }
  void on_released() noexcept override {}

  EventLoop loop_;
  TickingClock clock_;
  Counters counters_;
  std::uint64_t own_ = 0;
  HoldList holds_{loop_.base(), clock_, counters_};
  plugin::SessionTraffic session_;
  std::vector<plugin::SessionTraffic*> sessions_{&session_};
  std::vector<char> scratch_;
  PipePool pipes_{4};
  RelayResources resources_{scratch_, pipes_};
  UniqueFd far_source_, far_sink_;
  Socket source_, sink_;
};

TEST_F(PassageTest, LetsBytesThroughAndCountsThemInTheSession) {
  Passage open = passage();
  EXPECT_EQ(open.write(sink_, "hello").count, 5U);
  EXPECT_EQ(arrived(), "hello");
  EXPECT_EQ(session_.up_bytes, 5U);
  EXPECT_EQ(counters_.up_bytes, 5U);
  EXPECT_FALSE(held());
}

TEST_F(PassageTest, ThatIsShutWritesNothingAndHoldsItsConnection) {
  forbid();
  Passage shut = passage();
  EXPECT_EQ(shut.write(sink_, "hello").outcome, Socket::Outcome::blocked);
  EXPECT_EQ(arrived(), "");
  EXPECT_EQ(session_.up_bytes, 0U);
  EXPECT_TRUE(held());
  EXPECT_TRUE(sink_.writable()) << "the socket was not asked";
}

TEST_F(PassageTest, OfTheProxysOwnWordsIsNeverShut) {
  forbid();
  Passage own(count());
  EXPECT_EQ(own.write(sink_, "sorry").count, 5U);
  EXPECT_EQ(arrived(), "sorry");
  EXPECT_FALSE(held());
}

TEST_F(PassageTest, OfAPaceIsShutUntilItsTurnComes) {
  const std::atomic<std::uint64_t> rate{1'000'000};
  Pace shared(rate);
  const auto open = [&] { return Passage(count(), &shared, *this, holds_, clock_.now()).open(); };
  forbid();
  EXPECT_FALSE(open());
  ASSERT_TRUE(held());
  permit();
  EXPECT_FALSE(open()) << "others may have waited for longer";
  holds_.let_go(*this);
  EXPECT_TRUE(open());
}

TEST_F(PassageTest, IsShutWhenOneOfSeveralSessionsDoesNotPermit) {
  plugin::SessionTraffic stricter;
  stricter.relay_until = MonotonicTime::min();
  sessions_.push_back(&stricter);
  EXPECT_FALSE(passage().open());
}

TEST_F(PassageTest, ThatClosesInTheMiddleOfARunStopsItBehindThePiece) {
  std::string bytes(100'000, '\0');
  std::iota(bytes.begin(), bytes.end(), '\0');
  offer(bytes);
  Pump pump;
  session_.relay_until = clock_.now() + milliseconds(1);
  Passage closing = passage();
  EXPECT_EQ(pump.run(source_, sink_, resources_, closing), Pump::Status::waiting);
  EXPECT_TRUE(held());
  std::string got = arrived();
  EXPECT_GT(got.size(), 0U);
  EXPECT_LT(got.size(), bytes.size());
  EXPECT_EQ(session_.up_bytes, got.size());

  Passage shut = passage();
  EXPECT_EQ(pump.run(source_, sink_, resources_, shut), Pump::Status::waiting);
  EXPECT_EQ(arrived(), "");

  permit();
  while (got.size() < bytes.size()) {
    Passage open = passage();
    pump.run(source_, sink_, resources_, open);
    got += arrived();
  }
  EXPECT_EQ(got, bytes);
}

TEST_F(PassageTest, ThatIsShutLeavesBytesAndTheEndWithTheirSender) {
  forbid();
  offer("last words");
  shutdown(far_source_.get(), SHUT_WR);
  Pump pump;
  Passage shut = passage();
  EXPECT_EQ(pump.run(source_, sink_, resources_, shut), Pump::Status::waiting);
  EXPECT_FALSE(pump.holds_bytes());
  permit();
  Passage open = passage();
  EXPECT_EQ(pump.run(source_, sink_, resources_, open), Pump::Status::ended);
  EXPECT_EQ(arrived(), "last words");
}

TEST_F(PassageTest, ThatIsShutKeepsAChunkedBodyBack) {
  const http::BodyFraming chunked{.kind = http::BodyFraming::Kind::chunked};
  BodyRelay body(chunked, chunked);
  Buffer received, unsent, nothing_received, nothing_unsent;
  const MessageSide from{source_, received, nothing_unsent};
  const MessageSide to{sink_, nothing_received, unsent};
  forbid();
  offer("5\r\nhello\r\n0\r\n\r\n");
  Passage shut = passage();
  EXPECT_EQ(body.run(from, to, resources_, shut), BodyRelay::Status::waiting);
  EXPECT_EQ(arrived(), "");
  permit();
  Passage open = passage();
  EXPECT_EQ(body.run(from, to, resources_, open), BodyRelay::Status::done);
  EXPECT_EQ(arrived(), "5\r\nhello\r\n0\r\n\r\n");
}

}  // namespace
}  // namespace payg::proxy
