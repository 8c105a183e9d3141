// What is done about an order by what its provider says, rung by rung, and when it is asked again.

#include "billing/ledger/payments.h"

#include <gtest/gtest.h>

namespace payg::test {
namespace {

using namespace billing;
using namespace std::chrono_literals;
using Reported = PaymentReport::State;

constexpr WallTime made_at{1'767'225'600'000ms};

Order order_in(OrderState state) {
  Order order{.reference = "one",
              .user = UserId{1},
              .provider = "paystack",
              .state = state,
              .price = *Credits::parse("25"),
              .currency = "USD",
              .credits = *Credits::parse("25"),
              .bonus = *Credits::parse("2"),
              .idempotency_key = {},
              .request_digest = {},
              .authorization_url = {},
              .created_at = made_at};
  if (is_credited(order) || state == OrderState::review) order.paid_attempt = 1;
  if (state == OrderState::review) order.review = ReviewReason::short_amount;
  return order;
}

PaymentReport success(std::string_view amount, std::string currency = "USD") {
  return {.state = Reported::succeeded, .amount = *Credits::parse(amount), .currency = std::move(currency)};
}
PaymentReport saying(Reported state) {
  return state == Reported::succeeded ? success("25") : PaymentReport{.state = state};
}

TEST(JudgePayment, PaysWhateverIsNotPaidYet) {
  for (const OrderState state :
       {OrderState::pending, OrderState::failed, OrderState::abandoned, OrderState::expired})
    EXPECT_EQ(judge_payment(order_in(state), success("25"), 1), Judgement::pay) << name_of(state);
}

TEST(JudgePayment, TakesMoreThanThePriceForThePrice) {
  EXPECT_EQ(judge_payment(order_in(OrderState::pending), success("33.55"), 1), Judgement::pay);
}

TEST(JudgePayment, LetsTheOperatorDecideOnTooLittle) {
  EXPECT_EQ(judge_payment(order_in(OrderState::pending), success("24.99"), 1), Judgement::review_amount);
  EXPECT_EQ(judge_payment(order_in(OrderState::expired), success("0"), 1), Judgement::review_amount);
  EXPECT_EQ(judge_payment(order_in(OrderState::failed), success("-25"), 1), Judgement::review_amount);
}

TEST(JudgePayment, LetsTheOperatorDecideOnAnotherCurrencyWhateverTheAmount) {
  for (const char* currency : {"NGN", "usd", ""})
    for (const char* amount : {"1", "25", "25000"})
      EXPECT_EQ(judge_payment(order_in(OrderState::pending), success(amount, currency), 1),
                Judgement::review_currency);
}

TEST(JudgePayment, LeavesWhatIsPaidOrInReviewAsItIs) {
  for (const OrderState state : {OrderState::paid, OrderState::refunded, OrderState::review})
    for (const Reported said :
         {Reported::succeeded, Reported::failed, Reported::abandoned, Reported::pending})
      EXPECT_EQ(judge_payment(order_in(state), saying(said), 1), Judgement::nothing) << name_of(state);
  EXPECT_EQ(judge_payment(order_in(OrderState::review), saying(Reported::reversed), 1), Judgement::nothing);
}

TEST(JudgePayment, LeavesWhatAnOperatorHasRejectedAsItIs) {
  Order order = order_in(OrderState::failed);
  order.review = ReviewReason::short_amount;
  for (const Reported said :
       {Reported::succeeded, Reported::failed, Reported::abandoned, Reported::reversed, Reported::pending})
    EXPECT_EQ(judge_payment(order, saying(said), 1), Judgement::nothing);
}

TEST(JudgePayment, SeesThatASecondAttemptWasPaidToo) {
  for (const OrderState state : {OrderState::paid, OrderState::refunded, OrderState::review}) {
    Order order = order_in(state);
    order.attempt = 2;
    EXPECT_EQ(judge_payment(order, success("25"), 2), Judgement::paid_twice);
    EXPECT_EQ(judge_payment(order, saying(Reported::failed), 2), Judgement::nothing);
    order.review = ReviewReason::paid_twice;
    EXPECT_EQ(judge_payment(order, success("25"), 2), Judgement::nothing) << "the operator knows";
  }
}

TEST(JudgePayment, SeesThatAPaymentWasReversedUnlessARefundExplainsIt) {
  Order order = order_in(OrderState::paid);
  EXPECT_EQ(judge_payment(order, saying(Reported::reversed), 1), Judgement::reversed);
  EXPECT_EQ(judge_payment(order, saying(Reported::reversed), 2), Judgement::nothing);
  order.refunded = *Credits::parse("1");
  EXPECT_EQ(judge_payment(order, saying(Reported::reversed), 1), Judgement::nothing);
  order.refunded = Credits();
  order.review = ReviewReason::reversed;
  EXPECT_EQ(judge_payment(order, saying(Reported::reversed), 1), Judgement::nothing) << "the operator knows";
}

TEST(JudgePayment, FailsWhatFailedOrWentBack) {
  for (const OrderState state : {OrderState::pending, OrderState::abandoned, OrderState::expired})
    for (const Reported said : {Reported::failed, Reported::reversed})
      EXPECT_EQ(judge_payment(order_in(state), saying(said), 1), Judgement::fail) << name_of(state);
  EXPECT_EQ(judge_payment(order_in(OrderState::failed), saying(Reported::failed), 1), Judgement::nothing);
}

TEST(JudgePayment, AsksOnForWhatIsPendingOrAbandoned) {
  for (const OrderState state : {OrderState::pending, OrderState::abandoned}) {
    EXPECT_EQ(judge_payment(order_in(state), saying(Reported::abandoned), 1), Judgement::abandon);
    EXPECT_EQ(judge_payment(order_in(state), saying(Reported::pending), 1), Judgement::ask_again);
  }
  for (const OrderState state : {OrderState::failed, OrderState::expired})
    for (const Reported said : {Reported::abandoned, Reported::pending})
      EXPECT_EQ(judge_payment(order_in(state), saying(said), 1), Judgement::nothing) << name_of(state);
}

TEST(JudgePayment, OfAnAttemptThatWasGivenUpCountsOnlyItsSuccess) {
  Order order = order_in(OrderState::pending);
  order.attempt = 2;
  for (const Reported said : {Reported::failed, Reported::abandoned, Reported::reversed, Reported::pending})
    EXPECT_EQ(judge_payment(order, saying(said), 1), Judgement::nothing);
  EXPECT_EQ(judge_payment(order, success("25"), 1), Judgement::pay);
}

TEST(NextCheck, ComesAfterMinutesAndThenEveryHourForThreeDays) {
  const auto after = [](std::chrono::milliseconds age) {
    return *next_check(made_at, made_at + age) - made_at;
  };
  EXPECT_EQ(after(0s), 1min);
  EXPECT_EQ(after(59'999ms), 1min);
  EXPECT_EQ(after(1min), 3min);
  EXPECT_EQ(after(3min), 10min);
  EXPECT_EQ(after(10min), 30min);
  EXPECT_EQ(after(30min), 1h);
  EXPECT_EQ(after(1h), 2h);
  EXPECT_EQ(after(1h + 1ms), 2h);
  EXPECT_EQ(after(72h - 1ms), 72h);
  EXPECT_EQ(next_check(made_at, made_at + 72h), std::nullopt);
  EXPECT_EQ(next_check(made_at, made_at + 1000h), std::nullopt);
}

TEST(NextCheck, ComesNoEarlierByAClockThatWasSetBack) {
  EXPECT_EQ(next_check(made_at, made_at - 5h), made_at + 1min);
}

TEST(OrdersToShow, AreDisputedWhileADisputeIsOpen) {
  Order order = order_in(OrderState::paid);
  EXPECT_EQ(state_to_show(order), OrderState::paid);
  order.open_disputes = 1;
  EXPECT_EQ(state_to_show(order), OrderState::disputed);
  EXPECT_TRUE(is_credited(order));
}

TEST(OrdersToShow, NeedAttentionWhileThereIsSomethingToDecide) {
  EXPECT_TRUE(needs_attention(order_in(OrderState::review)));
  Order order = order_in(OrderState::paid);
  EXPECT_FALSE(needs_attention(order));
  order.shortfall = Credits::from_units(1);
  EXPECT_TRUE(needs_attention(order));
  order.shortfall = Credits();
  order.open_disputes = 1;
  EXPECT_TRUE(needs_attention(order));
  order.open_disputes = 0;
  order.review = ReviewReason::paid_twice;
  EXPECT_TRUE(needs_attention(order));
  order.state = OrderState::failed;
  EXPECT_FALSE(needs_attention(order)) << "rejected";
}

TEST(ReferenceOfAttempt, IsTheOrdersOwnTheFirstTime) {
  EXPECT_EQ(reference_of_attempt("one", 1), "one");
  EXPECT_EQ(reference_of_attempt("one", 2), "one.2");
}

TEST(ReviewReasons, AreReadBackAsTheyAreWritten) {
  for (const ReviewReason reason :
       {ReviewReason::none, ReviewReason::short_amount, ReviewReason::other_currency,
        ReviewReason::paid_twice, ReviewReason::reversed})
    EXPECT_EQ(parse_review_reason(name_of(reason)), reason);
  EXPECT_EQ(parse_review_reason("gone"), std::nullopt);
}

}  // namespace
}  // namespace payg::test
