#include <array>
#include <map>

#include "tests/contract/books.h"

namespace payg::test {
namespace {

using Outcome = ChargeResult::Outcome;

class Charges : public LedgerContract {
 protected:
  std::vector<ChargeResult> charge_all(const std::vector<ChargeRequest>& requests) {
    return value_of(ledger().charge(newest_life(ledger(), node), requests));
  }
};
PAYG_ON_EVERY_LEDGER(Charges);

void expect_same(const ChargeResult& found, Outcome outcome, Credits amount, std::chrono::milliseconds grant,
                 Credits balance) {
  EXPECT_EQ(found.outcome, outcome);
  EXPECT_EQ(found.amount, amount);
  EXPECT_EQ(found.grant, grant);
  EXPECT_EQ(found.balance, balance);
}

TEST_P(Charges, TheFirstOneStartsASession) {
  const User alice = user_with("alice", credits(1));
  expect_same(charge(minute(alice, session_a, 1)), Outcome::granted, minute_price, 1min, units(3'552'000));

  const auto live = value_of(ledger().live_sessions(alice.id));
  ASSERT_EQ(live.size(), 1U);
  EXPECT_EQ(live[0].user, alice.id);
  EXPECT_EQ(live[0].user_name, "alice");
  EXPECT_EQ(live[0].id, session_a);
  EXPECT_EQ(live[0].node, node);
  EXPECT_EQ(live[0].label, "blue");
  EXPECT_EQ(live[0].exit, "direct");
  EXPECT_EQ(live[0].started_at, new_year);
  EXPECT_EQ(live[0].paid_until, new_year + 1min);
  EXPECT_EQ(live[0].charges, 1U);
  EXPECT_EQ(live[0].charged, minute_price);
  EXPECT_EQ(live[0].granted, 1min);
}

TEST_P(Charges, LaterOnesContinueIt) {
  const User alice = user_with("alice", credits(1));
  charge(minute(alice, session_a, 1));
  auto second = minute(alice, session_a, 2);
  second.label = "ignored";
  second.exit = "ignored";
  charge(second);
  const auto live = value_of(ledger().live_sessions(std::nullopt));
  ASSERT_EQ(live.size(), 1U);
  EXPECT_EQ(live[0].charges, 2U);
  EXPECT_EQ(live[0].charged, minutes_worth(2));
  EXPECT_EQ(live[0].granted, 2min);
  EXPECT_EQ(live[0].paid_until, new_year + 2min);
  EXPECT_EQ(live[0].started_at, new_year);
  EXPECT_EQ(live[0].label, "blue");
  EXPECT_EQ(live[0].exit, "direct");
}

TEST_P(Charges, ALabelWithAnyCharactersIsKeptAsItIs) {
  const User alice = user_with("alice", credits(1));
  auto request = minute(alice, session_a, 1);
  request.label = R"({"a\,NULL' ü})";
  request.exit = "";
  charge(request);
  EXPECT_EQ(value_of(ledger().live_sessions(alice.id)).at(0).label, R"({"a\,NULL' ü})");
  EXPECT_EQ(value_of(ledger().live_sessions(alice.id)).at(0).exit, "");
}

TEST_P(Charges, TheLastOneTakesWhatIsLeftAndGrantsWhatThatBuys) {
  // 1,001 units at 0.8 units a millisecond are 1251.25 milliseconds.
  const User alice = user_with("alice", units(48'000 + 1'001));
  charge(minute(alice, session_a, 1));
  expect_same(charge(minute(alice, session_a, 2)), Outcome::granted, units(1'001), 1251ms, Credits());
  expect_same(charge(minute(alice, session_a, 3)), Outcome::exhausted, Credits(), 0ms, Credits());
  EXPECT_EQ(value_of(ledger().live_sessions(alice.id)).at(0).paid_until, new_year + 1min + 1251ms);
}

TEST_P(Charges, AGrantIsTheSameAsTheCoreComputes) {
  struct Case {
    std::int64_t balance, thousandths, price, increment_ms;
  };
  constexpr std::array cases = {
      Case{1, 800, 48'000, 60'000},
      Case{47'999, 800, 48'000, 60'000},
      Case{48'000, 800, 48'000, 60'000},
      Case{48'001, 800, 48'000, 60'000},
      Case{7, 1, 60, 60'000},
      Case{59, 1, 60, 60'000},
      Case{999'999, 1'000'000'000, 1'000'000, 1},
      Case{1'000'001, 333, 1'998'000, 6'000'000},
      Case{5'000'000'000'000'000'000, 1, 5'000'000'000'000'000'001, 9'000'000'000'000'000'000},
      Case{10, 1, 1'000, 5'000},  // an increment shorter than what the rest would buy
      Case{9'223'372'036'854'775'807, 800, 9'223'372'036'854'775'807, 60'000}};
  std::uint64_t place = 0;
  for (const Case& one : cases) {
    const User user = user_with("u" + std::to_string(++place), units(one.balance));
    auto request = minute(user, SessionId{place}, 1);
    request.rate = Rate::from_thousandths(one.thousandths);
    request.price = units(one.price);
    request.increment = std::chrono::milliseconds(one.increment_ms);
    request.from = WallTime{};
    const Purchase expected = purchase(units(one.balance), request.price, request.increment, request.rate);
    const ChargeResult found = charge(request);
    EXPECT_EQ(found.amount, expected.amount) << place;
    EXPECT_EQ(found.grant, expected.grant) << place;
    EXPECT_EQ(found.balance.units(), one.balance - expected.amount.units()) << place;
  }
}

TEST_P(Charges, DustThatBuysNoMillisecondIsTakenAndEndsTheSession) {
  const User alice = user_with("alice", units(48'000));
  auto dear = minute(alice, session_a, 1);
  dear.price = units(96'000);
  dear.rate = Rate::from_thousandths(100'000'000);  // 100,000 units for a millisecond
  expect_same(charge(dear), Outcome::exhausted, units(48'000), 0ms, Credits());
  expect_same(charge(dear), Outcome::exhausted, units(48'000), 0ms, Credits());
  end(ending(alice, session_a, new_year, EndReason::exhausted));
  EXPECT_EQ(total(alice, TransactionType::usage), units(-48'000));
}

TEST_P(Charges, TheFirstOneOnNothingMakesNoSession) {
  const User alice = user_with("alice", Credits());
  expect_same(charge(minute(alice, session_a, 1)), Outcome::exhausted, Credits(), 0ms, Credits());
  EXPECT_TRUE(value_of(ledger().live_sessions(alice.id)).empty());
}

TEST_P(Charges, ATopUpCountsFromTheNextOneOn) {
  const User alice = user_with("alice", minute_price);
  charge(minute(alice, session_a, 1));
  EXPECT_EQ(charge(minute(alice, session_a, 2)).outcome, Outcome::exhausted);
  value_of(ledger().adjust(alice.id, minute_price, "top-up", "", new_year));
  expect_same(charge(minute(alice, session_a, 2)), Outcome::granted, minute_price, 1min, Credits());
}

TEST_P(Charges, TheSameOneAgainGivesTheStoredAnswer) {
  const User alice = user_with("alice", minutes_worth(2));
  charge(minute(alice, session_a, 1));
  expect_same(charge(minute(alice, session_a, 1)), Outcome::granted, minute_price, 1min, minute_price);
  charge(minute(alice, session_a, 2));
  // Another price now is no reason for another answer.
  auto again = minute(alice, session_a, 2);
  again.price = units(1);
  expect_same(charge(again), Outcome::granted, minute_price, 1min, Credits());
  EXPECT_EQ(value_of(ledger().live_sessions(alice.id)).at(0).charged, minutes_worth(2));
}

TEST_P(Charges, AnAnswerThatWasLostIsGivenAgainByAnotherConnection) {
  const User alice = user_with("alice", credits(1));
  charge(minute(alice, session_a, 1));
  const auto other = books().open();
  const auto request = minute(alice, session_a, 1);
  const auto again = value_of(other->charge(newest_life(*other, node), std::span(&request, 1))).at(0);
  expect_same(again, Outcome::granted, minute_price, 1min, units(3'552'000));
  EXPECT_EQ(again.origin, ChargeResult::Origin::stored);
}

TEST_P(Charges, AnyOtherNumberIsFenced) {
  const User alice = user_with("alice", credits(1));
  EXPECT_EQ(charge(minute(alice, session_a, 2)).outcome, Outcome::fenced);
  charge(minute(alice, session_a, 1));
  charge(minute(alice, session_a, 2));
  EXPECT_EQ(charge(minute(alice, session_a, 1)).outcome, Outcome::fenced);
  EXPECT_EQ(charge(minute(alice, session_a, 4)).outcome, Outcome::fenced);
  EXPECT_EQ(value_of(ledger().balance(alice.id)), units(3'600'000 - 96'000));
}

TEST_P(Charges, AnEndedSessionIsFenced) {
  const User alice = user_with("alice", credits(1));
  charge(minute(alice, session_a, 1));
  end(ending(alice, session_a, new_year));
  const auto fenced = charge(minute(alice, session_a, 2));
  expect_same(fenced, Outcome::fenced, Credits(), 0ms, units(3'552'000));
  EXPECT_EQ(charge(minute(alice, session_a, 1)).outcome, Outcome::fenced);
  EXPECT_EQ(value_of(ledger().balance(alice.id)), units(3'552'000));
}

TEST_P(Charges, AUserWhoIsGoneOrDisabledIsFenced) {
  const User alice = user_with("alice", credits(1));
  charge(minute(alice, session_a, 1));
  value_of(ledger().set_state(alice.id, UserState::disabled, new_year));
  expect_same(charge(minute(alice, session_a, 2)), Outcome::fenced, Credits(), 0ms, Credits());
  expect_same(charge(minute(alice, session_b, 1)), Outcome::fenced, Credits(), 0ms, Credits());
  User nobody = alice;
  nobody.id = UserId{999};
  expect_same(charge(minute(nobody, session_a, 1)), Outcome::fenced, Credits(), 0ms, Credits());
}

TEST_P(Charges, ASessionOfAnotherNodeIsFenced) {
  const User alice = user_with("alice", credits(1));
  charge(minute(alice, session_a, 1));
  const auto request = minute(alice, session_a, 2);
  EXPECT_EQ(value_of(ledger().charge(newest_life(ledger(), "node-2"), std::span(&request, 1))).at(0).outcome,
            Outcome::fenced);
  EXPECT_EQ(value_of(ledger().balance(alice.id)), units(3'552'000));
}

TEST_P(Charges, ABatchIsAnsweredInItsOrder) {
  const User alice = user_with("alice", credits(1));
  const User bob = user_with("bob", minute_price);
  const User carol = user_with("carol", Credits());
  const auto results = charge_all({minute(carol, session_a, 1), minute(bob, session_a, 1),
                                   minute(alice, session_a, 7), minute(alice, session_b, 1)});
  ASSERT_EQ(results.size(), 4U);
  expect_same(results[0], Outcome::exhausted, Credits(), 0ms, Credits());
  expect_same(results[1], Outcome::granted, minute_price, 1min, Credits());
  expect_same(results[2], Outcome::fenced, Credits(), 0ms, credits(1));
  expect_same(results[3], Outcome::granted, minute_price, 1min, units(3'552'000));
  EXPECT_TRUE(charge_all({}).empty());
}

TEST_P(Charges, TwoSessionsOfOneUserOnABalanceForOneShareIt) {
  const User alice = user_with("alice", minute_price);
  const auto results = charge_all({minute(alice, session_b, 1), minute(alice, session_a, 1)});
  expect_same(results[0], Outcome::granted, minute_price, 1min, Credits());
  expect_same(results[1], Outcome::exhausted, Credits(), 0ms, Credits());
  EXPECT_EQ(value_of(ledger().live_sessions(alice.id)).size(), 1U);
}

TEST_P(Charges, TheSecondSessionOfABatchGetsWhatTheFirstHasLeft) {
  const User alice = user_with("alice", units(48'000 + 24'000));
  const auto results =
      charge_all({minute(alice, session_a, 1), minute(alice, session_b, 1), minute(alice, SessionId{77}, 1)});
  expect_same(results[0], Outcome::granted, minute_price, 1min, units(24'000));
  expect_same(results[1], Outcome::granted, units(24'000), 30s, Credits());
  expect_same(results[2], Outcome::exhausted, Credits(), 0ms, Credits());
}

TEST_P(Charges, ARepeatedChargeInABatchTakesNothingFromTheOthers) {
  const User alice = user_with("alice", minutes_worth(2));
  charge(minute(alice, session_a, 1));
  const auto results = charge_all({minute(alice, session_a, 1), minute(alice, session_b, 1)});
  expect_same(results[0], Outcome::granted, minute_price, 1min, minute_price);
  expect_same(results[1], Outcome::granted, minute_price, 1min, Credits());
}

TEST_P(Charges, ARequestThatCannotBeIsInvalidAndNothingOfItsBatchIsDone) {
  const User alice = user_with("alice", credits(1));
  const auto good = minute(alice, session_a, 1);
  auto number = good, price = good, increment = good;
  number.number = 0;
  price.price = units(-1);
  increment.increment = 0ms;
  for (const auto& bad : {number, price, increment}) {
    const std::array both = {good, bad};
    EXPECT_EQ(refusal_of(ledger().charge(newest_life(ledger(), node), both)), "invalid");
  }
  EXPECT_EQ(value_of(ledger().balance(alice.id)), credits(1));
}

// The design's three totals, with the last charge of each at exactly nothing.
TEST_P(Charges, TenTwentySevenAndFiftySevenCreditsLastExactlyAsLongAsTheyShould) {
  const std::array users = {user_with("ten", credits(10)), user_with("more", credits(27)),
                            user_with("most", credits(57))};
  std::map<std::uint64_t, std::uint32_t> granted;
  std::vector<User> running(users.begin(), users.end());
  for (std::uint32_t number = 1; !running.empty(); ++number) {
    std::vector<ChargeRequest> requests;
    for (const User& user : running) requests.push_back(minute(user, session_a, number));
    const auto results = charge_all(requests);
    std::vector<User> next;
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (results[i].outcome != Outcome::granted) {
        expect_same(results[i], Outcome::exhausted, Credits(), 0ms, Credits());
        continue;
      }
      EXPECT_EQ(results[i].grant, 1min);
      ++granted[running[i].id.value];
      next.push_back(running[i]);
    }
    running = next;
  }
  EXPECT_EQ(granted[users[0].id.value], 750U);
  EXPECT_EQ(granted[users[1].id.value], 2025U);
  EXPECT_EQ(granted[users[2].id.value], 4275U);
  for (const User& user : users) {
    end(ending(user, session_a, new_year + 4275min, EndReason::exhausted));
    EXPECT_EQ(value_of(ledger().balance(user.id)), Credits());
  }
  EXPECT_EQ(total(users[2], TransactionType::usage), credits(-57));
}

}  // namespace
}  // namespace payg::test
