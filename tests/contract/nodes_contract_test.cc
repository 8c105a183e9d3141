#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "tests/contract/books.h"

namespace payg::test {
namespace {

using Next = LostPortion::Next;

class Nodes : public LedgerContract {
 protected:
  NodeStart start(std::string_view name = node) {
    return value_of(ledger().start_node(name, lease, new_year));
  }
  ChangeMark mark() { return value_of(ledger().changes_since(node, std::nullopt)).upto; }
  Changes changes_since(ChangeMark mark, std::string_view of = node) {
    return value_of(ledger().changes_since(of, mark));
  }
  NodeSign sign_of(std::string_view name) {
    for (const NodeSign& sign : value_of(ledger().changes_since(node, std::nullopt)).nodes)
      if (sign.node == name) return sign;
    throw std::runtime_error("no such node");
  }
  void charge_on(std::string_view name, const ChargeRequest& request) {
    ASSERT_EQ(value_of(ledger().charge(newest_life(ledger(), name), std::span(&request, 1))).at(0).outcome,
              ChargeResult::Outcome::granted);
  }
  void end_for_its_node(const EndRequest& request) { value_of(end_one_session(ledger(), request)); }
  std::int64_t live_sessions_of(const User& user) {
    return value_of(ledger().standings({&user.name, 1}, most_counted_sessions)).at(0).value().live_sessions;
  }
  std::size_t usage_rows(const User& user) {
    const auto all = value_of(ledger().transactions(user.id, {}, std::nullopt, 10'000));
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [](const auto& t) { return t.type == TransactionType::usage; }));
  }
};
PAYG_ON_EVERY_LEDGER(Nodes);

// ---- lives and leases

TEST_P(Nodes, EachStartBeginsANewLife) {
  const NodeLife first = start().life;
  const NodeLife second = start().life;
  EXPECT_TRUE(first);
  EXPECT_NE(first, second);
  EXPECT_EQ(sign_of(node).life, second);
  EXPECT_EQ(sign_of(node).lease, lease);
}

TEST_P(Nodes, ARenewalRaisesTheBeatAndSaysHowLongTheLeaseIs) {
  const NodeLife life = start().life;
  const NodeSign before = sign_of(node);
  value_of(ledger().renew_lease({std::string(node), life}, 7s));
  const NodeSign after = sign_of(node);
  EXPECT_EQ(after.beat, before.beat + 1);
  EXPECT_EQ(after.lease, 7s);
  EXPECT_EQ(after.life, life);
}

TEST_P(Nodes, OnlyTheNewestLifeRenewsTheLease) {
  const NodeLife first = start().life;
  const NodeLife second = start().life;
  EXPECT_EQ(refusal_of(ledger().renew_lease({std::string(node), first}, lease)), "life_is_over");
  EXPECT_EQ(refusal_of(ledger().renew_lease({std::string(node), second}, lease)), "ok");
  EXPECT_EQ(refusal_of(ledger().renew_lease({"never-started", second}, lease)), "life_is_over");
}

TEST_P(Nodes, EveryNodeIsSeenByEveryNode) {
  start();
  start("node-2");
  EXPECT_EQ(changes_since(mark(), "node-3").nodes.size(), 2U);
}

TEST_P(Nodes, OneThatStartsAgainIsToldWhatItsEarlierLifeLeftOpen) {
  const User alice = user_with("alice", credits(1));
  const User bob = user_with("bob", credits(1));
  EXPECT_TRUE(start().left_open.empty());
  charge(minute(alice, session_a, 1));
  charge(minute(alice, session_b, 1));
  charge(minute(bob, session_a, 1));
  charge(minute(bob, session_a, 2));
  end(ending(alice, session_b, new_year));
  charge_on("node-2", minute(bob, session_b, 1));

  const auto left_open = start().left_open;
  ASSERT_EQ(left_open.size(), 2U);
  EXPECT_EQ(left_open[0].user, alice.id);
  EXPECT_EQ(left_open[1].user, bob.id);
  for (const SessionKey& one : left_open)
    end({.user = one.user, .session = one.session, .why = EndReason::node_lost, .at = new_year + 1h});
  EXPECT_EQ(value_of(ledger().live_sessions(std::nullopt)).size(), 1U);
  EXPECT_EQ(value_of(ledger().standing(bob.id)).last_session_end, new_year + 1h);
  EXPECT_EQ(usage_rows(bob), 1U);
  EXPECT_EQ(books().run("SELECT count(*) FROM metered_sessions WHERE why = 'node_lost'"), "2");
  EXPECT_EQ(charge(minute(bob, session_a, 3)).outcome, ChargeResult::Outcome::fenced);
  EXPECT_TRUE(start().left_open.empty());
}

// ---- what others changed

TEST_P(Nodes, AChangeIsSeenByWhoAsksSinceThen) {
  const User alice = user_with("alice", Credits());
  const User bob = user_with("bob", Credits());
  const auto begin = value_of(ledger().changes_since(node, std::nullopt));
  EXPECT_TRUE(begin.users.empty());
  EXPECT_TRUE(value_of(ledger().changes_since(node, begin.upto)).users.empty());

  value_of(ledger().set_token(bob.id, token_of("new"), new_year + 5s));
  const auto one = value_of(ledger().changes_since(node, begin.upto));
  value_of(ledger().set_state(alice.id, UserState::disabled, new_year + 10s));

  const auto both = value_of(ledger().changes_since(node, begin.upto)).users;
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[0].id, bob.id);
  EXPECT_EQ(both[0].token, token_of("new"));
  EXPECT_EQ(both[1].id, alice.id);
  EXPECT_EQ(both[1].state, UserState::disabled);
  const auto rest = value_of(ledger().changes_since(node, one.upto)).users;
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].id, alice.id);
}

