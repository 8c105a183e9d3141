#include <array>

#include "tests/contract/books.h"

namespace payg::test {
namespace {

class Sessions : public LedgerContract {
 protected:
  std::vector<Transaction> usage_of(const User& user) {
    std::vector<Transaction> found;
    for (const auto& transaction : value_of(ledger().transactions(user.id, {}, std::nullopt, 10'000))) {
      if (transaction.type == TransactionType::usage) found.push_back(transaction);
    }
    return found;
  }
};
PAYG_ON_EVERY_LEDGER(Sessions);

TEST_P(Sessions, EndingOnePostsWhatItWasCharged) {
  const User alice = user_with("alice", credits(1));
  charge(minute(alice, session_a, 1));
  charge(minute(alice, session_a, 2));
  EXPECT_TRUE(usage_of(alice).empty());
  end(ending(alice, session_a, new_year + 2min));

  const auto usage = usage_of(alice);
  ASSERT_EQ(usage.size(), 1U);
  EXPECT_EQ(usage[0].amount, units(-96'000));
  EXPECT_EQ(usage[0].reference, "session-0000000000001234-2");
  EXPECT_EQ(usage[0].created_at, new_year + 2min);
  EXPECT_TRUE(value_of(ledger().live_sessions(alice.id)).empty());
  EXPECT_EQ(value_of(ledger().balance(alice.id)), units(3'600'000 - 96'000));
}

TEST_P(Sessions, EveryReasonToEndIsStoredByItsName) {
  const User alice = user_with("alice", credits(1));
  std::uint64_t id = 0;
  for (const EndReason why :
       {EndReason::idle, EndReason::exhausted, EndReason::requested, EndReason::disabled, EndReason::drained,
        EndReason::node_lost, EndReason::unavailable, EndReason::too_many}) {
    charge(minute(alice, SessionId{++id}, 1));
    end(ending(alice, SessionId{id}, new_year, why));
    EXPECT_EQ(books().run("SELECT why FROM metered_sessions WHERE session_id = " + std::to_string(id)),
              name_of(why));
  }
}

TEST_P(Sessions, EndingOneAgainChangesNothing) {
  const User alice = user_with("alice", credits(1));
  charge(minute(alice, session_a, 1));
  end(ending(alice, session_a, new_year + 1min, EndReason::idle));
  end(ending(alice, session_a, new_year + 5min, EndReason::requested));
  EXPECT_EQ(usage_of(alice).size(), 1U);
  EXPECT_EQ(value_of(ledger().standing(alice.id)).last_session_end, new_year + 1min);
  EXPECT_EQ(books().run("SELECT why FROM metered_sessions"), "idle");
}

TEST_P(Sessions, EndingOneThatNeverHadARowIsNoError) {
  const User alice = user_with("alice", credits(1));
  end(ending(alice, session_a, new_year));
  User nobody = alice;
  nobody.id = UserId{999};
  end(ending(nobody, session_a, new_year));
  value_of(ledger().end_sessions({}));
  EXPECT_EQ(value_of(ledger().standing(alice.id)).last_session_end, std::nullopt);
}

TEST_P(Sessions, ManyEndInOneCallAndOneTwiceInItEndsOnce) {
  const User alice = user_with("alice", credits(1));
  const User bob = user_with("bob", credits(1));
  charge(minute(alice, session_a, 1));
  charge(minute(alice, session_b, 1));
  charge(minute(bob, session_a, 1));
  const std::array requests = {ending(bob, session_a, new_year), ending(alice, session_b, new_year),
                               ending(bob, session_a, new_year + 1min, EndReason::drained),
                               ending(alice, session_a, new_year)};
  EXPECT_EQ(value_of(ledger().end_sessions(requests)),
            (std::vector<EndResult>{
                {.posted = minute_price}, {.posted = minute_price}, {}, {.posted = minute_price}}))
      << "what each of them has posted";
  EXPECT_EQ(usage_of(alice).size(), 2U);
  EXPECT_EQ(usage_of(bob).size(), 1U);
  EXPECT_TRUE(value_of(ledger().live_sessions(std::nullopt)).empty());
}

TEST_P(Sessions, UsageIsPostedInPartsWhileOneLives) {
  const User alice = user_with("alice", credits(1));
  charge(minute(alice, session_a, 1));
  value_of(ledger().post_usage(node, new_year, new_year + 1h));
  charge(minute(alice, session_a, 2));
  charge(minute(alice, session_a, 3));
  value_of(ledger().post_usage(node, new_year + 1h, new_year + 2h));
  charge(minute(alice, session_a, 4));
  end(ending(alice, session_a, new_year + 3h));

  const auto usage = usage_of(alice);  // newest first
  ASSERT_EQ(usage.size(), 3U);
  EXPECT_EQ(usage[2].amount, units(-48'000));
  EXPECT_EQ(usage[2].reference, "session-0000000000001234-1");
  EXPECT_EQ(usage[1].amount, units(-96'000));
  EXPECT_EQ(usage[1].reference, "session-0000000000001234-3");
  EXPECT_EQ(usage[1].created_at, new_year + 2h);
  EXPECT_EQ(usage[0].amount, units(-48'000));
  EXPECT_EQ(value_of(ledger().balance(alice.id)), units(3'600'000 - 4 * 48'000));
}

TEST_P(Sessions, UsageThatWasPostedIsNotPostedAgain) {
  const User alice = user_with("alice", credits(1));
  charge(minute(alice, session_a, 1));
  value_of(ledger().post_usage(node, new_year + 9h, new_year + 1h));
  value_of(ledger().post_usage(node, new_year + 9h, new_year + 2h));
  end(ending(alice, session_a, new_year + 3h));
  EXPECT_EQ(usage_of(alice).size(), 1U);
}

TEST_P(Sessions, OnlyOldOnesOfTheNodeArePosted) {
  const User alice = user_with("alice", credits(1));
  charge(minute(alice, session_a, 1));
  value_of(ledger().post_usage(node, new_year - 1ms, new_year + 1h));
  value_of(ledger().post_usage("node-2", new_year, new_year + 1h));
  EXPECT_TRUE(usage_of(alice).empty());
  value_of(ledger().post_usage(node, new_year, new_year + 1h));
  EXPECT_EQ(usage_of(alice).size(), 1U);
  // Posted at 1h: too young for what asks for older ones.
  charge(minute(alice, session_a, 2));
  value_of(ledger().post_usage(node, new_year + 59min, new_year + 2h));
  EXPECT_EQ(usage_of(alice).size(), 1U);
}

TEST_P(Sessions, LiveOnesAreListedOldestFirst) {
  const User alice = user_with("alice", credits(1));
  const User bob = user_with("bob", credits(1));
  auto later = minute(alice, SessionId{1}, 1);
  later.from = new_year + 1h;
  charge(later);
  charge(minute(alice, SessionId{2}, 1));
  auto middle = minute(bob, SessionId{3}, 1);
  middle.from = new_year + 1min;
  charge(middle);

  const auto all = value_of(ledger().live_sessions(std::nullopt));
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].id, SessionId{2});
  EXPECT_EQ(all[1].id, SessionId{3});
  EXPECT_EQ(all[1].user_name, "bob");
  EXPECT_EQ(all[2].id, SessionId{1});
  EXPECT_EQ(value_of(ledger().live_sessions(bob.id)).size(), 1U);
  EXPECT_TRUE(value_of(ledger().live_sessions(UserId{999})).empty());
}

// More than one portion of a thousand.
TEST_P(Sessions, ThousandsArePostedAndFoundOpen) {
  const User alice = user_with("alice", credits(1));
  auto request = minute(alice, session_a, 1);
  request.price = units(8);
  request.increment = 10ms;
  std::vector<ChargeRequest> batch;
  for (std::uint64_t id = 1; id <= 1'500; ++id) {
    request.session = SessionId{id};
    batch.push_back(request);
  }
  const User bob = user_with("bob", credits(1));
  request.user = bob.id;
  for (std::uint64_t id = 1; id <= 1'000; ++id) {
    request.session = SessionId{id};
    batch.push_back(request);
  }
  value_of(ledger().charge(newest_life(ledger(), node), batch));
  const auto post = [&] { return value_of(ledger().post_usage(node, new_year, new_year + 1h)); };
  const auto posted = [&] { return usage_of(alice).size() + usage_of(bob).size(); };
  EXPECT_EQ(post(), Posting::more);
  EXPECT_EQ(posted(), 1'000U);
  EXPECT_EQ(post(), Posting::more);
  EXPECT_EQ(posted(), 2'000U);
  EXPECT_EQ(post(), Posting::done);
  EXPECT_EQ(usage_of(alice).size(), 1'500U);
  EXPECT_EQ(usage_of(bob).size(), 1'000U);

  EXPECT_EQ(value_of(ledger().start_node(node, lease, new_year + 2h)).left_open.size(), 2'500U);
}

}  // namespace
}  // namespace payg::test
