#include "billing/ledger/postgres_ledger.h"
#include "billing/ledger/postgres_rows.h"

namespace payg::billing {
namespace {

#define PAYG_ORDER                                                                                \
  "SELECT reference, user_id, provider, state, price, currency, credits, bonus, idempotency_key," \
  " request_digest, authorization_url, created_at, paid_at FROM payment_orders "

/// Only what changes in an order decides whether it may be paid: a payment that succeeds late was still a
/// payment, money that went back or is being looked at is not paid again.
constexpr const char* pay_sql = R"sql(
WITH due AS (
  SELECT * FROM payment_orders
  WHERE reference = $1 AND state IN ('pending', 'failed', 'abandoned', 'expired')
), paid AS (
  UPDATE payment_orders o SET state = 'paid', paid_at = $2
  FROM due WHERE o.user_id = due.user_id AND o.reference = due.reference
), entries AS (
  INSERT INTO credit_transactions (user_id, type, amount, reference, note, time_ms, created_at)
  SELECT due.user_id, entry.type, entry.amount, due.reference, '', 0, $2::bigint
  FROM due CROSS JOIN LATERAL (VALUES (1, 'purchase', due.credits), (2, 'bonus', due.bonus)) AS entry (place, type, amount)
  WHERE entry.amount > 0 ORDER BY entry.place
)
UPDATE user_credits c SET balance = c.balance + due.credits + due.bonus, updated_at = $2
FROM due WHERE c.user_id = due.user_id)sql";

constexpr const char* adjust_sql = R"sql(
WITH made AS (
  INSERT INTO credit_transactions (user_id, type, amount, reference, note, time_ms, created_at)
  SELECT user_id, 'adjustment', $2::bigint, $3, $4, 0, $5::bigint FROM user_credits
  WHERE user_id = $1 AND balance::numeric + $2::bigint BETWEEN 0 AND 9223372036854775807
  ON CONFLICT (user_id, type, reference) DO NOTHING
  RETURNING user_id, amount
)
UPDATE user_credits c SET balance = c.balance + made.amount, updated_at = $5
FROM made WHERE c.user_id = made.user_id)sql";

std::optional<Order> read_order(const PostgresRows& rows) {
  const auto state = parse_order_state(rows.text(0, 3));
  if (!state) return std::nullopt;
  Order order{.reference = rows.text(0, 0),
              .user = to_user_id(rows.integer(0, 1)),
              .provider = rows.text(0, 2),
              .state = *state,
              .price = rows.credits(0, 4),
              .currency = rows.text(0, 5),
              .credits = rows.credits(0, 6),
              .bonus = rows.credits(0, 7),
              .idempotency_key = rows.text(0, 8),
              .request_digest = rows.text(0, 9),
              .authorization_url = rows.text(0, 10),
              .created_at = from_ms(rows.integer(0, 11)),
              .paid_at = std::nullopt};
  if (!rows.is_null(0, 12)) order.paid_at = from_ms(rows.integer(0, 12));
  return order;
}

LedgerResult<Order> only_order(const PostgresRows& rows) {
  if (rows.empty()) return no_such_order();
  auto order = read_order(rows);
  if (!order) return unreadable("order");
  return *order;
}

PostgresStatement insert_order(const Order& order) {
  return {
      "INSERT INTO payment_orders (user_id, reference, provider, state, price, currency, credits, bonus,"
      "                            idempotency_key, request_digest, authorization_url, created_at)"
      " SELECT user_id, $2, $3, $4, $5::bigint, $6, $7::bigint, $8::bigint, $9, $10, $11, $12::bigint"
      " FROM user_credits WHERE user_id = $1 ON CONFLICT DO NOTHING RETURNING user_id",
      parameters(to_integer(order.user), order.reference, order.provider, name_of(order.state),
                 order.price.units(), order.currency, order.credits.units(), order.bonus.units(),
                 order.idempotency_key, order.request_digest, order.authorization_url,
                 to_ms(order.created_at))};
}