TEST_P(Nodes, AChangeIsSeenWhateverTheClockOfWhoMadeItShows) {
  const User alice = user_with("alice", Credits());
  value_of(ledger().set_state(alice.id, UserState::disabled, new_year + 24h));
  auto mark = value_of(ledger().changes_since(node, std::nullopt)).upto;
  for (const WallTime at : {new_year - 24h, new_year + 48h, new_year}) {
    value_of(ledger().set_token(alice.id, token_of(std::to_string(at.time_since_epoch().count())), at));
    const auto changes = value_of(ledger().changes_since(node, mark));
    EXPECT_EQ(changes.users.size(), 1U);
    mark = changes.upto;
  }
  value_of(ledger().create_user("bob", "", token_of("bob"), new_year - 24h));
  EXPECT_EQ(value_of(ledger().changes_since(node, mark)).users.size(), 1U);
}

TEST_P(Nodes, OneLearnsWhichOfItsSessionsSomebodyElseEnded) {
  const User alice = user_with("alice", credits(1));
  charge(minute(alice, session_a, 1));
  charge(minute(alice, session_b, 1));
  charge_on("node-2", minute(alice, SessionId{5}, 1));
  const ChangeMark before = mark();
  end_for_its_node(ending(alice, session_b, new_year + 1s, EndReason::requested));
  const auto first = changes_since(before);
  end_for_its_node(ending(alice, SessionId{5}, new_year + 1s, EndReason::requested));
  end_for_its_node(ending(alice, session_a, new_year + 1s, EndReason::requested));

  EXPECT_EQ(first.ended, std::vector{session_b});
  EXPECT_EQ(changes_since(before).ended, (std::vector{session_b, session_a}));
  EXPECT_EQ(changes_since(first.upto).ended, std::vector{session_a});
  EXPECT_EQ(changes_since(before, "node-2").ended, std::vector{SessionId{5}});
  EXPECT_TRUE(changes_since(mark()).ended.empty());
}

