#include "billing/core/admission.h"

#include <gtest/gtest.h>

namespace payg::billing {
namespace {

using namespace std::chrono_literals;

constexpr WallTime now{std::chrono::days(20'000)};
constexpr StartTerms terms{.minimum_to_start = Credits::from_units(2'880'000), .resume_window = 10min};

StartVerdict ask(std::int64_t units, std::optional<WallTime> last_end, const StartTerms& with = terms) {
  return may_start(Credits::from_units(units), last_end, with, now);
}

TEST(Admission, StartingNeedsTheMinimum) {
  EXPECT_EQ(ask(2'880'000, std::nullopt), StartVerdict::may_start);
  EXPECT_EQ(ask(2'879'999, std::nullopt), StartVerdict::payment_required);
}

TEST(Admission, ComingBackWithinTheWindowNeedsOnlyABalanceAboveZero) {
  EXPECT_EQ(ask(1, now - 1s), StartVerdict::may_start);
  EXPECT_EQ(ask(1, now - 10min), StartVerdict::may_start);
  EXPECT_EQ(ask(1, now - 10min - 1ms), StartVerdict::payment_required);
  EXPECT_EQ(ask(0, now - 1s), StartVerdict::payment_required);
}

TEST(Admission, NobodyStartsOnNothingWhateverTheMinimumIs) {
  const StartTerms free_start{.minimum_to_start = Credits{}, .resume_window = 10min};
  EXPECT_EQ(ask(0, std::nullopt, free_start), StartVerdict::payment_required);
  EXPECT_EQ(ask(1, std::nullopt, free_start), StartVerdict::may_start);
}

TEST(Admission, AWallClockThatWasSetBackIsWithinTheWindow) {
  EXPECT_EQ(ask(1, now + 1h), StartVerdict::may_start);
}

}  // namespace
}  // namespace payg::billing
