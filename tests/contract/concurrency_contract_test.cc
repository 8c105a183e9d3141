#include <array>
#include <atomic>
#include <latch>
#include <map>
#include <thread>

#include "tests/contract/books.h"

namespace payg::test {
namespace {

class Concurrency : public LedgerContract {
 protected:
  /// Runs `work(ledger, index)` on that many threads at the same time, each with a ledger of its own.
  template <class Work>
  void at_once(int threads, Work work) {
    std::latch start(threads);
    std::vector<std::thread> running;
    for (int index = 0; index < threads; ++index) {
      running.emplace_back([&, index] {
        const auto own = books().open();
        value_of(own->schema());
        start.arrive_and_wait();
        work(*own, index);
      });
    }
    for (std::thread& thread : running) thread.join();
  }
};
PAYG_ON_EVERY_LEDGER(Concurrency);

// Two nodes charge the same two users, in opposite orders, until nothing is left.
TEST_P(Concurrency, BatchesOfTwoNodesNeverOverspendAndSumExactly) {
  const std::array users = {user_with("alice", units(48'000 * 100 + 7)),
                            user_with("bob", units(48'000 * 77 + 13))};
  std::atomic<std::int64_t> taken{0};
  std::atomic<int> errors{0};
  at_once(2, [&](Ledger& own, int index) {
    const NodeRef self = newest_life(own, "node-" + std::to_string(index));
    const SessionId session{static_cast<std::uint64_t>(index) + 1};
    std::array<std::uint32_t, 2> numbers{1, 1};
    for (int exhausted = 0; exhausted < 2;) {
      const std::size_t first = static_cast<std::size_t>(index), second = 1 - first;
      const std::array batch = {minute(users[first], session, numbers[first]),
                                minute(users[second], session, numbers[second])};
      const auto results = own.charge(self, batch);
      if (!results) {
        ++errors;
        return;
      }
      exhausted = 0;
      for (std::size_t i = 0; i < batch.size(); ++i) {
        const ChargeResult& result = (*results)[i];
        if (result.outcome == ChargeResult::Outcome::exhausted) ++exhausted;
        if (result.balance < Credits()) ++errors;
        if (result.outcome == ChargeResult::Outcome::granted) ++numbers[i == 0 ? first : second];
        taken += result.amount.units();
      }
    }
  });
  EXPECT_EQ(errors, 0);
  EXPECT_EQ(taken, 48'000 * 177 + 20);
  for (const User& user : users) EXPECT_EQ(value_of(ledger().balance(user.id)), Credits());
}

TEST_P(Concurrency, ManyThreadsSettlingOneOrderCreditItOnce) {
  const User alice = user_with("alice", Credits());
  value_of(ledger().create_order(order_of(alice, "one")));
  std::atomic<int> paid{0};
  at_once(32, [&](Ledger& own, int) {
    const auto order = own.settle_order("one", new_year);
    if (order && order->state == OrderState::paid) ++paid;
  });
  EXPECT_EQ(paid, 32);
  EXPECT_EQ(value_of(ledger().balance(alice.id)), credits(27));
  EXPECT_EQ(value_of(ledger().transactions(alice.id, {}, std::nullopt, 10)).size(), 2U);
}

TEST_P(Concurrency, ManyThreadsPlacingOneOrderMakeOne) {
  const User alice = user_with("alice", Credits());
  std::atomic<int> created{0}, existing{0};
  at_once(8, [&](Ledger& own, int index) {
    Order order = order_of(alice, "order-" + std::to_string(index));
    order.idempotency_key = "key";
    order.request_digest = "digest";
    const auto placed = own.create_order(order);
    if (!placed) return;
    ++(placed->origin == PlacedOrder::Origin::created ? created : existing);
  });
  EXPECT_EQ(created, 1);
  EXPECT_EQ(existing, 7);
  EXPECT_EQ(books().run("SELECT count(*) FROM payment_orders"), "1");
}

TEST_P(Concurrency, OneAdjustmentSentByManyIsMadeOnce) {
  const User alice = user_with("alice", Credits());
  std::atomic<int> made{0};
  at_once(8, [&](Ledger& own, int) {
    if (own.adjust(alice.id, credits(1), "gift", "", new_year)) ++made;
  });
  EXPECT_EQ(made, 8);
  EXPECT_EQ(value_of(ledger().balance(alice.id)), credits(1));
}

TEST_P(Concurrency, TakingTheLastCreditSucceedsOnce) {
  const User alice = user_with("alice", credits(1));
  std::atomic<int> taken{0}, refused{0};
  at_once(8, [&](Ledger& own, int index) {
    const auto result = own.adjust(alice.id, credits(-1), "take-" + std::to_string(index), "", new_year);
    if (result) ++taken;
    if (refusal_of(result) == "insufficient") ++refused;
  });
  EXPECT_EQ(taken, 1);
  EXPECT_EQ(refused, 7);
}

TEST_P(Concurrency, OneNameIsGivenOnce) {
  std::atomic<int> made{0}, refused{0};
  at_once(8, [&](Ledger& own, int index) {
    const auto user = own.create_user("alice", "", token_of(std::to_string(index)), new_year);
    if (user) ++made;
    if (refusal_of(user) == "already_exists") ++refused;
  });
  EXPECT_EQ(made, 1);
  EXPECT_EQ(refused, 7);
}

// Whoever follows the changes from mark to mark misses none, however they overlap.
TEST_P(Concurrency, WhoFollowsTheChangesOfUsersMissesNone) {
  constexpr int rounds = 40;
  const std::array users = {user_with("alice", Credits()), user_with("bob", Credits()),
                            user_with("carol", Credits())};
  std::map<UserId, TokenHash> seen;
  auto mark = value_of(ledger().changes_since(node, std::nullopt)).upto;
  std::atomic<int> at_work{3}, errors{0};
  const auto follow = [&](Ledger& own) {
    const auto changes = own.changes_since(node, mark);
    if (!changes) return void(++errors);
    for (const User& user : changes->users) seen[user.id] = user.token;
    mark = changes->upto;
  };
  at_once(4, [&](Ledger& own, int index) {
    if (index == 3) {
      while (at_work > 0) follow(own);
      return follow(own);
    }
    const User& user = users[static_cast<std::size_t>(index)];
    for (int round = 0; round < rounds; ++round) {
      if (!own.set_token(user.id, token_of(user.name + std::to_string(round)), new_year)) ++errors;
    }
    --at_work;
  });
  EXPECT_EQ(errors, 0);
  for (const User& user : users) EXPECT_EQ(seen[user.id], token_of(user.name + std::to_string(rounds - 1)));
}

// Every read, from any connection, finds the books right: also between the charge, the posting and the end.
TEST_P(Concurrency, AnAuditInTheMiddleOfEverythingFindsNothing) {
  const std::array users = {user_with("alice", credits(5)), user_with("bob", credits(5))};
  std::atomic<int> at_work{3}, errors{0};
  at_once(4, [&](Ledger& own, int index) {
    if (index == 3) {
      do {
        const auto report = own.audit();
        if (!report || !report->findings.empty()) ++errors;
      } while (at_work > 0);
      return;
    }
    const NodeRef self = newest_life(own, "node-" + std::to_string(index));
    for (std::uint32_t round = 1; round <= 30; ++round) {
      const SessionId session{round * 10 + static_cast<std::uint64_t>(index)};
      for (const User& user : users) {
        const auto first = minute(user, session, 1);
        const auto last = ending(user, session, new_year);
        if (!charge_in_the_end(own, self, first)) ++errors;
        if (!own.post_usage(self.name, new_year, new_year)) ++errors;
        if (!own.adjust(user.id, units(1), to_string(session), "", new_year)) ++errors;
        if (!end_in_the_end(own, last)) ++errors;
      }
    }
    --at_work;
  });
  EXPECT_EQ(errors, 0);
  EXPECT_EQ(value_of(ledger().balance(users[0].id)), units(18'000'000 - 90 * 48'000 + 90));
}

}  // namespace
}  // namespace payg::test
