#include "billing/core/credits.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace payg::billing {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();

Credits units(std::int64_t count) {
  return Credits::from_units(count);
}

TEST(Credits, ReadsDecimalsExactly) {
  const struct {
    const char* text;
    std::int64_t units;
  } cases[] = {
      {"0", 0},
      {"-0", 0},
      {"1", 3'600'000},
      {"10", 36'000'000},
      {"0.80", 2'880'000},
      {"0.8", 2'880'000},
      {"-2.5", -9'000'000},
      {"00.50", 1'800'000},
      {"0.000005", 18},
      {"0.0000025", 9},
      {"2562047788015.2", 9'223'372'036'854'720'000},
      {"-2562047788015.2", -9'223'372'036'854'720'000},
  };
  for (const auto& c : cases) {
    const auto parsed = Credits::parse(c.text);
    ASSERT_TRUE(parsed) << c.text;
    EXPECT_EQ(parsed->units(), c.units) << c.text;
  }
}

TEST(Credits, RefusesWhatIsNoNumber) {
  for (const char* text : {"",     "-",   ".",     "-.",  "5.", ".5",  "+1", " 1",    "1 ",  "1e3",
                           "0x10", "1,5", "1.2.3", "--1", "1-", "ten", "١",  "1_000", "inf", "nan"})
    EXPECT_FALSE(Credits::parse(text)) << text;
  EXPECT_FALSE(Credits::parse(std::string_view("1\0", 2)));
}

TEST(Credits, RefusesWhatDoesNotFitOrIsNoWholeNumberOfUnits) {
  for (const char* text :
       {"2562047788015.3", "-2562047788015.3", "999999999999999999", "9999999999999999999",
        "0000000000000000001", "0.0000001", "0.00000125", "0.0000000000000001", "1.0000001"})
    EXPECT_FALSE(Credits::parse(text)) << text;
}

TEST(Credits, AddsAndSubtractsUpToTheEdgeAndNotBeyond) {
  EXPECT_EQ(units(most - 1).plus(units(1)), units(most));
  EXPECT_EQ(units(most).plus(units(1)), std::nullopt);
  EXPECT_EQ(units(least).plus(units(-1)), std::nullopt);
  EXPECT_EQ(units(least + 1).minus(units(1)), units(least));
  EXPECT_EQ(units(least).minus(units(1)), std::nullopt);
  EXPECT_EQ(units(0).minus(units(least)), std::nullopt);
  EXPECT_EQ(units(-1).minus(units(least)), units(most));
  EXPECT_EQ(units(most).minus(units(most)), units(0));
}

TEST(Credits, ShowsNeverMoreThanThereIs) {
  EXPECT_EQ(units(35'952'000).to_string(), "9.98");
  EXPECT_EQ(units(35'951'999).to_string(), "9.98");
  EXPECT_EQ(units(3'599'999).to_string(), "0.99");
  EXPECT_EQ(units(0).to_string(), "0.00");
  EXPECT_EQ(units(1).to_string(), "0.00");
  EXPECT_EQ(units(-1).to_string(), "-0.01");
  EXPECT_EQ(units(-9'000'000).to_string(), "-2.50");
  EXPECT_EQ(units(3'600'000).to_string(0), "1");
  EXPECT_EQ(units(most).to_string(), "2562047788015.21");
  EXPECT_EQ(units(least).to_string(), "-2562047788015.22");
}

TEST(Credits, ShowsTheWholeAmountWhenAsked) {
  EXPECT_EQ(units(36'000'000).to_exact_string(), "10.00");
  EXPECT_EQ(units(48'000).to_exact_string(), "0.01333333");
  EXPECT_EQ(units(18).to_exact_string(), "0.000005");
  EXPECT_EQ(units(1).to_exact_string(), "0.00000027");
  EXPECT_EQ(units(2'880'000).to_exact_string(), "0.80");
}

TEST(Rate, ReadsThreeDecimalsAndNoMore) {
  EXPECT_EQ(Rate::parse("0.80"), Rate::from_thousandths(800));
  EXPECT_EQ(Rate::parse("0.001"), Rate::from_thousandths(1));
  EXPECT_EQ(Rate::parse("1000000"), Rate::from_thousandths(1'000'000'000));
  for (const char* text : {"0", "0.000", "-1", "0.0001", "0.8000", "1000000.001", "1000001", "", "x"})
    EXPECT_FALSE(Rate::parse(text)) << text;
}

TEST(Rate, AMinuteAtEightyCentsCostsExactlyFortyEightThousandUnits) {
  EXPECT_EQ(Rate::from_thousandths(800).price_of(1min), units(48'000));
  EXPECT_EQ(Rate::from_thousandths(800).price_of(1h), units(2'880'000));
}

TEST(Rate, APriceThatIsNoWholeNumberOfUnitsIsNoPrice) {
  EXPECT_EQ(Rate::from_thousandths(1).price_of(1ms), std::nullopt);
  EXPECT_EQ(Rate::from_thousandths(1).price_of(1000ms), units(1));
  EXPECT_EQ(Rate::from_thousandths(1'000'000'000).price_of(std::chrono::milliseconds(most)), std::nullopt);
}

TEST(Rate, TimeIsRoundedDownToTheMillisecond) {
  const Rate rate = Rate::from_thousandths(800);
  EXPECT_EQ(rate.time_for(units(0)), 0ms);
  EXPECT_EQ(rate.time_for(units(1)), 1ms);  // 1.25 ms
  EXPECT_EQ(rate.time_for(units(4)), 5ms);
  EXPECT_EQ(rate.time_for(units(47'999)), 59'998ms);
  EXPECT_EQ(Rate::from_thousandths(1001).time_for(units(1)), 0ms);
  EXPECT_EQ(Rate::from_thousandths(1).time_for(units(most)), std::chrono::milliseconds(most));
}

TEST(Purchase, CostsThePriceOrWhatIsLeft) {
  const Rate rate = Rate::from_thousandths(800);
  const Credits price = units(48'000);
  const auto buy = [&](std::int64_t balance) { return purchase(units(balance), price, 1min, rate); };
  EXPECT_EQ(buy(36'000'000), (Purchase{price, 1min}));
  EXPECT_EQ(buy(48'000), (Purchase{price, 1min}));
  EXPECT_EQ(buy(47'999), (Purchase{units(47'999), 59'998ms}));
  EXPECT_EQ(buy(4), (Purchase{units(4), 5ms}));
  EXPECT_EQ(buy(0), (Purchase{units(0), 0ms}));
}

TEST(Purchase, DustThatBuysNoMillisecondIsTakenAndGrantsNothing) {
  EXPECT_EQ(purchase(units(2), units(180'000), 1min, Rate::from_thousandths(3'000)),
            (Purchase{units(2), 0ms}));
}

TEST(Purchase, PartsNeverBuyMoreThanTheWhole) {
  const Rate rate = Rate::from_thousandths(777);
  const Credits price = *rate.price_of(1min);
  for (std::int64_t balance = 0; balance < price.units(); balance += 97) {
    const Purchase bought = purchase(units(balance), price, 1min, rate);
    ASSERT_LT(bought.grant, 1min);
    ASSERT_LE(bought.grant.count() * 777, balance * 1000);
    ASSERT_GT((bought.grant.count() + 1) * 777, balance * 1000);
  }
}

}  // namespace
}  // namespace payg::billing
