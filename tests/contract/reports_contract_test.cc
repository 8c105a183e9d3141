#include "tests/contract/books.h"

namespace payg::test {
namespace {

class Reports : public LedgerContract {};
PAYG_ON_EVERY_LEDGER(Reports);

TEST_P(Reports, TransactionsComeNewestFirstAPageAtATime) {
  const User alice = user_with("alice", Credits());
  const User bob = user_with("bob", credits(9));
  for (const std::string reference : {"r1", "r2", "r3", "r4", "r5"}) {
    value_of(ledger().adjust(alice.id, credits(1), reference, "", new_year));
    value_of(ledger().adjust(bob.id, credits(1), reference, "", new_year));
  }
  const auto first = value_of(ledger().transactions(alice.id, {}, std::nullopt, 2));
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0].reference, "r5");
  EXPECT_EQ(first[1].reference, "r4");
  const auto second = value_of(ledger().transactions(alice.id, {}, first[1].id, 2));
  ASSERT_EQ(second.size(), 2U);
  EXPECT_EQ(second[0].reference, "r3");
  EXPECT_EQ(second[1].reference, "r2");
  const auto last = value_of(ledger().transactions(alice.id, {}, second[1].id, 2));
  ASSERT_EQ(last.size(), 1U);
  EXPECT_EQ(last[0].reference, "r1");
  EXPECT_TRUE(value_of(ledger().transactions(alice.id, {}, last[0].id, 2)).empty());
}

TEST_P(Reports, TransactionsAreOfTheKindsAndTheTimeAskedFor) {
  const User alice = user_with("alice", credits(1));  // at new_year
  charge(minute(alice, session_a, 1));
  end(ending(alice, session_a, new_year + 1h));
  value_of(ledger().adjust(alice.id, credits(1), "later", "", new_year + 2h));
  const auto references = [&](const TransactionFilter& filter) {
    std::string all;
    for (const Transaction& row : value_of(ledger().transactions(alice.id, filter, std::nullopt, 10)))
      all += std::string(name_of(row.type)) + ' ';
    return all;
  };
  EXPECT_EQ(references({}), "adjustment usage adjustment ");
  EXPECT_EQ(references({.types = {TransactionType::usage}}), "usage ");
  EXPECT_EQ(references({.types = {TransactionType::usage, TransactionType::adjustment}}),
            "adjustment usage adjustment ");
  EXPECT_EQ(references({.types = {TransactionType::purchase}}), "");
  EXPECT_EQ(references({.since = new_year + 1h}), "adjustment usage ");
  EXPECT_EQ(references({.since = new_year + 1h, .until = new_year + 2h}), "usage ");
  EXPECT_EQ(references({.types = {TransactionType::adjustment}, .since = new_year + 1h}), "adjustment ");
}

TEST_P(Reports, EndedSessionsComeLastOneFirstAPageAtATime) {
  const User alice = user_with("alice", credits(1));
  const User bob = user_with("bob", credits(1));
  charge(minute(alice, session_a, 1));
  charge(minute(alice, session_b, 1));
  charge(minute(alice, SessionId{3}, 1));  // goes on
  charge(minute(bob, SessionId{4}, 1));
  end(ending(bob, SessionId{4}, new_year));
  EXPECT_TRUE(value_of(ledger().ended_sessions(alice.id, std::nullopt, 10)).empty());
  end(ending(alice, session_b, new_year + 2h));
  end(ending(alice, session_a, new_year + 2h));

  const auto both = value_of(ledger().ended_sessions(alice.id, std::nullopt, 10));
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[0].id, std::max(session_a, session_b));
  EXPECT_EQ(both[0].user_name, "alice");
  EXPECT_EQ(both[0].ended_at, new_year + 2h);
  EXPECT_EQ(both[0].why, "idle");
  EXPECT_EQ(both[0].charged, minute_price);
  const EndedBefore last{.ended_at = *both[0].ended_at, .id = both[0].id};
  const auto next = value_of(ledger().ended_sessions(alice.id, last, 1));
  ASSERT_EQ(next.size(), 1U);
  EXPECT_EQ(next[0].id, both[1].id);
  EXPECT_TRUE(
      value_of(ledger().ended_sessions(alice.id, EndedBefore{*next[0].ended_at, next[0].id}, 1)).empty());
  EXPECT_EQ(refusal_of(ledger().ended_sessions(alice.id, std::nullopt, 0)), "invalid");
  EXPECT_EQ(refusal_of(ledger().ended_sessions(UserId{4711}, std::nullopt, 1)), "not_found");
  for (const SessionRow& live : value_of(ledger().live_sessions(alice.id)))
    EXPECT_EQ(live.ended_at, std::nullopt);
}

