#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "billing/core/credits.h"
#include "billing/ledger/words.h"
#include "plugin/base/clock.h"

namespace payg::billing {

/// What has become of the payment. A dispute stands beside it: see state_to_show().
enum class OrderState {
  pending,    ///< nothing is known yet
  paid,       ///< and credited
  failed,     ///< also when the operator has rejected it: `review` says then what he decided on
  abandoned,  ///< the customer went away; the provider is asked on for as long as for a pending one
  expired,    ///< nothing came of it for as long as it was asked for
  review,     ///< something was paid, and an operator has to decide
  refunded,   ///< it was paid and credited, and all the money went back
  disputed,   ///< only shown: no order is in this state
};
std::string_view name_of(OrderState state) noexcept;
std::optional<OrderState> parse_order_state(std::string_view name) noexcept;

/// Why an operator has to look at an order. The first two put it in review; the others leave it as it is.
enum class ReviewReason {
  none,
  short_amount,    ///< less was paid than the order's price
  other_currency,  ///< something was paid in another currency
  paid_twice,      ///< what was paid by one attempt was paid by another one too
  reversed,        ///< the provider calls the payment reversed, and no refund explains it
};
/// "" for none.
std::string_view name_of(ReviewReason reason) noexcept;
std::optional<ReviewReason> parse_review_reason(std::string_view name) noexcept;

/// One attempt to buy a package. Prices are counted in Credits too: 1 credit is worth 1 unit of the currency.
struct Order {
  std::string reference;  ///< [A-Za-z0-9-.=]+, unique over all users
  UserId user;
  std::string provider;
  OrderState state = OrderState::pending;
  Credits price;
  std::string currency;
  Credits credits;  ///< what the package gives for its price
  Credits bonus;    ///< what it gives on top
  /// Of the client's Idempotency-Key: the key, and a digest of what was asked; empty: none was sent.
  std::string idempotency_key;
  std::string request_digest;
  std::string authorization_url;  ///< where the customer pays; empty: nothing to do (yet)
  WallTime created_at{};
  std::optional<WallTime> paid_at{};  ///< when it was credited

  /// How often the provider was asked to take it; from the second time on it has REFERENCE.N there.
  unsigned attempt = 1;
  unsigned paid_attempt = 0;    ///< the one that something was paid by; 0: none
  Credits paid_amount{};        ///< what the provider says was paid; in paid_currency
  std::string paid_currency{};  ///< empty: nothing is known to be paid
  ReviewReason review = ReviewReason::none;
  std::string decision{};                   ///< the reason that the operator gave with his last decision
  Credits refunded{};                       ///< of what was paid, in its currency
  Credits taken_back{};                     ///< of credits and bonus together
  Credits shortfall{};                      ///< should have been taken back, and was used up
  Credits waived{};                         ///< of what was a shortfall: settled by an operator
  unsigned open_disputes = 0;               ///< while there is any, its user starts no sessions
  unsigned checks = 0;                      ///< how often the provider was asked and knew no outcome
  std::optional<WallTime> next_check_at{};  ///< when to ask it again; of pending and abandoned ones only
};

/// How an order is shown: disputed while a dispute about it is open, whatever it is besides.
OrderState state_to_show(const Order& order) noexcept;
/// Its credits have been added, once; they may have been taken back since.
bool is_credited(const Order& order) noexcept;
/// In review, or flagged, or with an open dispute or a shortfall.
bool needs_attention(const Order& order) noexcept;

/// What the order goes by at the provider: REFERENCE, REFERENCE.2, …
std::string reference_of_attempt(std::string_view reference, unsigned attempt);
/// So often a provider is asked to take one order at most.
inline constexpr unsigned most_attempts = 99;

/// What a provider says of one payment.
struct PaymentReport {
  enum class State { succeeded, failed, abandoned, reversed, pending };
  State state = State::pending;
  Credits amount{};        ///< in the currency, exact
  std::string currency{};  ///< ISO 4217, upper case
};

/// What is to be done about an order by a report of one of its attempts.
enum class Judgement {
  nothing,
  paid_twice,       ///< keep what it is, and tell the operator
  reversed,         ///< the same
  pay,              ///< also one that had failed or was given up: a late success wins
  review_currency,  ///< something was paid, but no money of the order's
  review_amount,    ///< too little was paid
  fail,
  abandon,    ///< and ask again: a customer comes back
  ask_again,  ///< or expire, when it has been asked for long enough
};
/// The first rung that holds. Pure. More than the price is enough: customers may bear the provider's fees.
Judgement judge_payment(const Order& order, const PaymentReport& report, unsigned attempt) noexcept;

/// When to ask the provider next for an order without an outcome: the first of 1, 3, 10 and 30 minutes, then
/// each full hour up to 72, after it was made, that is behind `now`; so whoever was away for long asks once
/// and not as often as was missed. nullopt: there is none left.
std::optional<WallTime> next_check(WallTime created_at, WallTime now) noexcept;

/// create_order's answer: the order that stands, and whether this call made it.
struct PlacedOrder {
  enum class Origin { created, existing };
  Order order;
  Origin origin = Origin::created;
};

/// What the ledger knows of payments, for who takes money. Every Ledger is one: what is said there of calls,
/// threads and errors holds here.
class PaymentBooks {
 public:
  virtual ~PaymentBooks() = default;

  /// Places an order. When the user has one with the same idempotency key: that one if request_digest is the
  /// same, else conflict.
  virtual LedgerResult<PlacedOrder> create_order(const Order& order) = 0;
  /// Pays an order: its state, the purchase row, the bonus row and the balance in one transaction. Paying a
  /// paid order changes nothing. Returns the order as it stands.
  virtual LedgerResult<Order> settle_order(std::string_view reference, WallTime at) = 0;
  virtual LedgerResult<Order> find_order(std::string_view reference) = 0;
};

}  // namespace payg::billing
