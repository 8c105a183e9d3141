#include "proxy/pump.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "plugin/base/event.h"

namespace payg::proxy {
namespace {

/// A pump between two socket pairs: the test holds the far ends.
class PumpTest : public testing::Test, public SocketHandler {
 protected:
  PumpTest() : scratch_(64 * 1024) {
    std::tie(from_, far_source_) = pair();
    std::tie(to_, far_sink_) = pair();
    EXPECT_TRUE(source_.open(loop_.base(), std::move(from_), *this));
    EXPECT_TRUE(sink_.open(loop_.base(), std::move(to_), *this));
  }

  static std::pair<UniqueFd, UniqueFd> pair() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
  }

  static std::string noise(std::size_t size) {
    std::mt19937 random(static_cast<unsigned>(size));
    std::string bytes(size, '\0');
    std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<char>(random()); });
    return bytes;
  }

  Pump::Status run(Pump& pump) {
    event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
    Passage passage(ByteCount{total_, own_, {}, &plugin::SessionTraffic::up_bytes});
    return pump.run(source_, sink_, resources_, passage);
  }

  /// Sends `bytes` through while the far end takes at most `take` bytes a turn; returns what arrived.
  std::string send_through(Pump& pump, const std::string& bytes, std::size_t take) {
    std::size_t sent = 0;
    std::string arrived;
    std::vector<char> piece(take);
    for (;;) {
      if (sent < bytes.size()) {
        const auto count = send(far_source_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        if (count > 0) sent += static_cast<std::size_t>(count);
        if (sent == bytes.size()) shutdown(far_source_.get(), SHUT_WR);
      }
      status_ = run(pump);
      const auto got = recv(far_sink_.get(), piece.data(), piece.size(), 0);
      if (got > 0) arrived.append(piece.data(), static_cast<std::size_t>(got));
      const bool over = status_ != Pump::Status::waiting && status_ != Pump::Status::yielding;
      if (over && got <= 0) return arrived;
    }
  }

  void on_ready(Socket&) noexcept override {}

  EventLoop loop_;
  std::vector<char> scratch_;
  PipePool pipes_{4};
  RelayResources resources_{scratch_, pipes_};
  std::atomic<std::uint64_t> total_{0};
  std::uint64_t own_ = 0;
  UniqueFd from_, to_, far_source_, far_sink_;
  Socket source_, sink_;
  Pump::Status status_ = Pump::Status::waiting;
};

TEST_F(PumpTest, DeliversLittleAndThenTheEnd) {
  Pump pump;
  EXPECT_EQ(send_through(pump, "hello", 100), "hello");
  EXPECT_EQ(status_, Pump::Status::ended);
  EXPECT_EQ(total_, 5U);
  EXPECT_FALSE(pump.holds_bytes());
}

TEST_F(PumpTest, DeliversBulkUnchanged) {
  Pump pump;
  const std::string bytes = noise(5'000'000);
  EXPECT_EQ(send_through(pump, bytes, 1 << 20), bytes);
  EXPECT_EQ(status_, Pump::Status::ended);
  EXPECT_EQ(total_, bytes.size());
}

TEST_F(PumpTest, DeliversBulkToASlowReader) {
  Pump pump;
  const std::string bytes = noise(2'000'000);
  EXPECT_EQ(send_through(pump, bytes, 3000), bytes);
}

TEST_F(PumpTest, StopsAtItsLimitAndLeavesTheRest) {
  Pump pump(1'000'000);
  const std::string bytes = noise(1'000'000);
  const std::string rest = "the next message";
  std::string arrived;
  std::string all = bytes + rest;
  std::size_t sent = 0;
  std::vector<char> piece(1 << 20);
  while (status_ != Pump::Status::done) {
    const auto count = send(far_source_.get(), all.data() + sent, all.size() - sent, MSG_NOSIGNAL);
    if (count > 0) sent += static_cast<std::size_t>(count);
    status_ = run(pump);
    const auto got = recv(far_sink_.get(), piece.data(), piece.size(), 0);
    if (got > 0) arrived.append(piece.data(), static_cast<std::size_t>(got));
  }
  for (ssize_t got; (got = recv(far_sink_.get(), piece.data(), piece.size(), 0)) > 0;) {
    arrived.append(piece.data(), static_cast<std::size_t>(got));
  }
  EXPECT_EQ(arrived, bytes);
  while (sent < all.size()) {
    const auto count = send(far_source_.get(), all.data() + sent, all.size() - sent, MSG_NOSIGNAL);
    if (count > 0) sent += static_cast<std::size_t>(count);
  }
  const auto left = source_.read(scratch_);
  EXPECT_EQ(std::string(scratch_.data(), left.count), rest);
}

TEST_F(PumpTest, SaysWhatWasGivenToItFirst) {
  Buffer first;
  first.append("first ");
  Pump pump(std::move(first));
  EXPECT_EQ(send_through(pump, "second", 100), "first second");
}

TEST_F(PumpTest, HoldsNothingWhileNothingIsUnderWay) {
  Pump pump;
  const std::string bytes = noise(500'000);
  std::size_t sent = 0;
  std::size_t arrived = 0;
  std::vector<char> piece(1 << 20);
  while (arrived < bytes.size()) {
    const auto count = send(far_source_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count > 0) sent += static_cast<std::size_t>(count);
    run(pump);
    const auto got = recv(far_sink_.get(), piece.data(), piece.size(), 0);
    if (got > 0) arrived += static_cast<std::size_t>(got);
  }
  EXPECT_EQ(run(pump), Pump::Status::waiting);
  EXPECT_FALSE(pump.holds_bytes());
  const Pipe kept = pipes_.take();
  EXPECT_TRUE(kept.read_end) << "the pipe is back in the pool";
}

TEST_F(PumpTest, BuffersABoundedAmountForAStalledReader) {
  Pump pump;
  const std::string bytes = noise(100'000);
  std::size_t taken = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto count = send(far_source_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count > 0) taken += static_cast<std::size_t>(count);
    run(pump);
  }
  // Two kernel buffers of each pair, and one pipe or scratch buffer: far below what was offered.
  EXPECT_LT(taken, 3'000'000U);
}

TEST_F(PumpTest, SaysThatTheReaderIsGone) {
  Pump pump;
  far_sink_.reset();
  send(far_source_.get(), "hello", 5, MSG_NOSIGNAL);
  EXPECT_EQ(run(pump), Pump::Status::sink_failed);
}

}  // namespace
}  // namespace payg::proxy
