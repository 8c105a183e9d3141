#include "proxy/pace.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/support/fake_clock.h"

namespace payg::proxy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t megabyte = 1'000'000;

class PaceTest : public testing::Test {
 protected:
  /// Moves pieces for as long as there is room.
  std::uint64_t move_what_may() {
    std::uint64_t bytes = 0;
    for (; pace_.has_room(now_); bytes += pace_.piece()) pace_.moved(pace_.piece(), now_);
    return bytes;
  }

  std::atomic<std::uint64_t> rate_{megabyte};
  Pace pace_{rate_};
  MonotonicTime now_ = test::FakeClock::start;
};

TEST_F(PaceTest, GivesARateOverALongTimeToThePiece) {
  std::uint64_t bytes = move_what_may();
  const std::uint64_t at_once = bytes;
  EXPECT_LE(at_once, megabyte / 5);
  for (int step = 0; step < 10'000; ++step) {
    now_ += milliseconds(10);
    bytes += move_what_may();
  }
  EXPECT_NEAR(static_cast<double>(bytes - at_once), 100.0 * megabyte, static_cast<double>(pace_.piece()));
}

TEST_F(PaceTest, SavesUpNothingWhileNothingMoves) {
  const std::uint64_t at_once = move_what_may();
  now_ += std::chrono::hours(1);
  EXPECT_EQ(move_what_may(), at_once);
}

TEST_F(PaceTest, MakesUpForAPieceThatWasTooLarge) {
  pace_.moved(10 * megabyte, now_);
  EXPECT_FALSE(pace_.has_room(now_ + seconds(9)));
  EXPECT_TRUE(pace_.has_room(now_ + seconds(10)));
}

TEST_F(PaceTest, OfZeroIsNoBound) {
  rate_ = 0;
  pace_.moved(1'000'000 * megabyte, now_);
  EXPECT_TRUE(pace_.has_room(now_));
  EXPECT_FALSE(pace_.is_bounded());
}

TEST_F(PaceTest, CountsExactlyOverThreads) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int piece = 0; piece < 10'000; ++piece) pace_.moved(1000, now_);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(pace_.has_room(now_ + seconds(39)));
  EXPECT_TRUE(pace_.has_room(now_ + seconds(40)));
}

}  // namespace
}  // namespace payg::proxy