/// The order that stood in the way of a new one.
LedgerResult<PlacedOrder> existing_order(const Order& asked, const PostgresRows& same_key,
                                         const PostgresRows& same_reference) {
  const bool by_key = !same_key.empty();
  const auto found = only_order(by_key ? same_key : same_reference);
  if (!found) return found.error();
  if (by_key && found->request_digest != asked.request_digest) return same_key_other_content();
  if (!by_key && !same_order(*found, asked)) return same_reference_other_content();
  return PlacedOrder{*found, PlacedOrder::Origin::existing};
}

}  // namespace

std::optional<Transaction> postgres::read_transaction(const PostgresRows& rows, int row, int first_column) {
  const auto type = parse_transaction_type(rows.text(row, first_column + 1));
  if (!type) return std::nullopt;
  return Transaction{.id = rows.integer(row, first_column),
                     .type = *type,
                     .amount = rows.credits(row, first_column + 2),
                     .reference = rows.text(row, first_column + 3),
                     .note = rows.text(row, first_column + 4),
                     .created_at = from_ms(rows.integer(row, first_column + 5))};
}

LedgerResult<Transaction> PostgresLedger::adjust(UserId user, Credits amount, std::string_view reference,
                                                 std::string_view note, WallTime at) {
  if (auto refusal = check_adjustment(amount, reference, note)) return *refusal;
  const auto results = connection_.transact(
      {postgres::lock_users({to_integer(user)}),
       {adjust_sql, parameters(to_integer(user), amount.units(), reference, note, to_ms(at))},
       {"SELECT c.balance, " PAYG_TRANSACTION_COLUMNS " FROM user_credits c LEFT JOIN credit_transactions t"
        "   ON t.user_id = c.user_id AND t.type = 'adjustment' AND t.reference = $2"
        " WHERE c.user_id = $1",
        parameters(to_integer(user), reference)}});
  if (!results) return results.error();
  const PostgresRows& rows = results->back();
  if (rows.empty()) return no_such_user();
  if (rows.is_null(0, 1)) return rows.credits(0, 0).plus(amount) ? not_covered() : too_much();
  auto made = postgres::read_transaction(rows, 0, 1);
  if (!made) return unreadable("transaction");
  if (made->amount != amount || made->note != note) return same_reference_other_content();
  return *made;
}

LedgerResult<PlacedOrder> PostgresLedger::create_order(const Order& order) {
  if (auto refusal = check_new_order(order)) return *refusal;
  const auto results = connection_.transact(
      {postgres::lock_users({to_integer(order.user)}),
       insert_order(order),
       // The second condition is what lets the partial index serve.
       {PAYG_ORDER "WHERE user_id = $1 AND idempotency_key = $2 AND idempotency_key <> ''",
        parameters(to_integer(order.user), order.idempotency_key)},
       {PAYG_ORDER "WHERE reference = $1", parameters(order.reference)}});
  if (!results) return results.error();
  const PostgresRows& locked = (*results)[0];
  const PostgresRows& inserted = (*results)[1];
  if (locked.integer(0, 0) == 0) return no_such_user();
  if (!inserted.empty()) return PlacedOrder{order, PlacedOrder::Origin::created};
  return existing_order(order, (*results)[2], (*results)[3]);
}

LedgerResult<Order> PostgresLedger::settle_order(std::string_view reference, WallTime at) {
  const auto results = connection_.transact(
      {{"SELECT FROM user_credits WHERE user_id = (SELECT user_id FROM payment_orders WHERE reference = $1)"
        " FOR UPDATE",
        parameters(reference)},
       {pay_sql, parameters(reference, to_ms(at))},
       {PAYG_ORDER "WHERE reference = $1", parameters(reference)}});
  if (!results) return results.error();
  return only_order(results->back());
}

LedgerResult<Order> PostgresLedger::find_order(std::string_view reference) {
  const auto rows = connection_.query({PAYG_ORDER "WHERE reference = $1", parameters(reference)});
  if (!rows) return rows.error();
  return only_order(*rows);
}

}  // namespace payg::billing
