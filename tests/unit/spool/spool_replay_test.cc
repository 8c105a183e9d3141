#include "billing/spool/spool_replay.h"

#include <gtest/gtest.h>

#include "tests/unit/spool/spool_charges.h"

namespace payg::test {
namespace {

using namespace billing;
using Outcome = ChargeResult::Outcome;

constexpr std::chrono::milliseconds whole{60'000};

ChargeResult answer(Outcome outcome, std::chrono::milliseconds grant = {}) {
  return {.outcome = outcome,
          .amount = Credits::from_units(grant.count() * 4 / 5),
          .grant = grant,
          .balance = {}};
}

std::string text_of(const std::vector<ChargeRequest>& charges) {
  std::string text;
  for (const ChargeRequest& charge : charges)
    text += std::to_string(charge.session.value) + '.' + std::to_string(charge.number) + ' ';
  return text;
}

std::string text_of(const std::vector<SessionKey>& sessions) {
  std::string text;
  for (const SessionKey& one : sessions) text += std::to_string(one.session.value) + ' ';
  return text;
}

std::string text_of(const ReplayTally& tally) {
  return std::to_string(tally.charges) + " for " + std::to_string(tally.amount.units()) + ", " +
         std::to_string(tally.forgone) + " for " + std::to_string(tally.forgone_price.units());
}

TEST(SpoolReplay, GoesThroughEachSessionOneChargeAfterTheOther) {
  SpoolReplay replay({owed_minute(1, 4), owed_minute(1, 5), owed_minute(2, 1)});
  EXPECT_EQ(text_of(replay.take(10)), "1.4 2.1 ");
  replay.on_charged(std::vector{answer(Outcome::granted, whole), answer(Outcome::granted, whole)});
  EXPECT_EQ(text_of(replay.take_finished()), "2 ");
  EXPECT_TRUE(replay.holds({UserId{101}, SessionId{1}}));
  EXPECT_EQ(text_of(replay.take(10)), "1.5 ");
  replay.on_charged(std::vector{answer(Outcome::granted, whole)});
  EXPECT_EQ(text_of(replay.take_finished()), "1 ");
  EXPECT_TRUE(replay.is_done());
  EXPECT_EQ(text_of(replay.take_tally()), "3 for 144000, 0 for 0");
}

TEST(SpoolReplay, PassesOverWhatTheLedgerHasAlready) {
  SpoolReplay replay({owed_minute(1, 4), owed_minute(1, 5), owed_minute(1, 6)});
  replay.on_charged(std::vector{answer(Outcome::fenced)});
  replay.on_charged(std::vector{answer(Outcome::granted, whole)});
  EXPECT_EQ(text_of(replay.take(10)), "1.6 ");
  ChargeResult stored = answer(Outcome::granted, whole);
  stored.origin = ChargeResult::Origin::stored;
  replay.on_charged(std::vector{stored});
  EXPECT_EQ(text_of(replay.take_tally()), "1 for 48000, 0 for 0") << "not what had been bought before";
}

TEST(SpoolReplay, CountsAsForgoneWhatIsFencedWithNothingTakenBehindIt) {
  SpoolReplay replay({owed_minute(1, 4), owed_minute(1, 5), owed_minute(2, 7)});
  replay.on_charged(std::vector{answer(Outcome::fenced), answer(Outcome::fenced)});
  replay.on_charged(std::vector{answer(Outcome::fenced)});
  EXPECT_EQ(text_of(replay.take_tally()), "0 for 0, 3 for 144000");
}

TEST(SpoolReplay, StopsWhereTheBalanceWasUsedUp) {
  SpoolReplay replay({owed_minute(1, 4), owed_minute(1, 5), owed_minute(2, 1), owed_minute(2, 2)});
  replay.on_charged(std::vector{answer(Outcome::granted, whole / 2), answer(Outcome::exhausted)});
  EXPECT_EQ(text_of(replay.take_finished()), "1 2 ");
  EXPECT_EQ(replay.take_settled().size(), 4U) << "what nobody asks for any more is not kept either";
  EXPECT_TRUE(replay.is_done());
  EXPECT_EQ(text_of(replay.take_tally()), "1 for 24000, 3 for 144000");
}

TEST(SpoolReplay, WhoIsLockedIsAskedAgainAfterAllOthers) {
  SpoolReplay replay({owed_minute(1, 4), owed_minute(2, 1), owed_minute(3, 1)});
  EXPECT_EQ(text_of(replay.take(2)), "1.4 2.1 ");
  replay.on_charged(std::vector{answer(Outcome::later), answer(Outcome::granted, whole)});
  EXPECT_EQ(text_of(replay.take(2)), "3.1 1.4 ");
  EXPECT_EQ(replay.take_one_in_line().turn, Turn::in_line);
}

TEST(SpoolReplay, OfNothingIsDone) {
  const SpoolReplay replay({});
  EXPECT_TRUE(replay.is_done());
  EXPECT_TRUE(replay.take(10).empty());
}

}  // namespace
}  // namespace payg::test