TEST_P(Reports, APageOfNoneOrTooManyIsInvalid) {
  const User alice = user_with("alice", Credits());
  EXPECT_EQ(refusal_of(ledger().transactions(alice.id, {}, std::nullopt, 0)), "invalid");
  EXPECT_EQ(refusal_of(ledger().transactions(alice.id, {}, std::nullopt, 10'001)), "invalid");
  EXPECT_EQ(refusal_of(ledger().transactions(alice.id, {}, std::nullopt, 10'000)), "ok");
}

TEST_P(Reports, UsageIsCountedByTheHourAndByTheDay) {
  const User alice = user_with("alice", credits(1));
  charge(minute(alice, session_a, 1));
  charge(minute(alice, session_a, 2));
  end(ending(alice, session_a, new_year + 30min));
  charge(minute(alice, session_b, 1));
  end(ending(alice, session_b, new_year + 59min + 59'999ms));
  charge(minute(alice, SessionId{3}, 1));
  end(ending(alice, SessionId{3}, new_year + 5h));
  charge(minute(alice, SessionId{4}, 1));
  end(ending(alice, SessionId{4}, new_year + 24h));

  const auto hours = value_of(ledger().usage(alice.id, UsageBucket::hour, new_year, new_year + 25h));
  ASSERT_EQ(hours.size(), 3U);
  EXPECT_EQ(hours[0].from, new_year);
  EXPECT_EQ(hours[0].time, 3min);
  EXPECT_EQ(hours[0].amount, minutes_worth(3));
  EXPECT_EQ(hours[1].from, new_year + 5h);
  EXPECT_EQ(hours[2].from, new_year + 24h);

  const auto days = value_of(ledger().usage(alice.id, UsageBucket::day, new_year, new_year + 25h));
  ASSERT_EQ(days.size(), 2U);
  EXPECT_EQ(days[0].from, new_year);
  EXPECT_EQ(days[0].time, 4min);
  EXPECT_EQ(days[0].amount, minutes_worth(4));
  EXPECT_EQ(days[1].from, new_year + 24h);
  EXPECT_EQ(value_of(ledger().usage(alice.id, UsageBucket::day, new_year + 24h, new_year + 25h)).size(), 1U);
  EXPECT_TRUE(value_of(ledger().usage(alice.id, UsageBucket::day, new_year + 25h, new_year + 25h)).empty());
}

TEST_P(Reports, UsageOfLiveSessionsCountsNow) {
  const User alice = user_with("alice", credits(1));
  charge(minute(alice, session_a, 1));
  value_of(ledger().post_usage(node, new_year, new_year + 10min));
  charge(minute(alice, session_a, 2));
  charge(minute(alice, session_b, 1));

  const auto hours = value_of(ledger().usage(alice.id, UsageBucket::hour, new_year, new_year + 90min));
  ASSERT_EQ(hours.size(), 2U);
  EXPECT_EQ(hours[0].from, new_year);
  EXPECT_EQ(hours[0].time, 1min);
  EXPECT_EQ(hours[0].amount, minutes_worth(1));
  EXPECT_EQ(hours[1].from, new_year + 1h);
  EXPECT_EQ(hours[1].time, 2min);
  EXPECT_EQ(hours[1].amount, minutes_worth(2));
}

TEST_P(Reports, ThePartOfAMinuteThatWasBoughtIsTheTimeThatCounts) {
  const User alice = user_with("alice", units(24'000));
  charge(minute(alice, session_a, 1));
  end(ending(alice, session_a, new_year));
  const auto hours = value_of(ledger().usage(alice.id, UsageBucket::hour, new_year, new_year));
  ASSERT_EQ(hours.size(), 1U);
  EXPECT_EQ(hours[0].time, 30s);
  EXPECT_EQ(hours[0].amount, units(24'000));
}

TEST_P(Reports, PeopleWithAnSqlShellSeeDecimalCredits) {
  const User alice = user_with("alice", units(35'952'001));
  value_of(ledger().adjust(alice.id, units(-36'000), "r", "", new_year));
  charge(minute(alice, session_a, 1));
  EXPECT_EQ(books().run("SELECT CAST(balance AS TEXT) FROM balances_in_credits"), "9.96333361");
  EXPECT_EQ(books().run("SELECT CAST(amount AS TEXT) FROM transactions_in_credits WHERE reference = 'r'"),
            "-0.01000000");
  EXPECT_EQ(books().run("SELECT session FROM sessions_in_credits"), "0000000000001234");
  EXPECT_EQ(books().run("SELECT CAST(charged AS TEXT) FROM sessions_in_credits"), "0.01333333");
}

}  // namespace
}  // namespace payg::test
