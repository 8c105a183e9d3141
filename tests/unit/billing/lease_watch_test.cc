#include "billing/core/lease_watch.h"

#include <gtest/gtest.h>

#include <array>

namespace payg::test {
namespace {

using namespace std::chrono_literals;
using billing::LeaseWatch;
using billing::NodeLife;
using billing::NodeSign;

class LeaseWatchTest : public testing::Test {
 protected:
  /// A look that takes no time.
  void look() { watch.look(now, now, signs); }
  /// Looks a second apart.
  void look_for(std::chrono::seconds time) {
    for (const auto until = now + time; now < until; now += 1s) look();
    look();
  }
  std::vector<std::string> lost() const {
    std::vector<std::string> names;
    for (const NodeSign& sign : watch.lost()) names.push_back(sign.node);
    return names;
  }
  using Names = std::vector<std::string>;

  MonotonicTime now{std::chrono::hours(1)};
  LeaseWatch watch{"own"};
  std::vector<NodeSign> signs{{.node = "a", .life = NodeLife{1}, .beat = 7, .lease = 10s},
                              {.node = "own", .life = NodeLife{1}, .beat = 7, .lease = 10s}};
};

TEST_F(LeaseWatchTest, ANodeIsLostWhenItsBeatStaysTheSameForItsWholeLease) {
  look_for(9s);
  EXPECT_EQ(lost(), Names{});
  look_for(1s);
  EXPECT_EQ(lost(), Names{"a"});
  EXPECT_EQ(watch.lost().front(), signs.front());
}

TEST_F(LeaseWatchTest, ABeatOrANewLifeStartsItAfresh) {
  look_for(9s);
  signs.front().beat = 8;
  look_for(9s);
  signs.front().life = NodeLife{2};
  look_for(9s);
  EXPECT_EQ(lost(), Names{});
  look_for(1s);
  EXPECT_EQ(lost(), Names{"a"});
  signs.front().beat = 9;
  look();
  EXPECT_EQ(lost(), Names{}) << "it lives again";
}

TEST_F(LeaseWatchTest, OnlyWhatLiesBetweenAnAnswerAndAQuestionCounts) {
  // The beat may have been read at any moment of a look.
  watch.look(now, now + 4s, signs);
  watch.look(now + 6s, now + 7s, signs);
  watch.look(now + 11s, now + 12s, signs);
  EXPECT_EQ(lost(), Names{});
  watch.look(now + 14s, now + 16s, signs);
  EXPECT_EQ(lost(), Names{"a"});
}

TEST_F(LeaseWatchTest, ALedgerThatWasAwayMakesNobodyDead) {
  look_for(9s);
  watch.missed();
  look_for(9s);
  EXPECT_EQ(lost(), Names{});
  look_for(1s);
  EXPECT_EQ(lost(), Names{"a"});
}

TEST_F(LeaseWatchTest, AWatcherThatWasPausedMakesNobodyDead) {
  look_for(9s);
  now += 1h;
  look();
  EXPECT_EQ(lost(), Names{});
  now += LeaseWatch::longest_gap;
  look();
  now += LeaseWatch::longest_gap;
  look();
  EXPECT_EQ(lost(), Names{"a"});
}

TEST_F(LeaseWatchTest, ItsOwnNodeIsNeverLostAndNeitherIsOneWithoutALease) {
  signs.front().lease = 0s;
  look_for(60s);
  EXPECT_EQ(lost(), Names{});
}

TEST_F(LeaseWatchTest, OneThatIsSettledIsLostAgainAfterAnotherLease) {
  look_for(10s);
  watch.settled("a");
  EXPECT_EQ(lost(), Names{});
  look_for(9s);
  EXPECT_EQ(lost(), Names{});
  look_for(2s);
  EXPECT_EQ(lost(), Names{"a"});
}

TEST_F(LeaseWatchTest, ANodeThatIsGoneFromTheLedgerIsForgotten) {
  look_for(10s);
  signs.erase(signs.begin());
  look();
  EXPECT_EQ(lost(), Names{});
}

}  // namespace
}  // namespace payg::test
