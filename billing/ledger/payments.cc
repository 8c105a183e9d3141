#include "billing/ledger/payments.h"

#include <array>
#include <chrono>

#include "billing/ledger/find_by_name.h"

namespace payg::billing {

using namespace std::chrono_literals;

std::string_view name_of(OrderState state) noexcept {
  switch (state) {
    case OrderState::pending: return "pending";
    case OrderState::paid: return "paid";
    case OrderState::failed: return "failed";
    case OrderState::abandoned: return "abandoned";
    case OrderState::expired: return "expired";
    case OrderState::review: return "review";
    case OrderState::refunded: return "refunded";
    case OrderState::disputed: return "disputed";
  }
  return "unknown";
}

std::optional<OrderState> parse_order_state(std::string_view name) noexcept {
  using enum OrderState;
  return find_by_name(std::array{pending, paid, failed, abandoned, expired, review, refunded, disputed},
                      name);
}

std::string_view name_of(ReviewReason reason) noexcept {
  switch (reason) {
    case ReviewReason::none: return "";
    case ReviewReason::short_amount: return "short_amount";
    case ReviewReason::other_currency: return "other_currency";
    case ReviewReason::paid_twice: return "paid_twice";
    case ReviewReason::reversed: return "reversed";
  }
  return "unknown";
}

std::optional<ReviewReason> parse_review_reason(std::string_view name) noexcept {
  using enum ReviewReason;
  return find_by_name(std::array{none, short_amount, other_currency, paid_twice, reversed}, name);
}

OrderState state_to_show(const Order& order) noexcept {
  return order.open_disputes > 0 ? OrderState::disputed : order.state;
}

bool is_credited(const Order& order) noexcept {
  return order.state == OrderState::paid || order.state == OrderState::refunded;
}

bool needs_attention(const Order& order) noexcept {
  const bool is_flagged = is_credited(order) && order.review != ReviewReason::none;
  return order.state == OrderState::review || is_flagged || order.open_disputes > 0 ||
         order.shortfall > Credits();
}

std::string reference_of_attempt(std::string_view reference, unsigned attempt) {
  return std::string(reference) + (attempt > 1 ? "." + std::to_string(attempt) : "");
}

namespace {

bool is_rejected(const Order& order) noexcept {
  return order.state == OrderState::failed && order.review != ReviewReason::none;
}

/// Of an order that something was paid of already.
Judgement judge_more(const Order& order, const PaymentReport& report, unsigned attempt) noexcept {
  if (order.review == ReviewReason::paid_twice) return Judgement::nothing;
  if (report.state == PaymentReport::State::succeeded && attempt != order.paid_attempt)
    return Judgement::paid_twice;
  const bool is_news = is_credited(order) && attempt == order.paid_attempt &&
                       order.review == ReviewReason::none && order.refunded == Credits();
  return report.state == PaymentReport::State::reversed && is_news ? Judgement::reversed : Judgement::nothing;
}

Judgement judge_success(const Order& order, const PaymentReport& report) noexcept {
  if (report.currency != order.currency) return Judgement::review_currency;
  if (report.amount < order.price) return Judgement::review_amount;
  return Judgement::pay;
}

}  // namespace

Judgement judge_payment(const Order& order, const PaymentReport& report, unsigned attempt) noexcept {
  using State = PaymentReport::State;
  if (is_rejected(order)) return Judgement::nothing;
  if (is_credited(order) || order.state == OrderState::review) return judge_more(order, report, attempt);
  if (report.state == State::succeeded) return judge_success(order, report);
  // What came of an attempt that was given up says nothing of the one that the customer was sent to.
  if (attempt != order.attempt || order.state == OrderState::failed) return Judgement::nothing;
  if (report.state == State::failed || report.state == State::reversed) return Judgement::fail;
  if (order.state == OrderState::expired) return Judgement::nothing;
  return report.state == State::abandoned ? Judgement::abandon : Judgement::ask_again;
}

std::optional<WallTime> next_check(WallTime created_at, WallTime now) noexcept {
  for (const auto after : {1min, 3min, 10min, 30min})
    if (created_at + after > now) return created_at + after;
  const auto next = std::chrono::floor<std::chrono::hours>(now - created_at) + 1h;
  return next <= 72h ? std::optional(created_at + next) : std::nullopt;
}

}  // namespace payg::billing