TEST_P(Nodes, OneIsNotToldWhatItEndedItself) {
  const User alice = user_with("alice", credits(1));
  charge(minute(alice, session_a, 1));
  const ChangeMark before = mark();
  const auto own = ending(alice, session_a, new_year + 1s);
  value_of(ledger().end_sessions(std::span(&own, 1)));
  end_for_its_node(ending(alice, session_a, new_year + 2s, EndReason::requested));
  EXPECT_TRUE(changes_since(before).ended.empty()) << "it was over when somebody else came";
}

TEST_P(Nodes, OneLearnsOfAnEndWhateverTheClockOfWhoEndedItShows) {
  const User alice = user_with("alice", credits(1));
  ChangeMark at = mark();
  std::uint64_t id = 0;
  for (const WallTime when : {new_year + 48h, new_year - 24h, new_year}) {
    charge(minute(alice, SessionId{++id}, 1));
    end_for_its_node(ending(alice, SessionId{id}, when, EndReason::requested));
    const auto changes = changes_since(at);
    EXPECT_EQ(changes.ended, std::vector{SessionId{id}});
    at = changes.upto;
  }
}

// Whoever follows the ends from mark to mark misses none, however they overlap.
TEST_P(Nodes, OneThatFollowsTheEndsMissesNone) {
  constexpr std::uint64_t each = 30;
  const std::array users = {user_with("alice", credits(10)), user_with("bob", credits(10)),
                            user_with("carol", credits(10))};
  for (const User& user : users)
    for (std::uint64_t id = 1; id <= each; ++id)
      charge(minute(user, SessionId{user.id.value * 1000 + id}, 1));

  std::atomic<int> at_work{3};
  std::vector<SessionId> seen;
  ChangeMark at = mark();
  std::vector<std::thread> threads;
  for (const User& user : users) {
    threads.emplace_back([&] {
      const auto own = books().open();
      for (std::uint64_t id = 1; id <= each; ++id)
        value_of(end_one_session(
            *own, ending(user, SessionId{user.id.value * 1000 + id}, new_year, EndReason::requested)));
      --at_work;
    });
  }
  const auto follow = [&] {
    const auto changes = changes_since(at);
    seen.insert(seen.end(), changes.ended.begin(), changes.ended.end());
    at = changes.upto;
  };
  while (at_work > 0) follow();
  for (std::thread& thread : threads) thread.join();
  follow();
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen.size(), users.size() * each);
  EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end()) << "each once";
}

// ---- lost nodes

TEST_P(Nodes, TheSessionsOfASilentNodeAreEndedAndPostedOnce) {
  const User alice = user_with("alice", credits(1));
  const User bob = user_with("bob", credits(1));
  start("node-2");
  charge_on("node-2", minute(alice, session_a, 1));
  charge_on("node-2", minute(alice, session_a, 2));
  charge_on("node-2", minute(bob, session_b, 1));
  charge(minute(alice, session_b, 1));
  const NodeSign silent = sign_of("node-2");
  const ChangeMark before = mark();

  const auto portion = value_of(ledger().end_lost_sessions(silent, new_year + 1h));
  EXPECT_EQ(portion.next, Next::done);
  EXPECT_EQ(portion.sessions, 2);
  EXPECT_EQ(portion.posted, minutes_worth(3));
  EXPECT_EQ(usage_rows(alice), 1U);
  EXPECT_EQ(usage_rows(bob), 1U);
  EXPECT_EQ(value_of(ledger().live_sessions(std::nullopt)).size(), 1U) << "that of node-1";
  EXPECT_EQ(books().run("SELECT count(*) FROM metered_sessions WHERE why = 'node_lost'"), "2");
  EXPECT_EQ(changes_since(before, "node-2").ended.size(), 2U) << "it may wake up";
  const auto third = minute(alice, session_a, 3);
  EXPECT_EQ(value_of(ledger().charge(newest_life(ledger(), "node-2"), std::span(&third, 1))).at(0).outcome,
            ChargeResult::Outcome::fenced);

  const auto again = value_of(ledger().end_lost_sessions(silent, new_year + 2h));
  EXPECT_EQ(again.sessions, 0);
  EXPECT_EQ(again.next, Next::done);
  EXPECT_EQ(usage_rows(alice), 1U);
}

