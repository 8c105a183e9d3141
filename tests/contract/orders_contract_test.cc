#include <limits>

#include "tests/contract/books.h"

namespace payg::test {
namespace {

using Origin = PlacedOrder::Origin;

class Orders : public LedgerContract {
 protected:
  void set_order_state(const std::string& state) {
    books().run("UPDATE payment_orders SET state = '" + state + "'");
  }
};
PAYG_ON_EVERY_LEDGER(Orders);

class Adjustments : public LedgerContract {};
PAYG_ON_EVERY_LEDGER(Adjustments);

void expect_same(const Order& found, const Order& expected) {
  EXPECT_EQ(found.reference, expected.reference);
  EXPECT_EQ(found.user, expected.user);
  EXPECT_EQ(found.provider, expected.provider);
  EXPECT_EQ(found.state, expected.state);
  EXPECT_EQ(found.price, expected.price);
  EXPECT_EQ(found.currency, expected.currency);
  EXPECT_EQ(found.credits, expected.credits);
  EXPECT_EQ(found.bonus, expected.bonus);
  EXPECT_EQ(found.idempotency_key, expected.idempotency_key);
  EXPECT_EQ(found.request_digest, expected.request_digest);
  EXPECT_EQ(found.authorization_url, expected.authorization_url);
  EXPECT_EQ(found.created_at, expected.created_at);
  EXPECT_EQ(found.paid_at, expected.paid_at);
}

TEST_P(Orders, AnOrderIsKeptAsItWasPlaced) {
  const User alice = user_with("alice", Credits());
  Order order = order_of(alice, "A-z.0=1");
  order.idempotency_key = "key";
  order.request_digest = "digest";
  order.authorization_url = "https://pay.example/1";
  const auto placed = value_of(ledger().create_order(order));
  EXPECT_EQ(placed.origin, Origin::created);
  expect_same(placed.order, order);
  expect_same(value_of(ledger().find_order("A-z.0=1")), order);
  EXPECT_EQ(value_of(ledger().balance(alice.id)), Credits());
  EXPECT_EQ(refusal_of(ledger().find_order("other")), "not_found");
}

TEST_P(Orders, TheSameKeyAndRequestGiveTheSameOrder) {
  const User alice = user_with("alice", Credits());
  Order order = order_of(alice, "first");
  order.idempotency_key = "key";
  order.request_digest = "digest";
  value_of(ledger().create_order(order));
  order.reference = "second";
  const auto again = value_of(ledger().create_order(order));
  EXPECT_EQ(again.origin, Origin::existing);
  EXPECT_EQ(again.order.reference, "first");
  EXPECT_EQ(refusal_of(ledger().find_order("second")), "not_found");
}

TEST_P(Orders, TheSameKeyWithAnotherRequestIsAConflict) {
  const User alice = user_with("alice", Credits());
  Order order = order_of(alice, "first");
  order.idempotency_key = "key";
  order.request_digest = "digest";
  value_of(ledger().create_order(order));
  order.reference = "second";
  order.request_digest = "other";
  EXPECT_EQ(refusal_of(ledger().create_order(order)), "conflict");
}

TEST_P(Orders, AKeyBelongsToItsUserAndNoKeyBindsNothing) {
  const User alice = user_with("alice", Credits());
  const User bob = user_with("bob", Credits());
  Order order = order_of(alice, "a1");
  order.idempotency_key = "key";
  value_of(ledger().create_order(order));
  Order of_bob = order_of(bob, "b1");
  of_bob.idempotency_key = "key";
  of_bob.request_digest = "other";
  EXPECT_EQ(value_of(ledger().create_order(of_bob)).origin, Origin::created);
  EXPECT_EQ(value_of(ledger().create_order(order_of(alice, "a2"))).origin, Origin::created);
  EXPECT_EQ(value_of(ledger().create_order(order_of(alice, "a3"))).origin, Origin::created);
}

TEST_P(Orders, AReferenceIsUniqueOverAllUsers) {
  const User alice = user_with("alice", Credits());
  const User bob = user_with("bob", Credits());
  value_of(ledger().create_order(order_of(alice, "one")));
  EXPECT_EQ(value_of(ledger().create_order(order_of(alice, "one"))).origin, Origin::existing);
  EXPECT_EQ(refusal_of(ledger().create_order(order_of(bob, "one"))), "conflict");
  Order dearer = order_of(alice, "one");
  dearer.price = credits(26);
  EXPECT_EQ(refusal_of(ledger().create_order(dearer)), "conflict");
}

TEST_P(Orders, AnOrderThatCannotBeIsInvalid) {
  const User alice = user_with("alice", Credits());
  const Order good = order_of(alice, "one");
  std::vector<Order> bad(8, good);
  bad[0].reference = "";
  bad[1].reference = "a b";
  bad[2].price = Credits();
  bad[3].credits = units(-1);
  bad[4].bonus = units(-1);
  bad[5].state = OrderState::paid;
  bad[6].paid_at = new_year;
  bad[7].credits = units(std::numeric_limits<std::int64_t>::max());
  for (const Order& order : bad) EXPECT_EQ(refusal_of(ledger().create_order(order)), "invalid");
  User nobody = alice;
  nobody.id = UserId{999};
  EXPECT_EQ(refusal_of(ledger().create_order(order_of(nobody, "one"))), "not_found");
  EXPECT_EQ(refusal_of(ledger().find_order("one")), "not_found");
}

TEST_P(Orders, PayingOneCreditsItsCreditsAndItsBonus) {
  const User alice = user_with("alice", credits(1));
  value_of(ledger().create_order(order_of(alice, "one")));
  Order expected = order_of(alice, "one");
  expected.state = OrderState::paid;
  expected.paid_at = new_year + 1h;
  expect_same(value_of(ledger().settle_order("one", new_year + 1h)), expected);
  expect_same(value_of(ledger().find_order("one")), expected);
  EXPECT_EQ(value_of(ledger().balance(alice.id)), credits(28));

  const auto rows = value_of(ledger().transactions(alice.id, {}, std::nullopt, 10));
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[1].type, TransactionType::purchase);
  EXPECT_EQ(rows[1].amount, credits(25));
  EXPECT_EQ(rows[1].reference, "one");
  EXPECT_EQ(rows[1].created_at, new_year + 1h);
  EXPECT_EQ(rows[0].type, TransactionType::bonus);
  EXPECT_EQ(rows[0].amount, credits(2));
  EXPECT_EQ(rows[0].reference, "one");
}

TEST_P(Orders, PayingOneWithoutABonusWritesNoBonus) {
  const User alice = user_with("alice", Credits());
  Order order = order_of(alice, "one");
  order.bonus = Credits();
  value_of(ledger().create_order(order));
  value_of(ledger().settle_order("one", new_year));
  EXPECT_EQ(value_of(ledger().transactions(alice.id, {}, std::nullopt, 10)).size(), 1U);
}

TEST_P(Orders, PayingOneAgainChangesNothing) {
  const User alice = user_with("alice", Credits());
  value_of(ledger().create_order(order_of(alice, "one")));
  value_of(ledger().settle_order("one", new_year));
  const Order again = value_of(ledger().settle_order("one", new_year + 9h));
  EXPECT_EQ(again.state, OrderState::paid);
  EXPECT_EQ(again.paid_at, new_year);
  EXPECT_EQ(value_of(ledger().balance(alice.id)), credits(27));
}

TEST_P(Orders, PayingOneThatIsNotThereIsNotFound) {
  EXPECT_EQ(refusal_of(ledger().settle_order("one", new_year)), "not_found");
}

TEST_P(Orders, APaymentThatSucceedsLateStillCounts) {
  const User alice = user_with("alice", Credits());
  std::int64_t paid = 0;
  for (const std::string state : {"failed", "abandoned", "expired"}) {
    value_of(ledger().create_order(order_of(alice, state)));
    books().run("UPDATE payment_orders SET state = '" + state + "' WHERE reference = '" + state + "'");
    EXPECT_EQ(name_of(value_of(ledger().find_order(state)).state), state);
    EXPECT_EQ(value_of(ledger().settle_order(state, new_year)).state, OrderState::paid);
    EXPECT_EQ(value_of(ledger().balance(alice.id)), credits(27 * ++paid));
  }
}

TEST_P(Orders, WhatIsUnderReviewOrWentBackIsNotPaid) {
  const User alice = user_with("alice", Credits());
  value_of(ledger().create_order(order_of(alice, "one")));
  for (const std::string state : {"review", "refunded", "disputed"}) {
    set_order_state(state);
    EXPECT_EQ(name_of(value_of(ledger().settle_order("one", new_year)).state), state);
    EXPECT_EQ(value_of(ledger().balance(alice.id)), Credits());
  }
}

TEST_P(Orders, OneThatWouldOverflowTheBalanceIsInvalidAndStaysPending) {
  const User alice = user_with("alice", units(std::numeric_limits<std::int64_t>::max()));
  value_of(ledger().create_order(order_of(alice, "one")));
  EXPECT_EQ(refusal_of(ledger().settle_order("one", new_year)), "invalid");
  EXPECT_EQ(value_of(ledger().find_order("one")).state, OrderState::pending);
}

TEST_P(Adjustments, AddAndTake) {
  const User alice = user_with("alice", Credits());
  const Transaction added = value_of(ledger().adjust(alice.id, credits(3), "r1", "a gift", new_year));
  EXPECT_EQ(added.type, TransactionType::adjustment);
  EXPECT_EQ(added.amount, credits(3));
  EXPECT_EQ(added.reference, "r1");
  EXPECT_EQ(added.note, "a gift");
  EXPECT_EQ(added.created_at, new_year);
  const Transaction taken = value_of(ledger().adjust(alice.id, credits(-3), "r2", "a mistake", new_year));
  EXPECT_GT(taken.id, added.id);
  EXPECT_EQ(value_of(ledger().balance(alice.id)), Credits());
}

TEST_P(Adjustments, TheSameAgainAnswersTheSame) {
  const User alice = user_with("alice", Credits());
  const auto first = value_of(ledger().adjust(alice.id, credits(3), "r1", "gift", new_year));
  const auto again = value_of(ledger().adjust(alice.id, credits(3), "r1", "gift", new_year + 1h));
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(again.created_at, new_year);
  EXPECT_EQ(value_of(ledger().balance(alice.id)), credits(3));
}

TEST_P(Adjustments, AReferenceUsedForSomethingElseIsAConflict) {
  const User alice = user_with("alice", Credits());
  value_of(ledger().adjust(alice.id, credits(3), "r1", "gift", new_year));
  EXPECT_EQ(refusal_of(ledger().adjust(alice.id, credits(4), "r1", "gift", new_year)), "conflict");
  EXPECT_EQ(refusal_of(ledger().adjust(alice.id, credits(3), "r1", "other", new_year)), "conflict");
  const User bob = user_with("bob", Credits());
  value_of(ledger().adjust(bob.id, credits(4), "r1", "gift", new_year));
}

TEST_P(Adjustments, NeverTakeMoreThanThereIs) {
  const User alice = user_with("alice", credits(1));
  EXPECT_EQ(refusal_of(ledger().adjust(alice.id, units(-3'600'001), "r1", "", new_year)), "insufficient");
  EXPECT_EQ(value_of(ledger().balance(alice.id)), credits(1));
  // What live sessions were charged is gone already, posted or not.
  charge(minute(alice, session_a, 1));
  EXPECT_EQ(refusal_of(ledger().adjust(alice.id, credits(-1), "r2", "", new_year)), "insufficient");
}

TEST_P(Adjustments, ThatCannotBeAreInvalid) {
  const User alice = user_with("alice", credits(1));
  EXPECT_EQ(refusal_of(ledger().adjust(alice.id, Credits(), "r1", "", new_year)), "invalid");
  EXPECT_EQ(refusal_of(ledger().adjust(alice.id, credits(1), "", "", new_year)), "invalid");
  const Credits most = units(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(refusal_of(ledger().adjust(alice.id, most, "r1", "", new_year)), "invalid");
  EXPECT_EQ(refusal_of(ledger().adjust(UserId{999}, credits(1), "r1", "", new_year)), "not_found");
  EXPECT_EQ(value_of(ledger().balance(alice.id)), credits(1));
}

}  // namespace
}  // namespace payg::test