TEST_P(Nodes, OneThatHasGivenASignSinceIsSpared) {
  const User alice = user_with("alice", credits(1));
  const NodeLife life = start("node-2").life;
  charge_on("node-2", minute(alice, session_a, 1));
  const NodeSign seen = sign_of("node-2");
  value_of(ledger().renew_lease({"node-2", life}, lease));
  EXPECT_EQ(value_of(ledger().end_lost_sessions(seen, new_year)).next, Next::spared);

  const NodeSign renewed = sign_of("node-2");
  start("node-2");
  EXPECT_EQ(value_of(ledger().end_lost_sessions(renewed, new_year)).next, Next::spared);
  EXPECT_EQ(value_of(ledger().end_lost_sessions({.node = "never-started"}, new_year)).next, Next::spared);
  EXPECT_EQ(value_of(ledger().live_sessions(std::nullopt)).size(), 1U);
}

TEST_P(Nodes, ThousandsOfALostNodeAreEndedInPortions) {
  const User alice = user_with("alice", credits(1));
  const User bob = user_with("bob", credits(1));
  start("node-2");
  std::vector<ChargeRequest> batch;
  for (const User& user : {alice, bob}) {
    auto request = minute(user, session_a, 1);
    request.price = units(8);
    request.increment = 10ms;
    for (std::uint64_t id = 1; id <= 1'200; ++id) {
      request.session = SessionId{id};
      batch.push_back(request);
    }
  }
  value_of(ledger().charge(newest_life(ledger(), "node-2"), batch));
  const NodeSign silent = sign_of("node-2");
  std::int64_t ended = 0, portions = 0;
  for (auto next = Next::more; next == Next::more; ++portions) {
    const auto portion = value_of(ledger().end_lost_sessions(silent, new_year));
    EXPECT_LE(portion.sessions, 1'000);
    ended += portion.sessions;
    next = portion.next;
  }
  EXPECT_EQ(ended, 2'400);
  EXPECT_GE(portions, 3);
  EXPECT_EQ(usage_rows(alice) + usage_rows(bob), 2'400U);
}

TEST_P(Nodes, SeveralWhoEndTheSessionsOfOneLostNodeEndEachOnce) {
  const User alice = user_with("alice", credits(10));
  start("node-2");
  constexpr std::uint64_t sessions = 200;
  for (std::uint64_t id = 1; id <= sessions; ++id) charge_on("node-2", minute(alice, SessionId{id}, 1));
  const NodeSign silent = sign_of("node-2");
  std::atomic<std::int64_t> ended{0};
  std::vector<std::thread> others;
  for (int i = 0; i < 4; ++i) {
    others.emplace_back([&] {
      const auto own = books().open();
      for (auto next = Next::more; next == Next::more;) {
        const auto portion = value_of(own->end_lost_sessions(silent, new_year));
        ended += portion.sessions;
        next = portion.next;
      }
    });
  }
  for (std::thread& other : others) other.join();
  EXPECT_EQ(ended, sessions);
  EXPECT_EQ(usage_rows(alice), sessions);
}

// ---- how many sessions a user may have

ChargeRequest limited(const User& user, std::uint64_t id, std::uint32_t limit) {
  auto request = minute(user, SessionId{id}, 1);
  request.session_limit = limit;
  return request;
}

TEST_P(Nodes, ASessionMoreThanTheLimitIsRefusedAndCostsNothing) {
  const User alice = user_with("alice", credits(1));
  EXPECT_EQ(charge(limited(alice, 1, 2)).outcome, ChargeResult::Outcome::granted);
  charge_on("node-2", limited(alice, 2, 2));
  const auto third = charge(limited(alice, 3, 2));
  EXPECT_EQ(third.outcome, ChargeResult::Outcome::too_many);
  EXPECT_EQ(third.amount, Credits());
  EXPECT_EQ(third.balance, value_of(ledger().balance(alice.id)));
  EXPECT_EQ(books().run("SELECT count(*) FROM metered_sessions"), "2");
  EXPECT_EQ(live_sessions_of(alice), 2);

  EXPECT_EQ(charge(limited(alice, 1, 2)).outcome, ChargeResult::Outcome::granted) << "the same again";
  EXPECT_EQ(charge(minute(alice, SessionId{1}, 2)).outcome, ChargeResult::Outcome::granted);
  end(ending(alice, SessionId{1}, new_year));
  EXPECT_EQ(live_sessions_of(alice), 1);
  EXPECT_EQ(charge(limited(alice, 3, 2)).outcome, ChargeResult::Outcome::granted);
}

TEST_P(Nodes, ALimitIsOneUsersAndNoneIsNone) {
  const User alice = user_with("alice", credits(1));
  const User bob = user_with("bob", credits(1));
  for (std::uint64_t id = 1; id <= 5; ++id)
    EXPECT_EQ(charge(limited(alice, id, 0)).outcome, ChargeResult::Outcome::granted);
  EXPECT_EQ(charge(limited(bob, 1, 1)).outcome, ChargeResult::Outcome::granted);
  EXPECT_EQ(charge(limited(alice, 6, 5)).outcome, ChargeResult::Outcome::too_many);
}

TEST_P(Nodes, SessionsOfOneCallCountEachOther) {
  const User alice = user_with("alice", credits(1));
  const User bob = user_with("bob", credits(1));
  charge(limited(alice, 1, 3));
  const std::array requests = {
      limited(alice, 2, 3), limited(bob, 1, 3), minute(alice, SessionId{1}, 2), limited(alice, 3, 3),
      limited(alice, 4, 3), limited(bob, 2, 3), minute(alice, SessionId{9}, 5)};
  std::vector<ChargeResult::Outcome> outcomes;
  for (const ChargeResult& result : value_of(ledger().charge(newest_life(ledger(), node), requests)))
    outcomes.push_back(result.outcome);
  using enum ChargeResult::Outcome;
  EXPECT_EQ(outcomes, (std::vector{granted, granted, granted, granted, too_many, granted, fenced}));
  EXPECT_EQ(value_of(ledger().balance(alice.id)), units(3'600'000 - 4 * 48'000));
}

TEST_P(Nodes, WhoCannotPayIsToldSoWhateverTheLimit) {
  const User alice = user_with("alice", minutes_worth(1));
  charge(limited(alice, 1, 1));
  EXPECT_EQ(charge(limited(alice, 2, 1)).outcome, ChargeResult::Outcome::exhausted);
}

TEST_P(Nodes, ALimitHoldsHoweverManyNodesTryAtOnce) {
  constexpr std::uint32_t limit = 3;
  const User alice = user_with("alice", credits(10));
  std::atomic<int> granted{0}, refused{0};
  std::vector<std::thread> nodes;
  for (std::uint64_t i = 0; i < 4; ++i) {
    nodes.emplace_back([&, i] {
      const auto own = books().open();
      const NodeRef self = newest_life(*own, "node-" + std::to_string(i));
      for (std::uint64_t id = 1; id <= 5; ++id) {
        const auto result = value_of(charge_in_the_end(*own, self, limited(alice, i * 100 + id, limit)));
        ++(result.outcome == ChargeResult::Outcome::granted ? granted : refused);
      }
    });
  }
  for (std::thread& one : nodes) one.join();
  EXPECT_EQ(granted, 3);
  EXPECT_EQ(refused, 17);
  EXPECT_EQ(value_of(ledger().live_sessions(alice.id)).size(), limit);
}

}  // namespace
}  // namespace payg::test
