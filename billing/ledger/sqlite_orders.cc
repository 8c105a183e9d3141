#include "billing/ledger/sqlite_ledger.h"
#include "billing/ledger/sqlite_rows.h"

namespace payg::billing {

using Kind = SqliteTransaction::Kind;

std::int64_t sqlite::append(SqliteTransaction& transaction, const NewTransaction& entry) {
  std::int64_t id = 0;
  {
    auto rows = transaction.select(
        "SELECT coalesce(max(id), 0) + 1 FROM credit_transactions WHERE user_id = ?", to_integer(entry.user));
    if (rows.next()) id = rows.integer(0);
  }
  transaction.execute(
      "INSERT INTO credit_transactions (user_id, id, type, amount, reference, note, time_ms, created_at)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      to_integer(entry.user), id, name_of(entry.type), entry.amount.units(), entry.reference, entry.note,
      std::int64_t{entry.time.count()}, to_ms(entry.at));
  return id;
}

Transaction sqlite::read_transaction(SqliteTransaction& transaction, const SqliteTransaction::Rows& row) {
  const auto type = parse_transaction_type(row.text(1));
  if (!type) transaction.fail(unreadable("transaction"));
  return {.id = row.integer(0),
          .type = type.value_or(TransactionType::purchase),
          .amount = row.credits(2),
          .reference = row.text(3),
          .note = row.text(4),
          .created_at = from_ms(row.integer(5))};
}

namespace {

std::optional<Transaction> find_adjustment(SqliteTransaction& transaction, UserId user,
                                           std::string_view reference) {
  auto rows = transaction.select(
      "SELECT id, type, amount, reference, note, created_at FROM credit_transactions"
      " WHERE user_id = ? AND type = 'adjustment' AND reference = ?",
      to_integer(user), reference);
  return rows.next() ? std::optional(sqlite::read_transaction(transaction, rows)) : std::nullopt;
}

#define PAYG_ORDER                                                                                \
  "SELECT reference, user_id, provider, state, price, currency, credits, bonus, idempotency_key," \
  " request_digest, authorization_url, created_at, paid_at FROM payment_orders "

Order read_order(SqliteTransaction& transaction, const SqliteTransaction::Rows& row) {
  const auto state = parse_order_state(row.text(3));
  if (!state) transaction.fail(unreadable("order"));
  Order order{.reference = row.text(0),
              .user = to_user_id(row.integer(1)),
              .provider = row.text(2),
              .state = state.value_or(OrderState::review),
              .price = row.credits(4),
              .currency = row.text(5),
              .credits = row.credits(6),
              .bonus = row.credits(7),
              .idempotency_key = row.text(8),
              .request_digest = row.text(9),
              .authorization_url = row.text(10),
              .created_at = from_ms(row.integer(11)),
              .paid_at = std::nullopt};
  if (const auto paid_at = row.maybe_integer(12)) order.paid_at = from_ms(*paid_at);
  return order;
}

std::optional<Order> order_by_reference(SqliteTransaction& transaction, std::string_view reference) {
  auto rows = transaction.select(PAYG_ORDER "WHERE reference = ?", reference);
  return rows.next() ? std::optional(read_order(transaction, rows)) : std::nullopt;
}

std::optional<Order> order_by_key(SqliteTransaction& transaction, UserId user, std::string_view key) {
  if (key.empty()) return std::nullopt;
  // The second condition is what lets the partial index serve.
  auto rows =
      transaction.select(PAYG_ORDER "WHERE user_id = ? AND idempotency_key = ? AND idempotency_key <> ''",
                         to_integer(user), key);
  return rows.next() ? std::optional(read_order(transaction, rows)) : std::nullopt;
}

void insert_order(SqliteTransaction& transaction, const Order& order) {
  transaction.execute(
      "INSERT INTO payment_orders (user_id, reference, provider, state, price, currency, credits, bonus,"
      " idempotency_key, request_digest, authorization_url, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, "
      "?, ?, ?)",
      to_integer(order.user), std::string_view(order.reference), std::string_view(order.provider),
      name_of(order.state), order.price.units(), std::string_view(order.currency), order.credits.units(),
      order.bonus.units(), std::string_view(order.idempotency_key), std::string_view(order.request_digest),
      std::string_view(order.authorization_url), to_ms(order.created_at));
}

void set_balance(SqliteTransaction& transaction, UserId user, Credits balance, WallTime at) {
  transaction.execute("UPDATE user_credits SET balance = ?, updated_at = ? WHERE user_id = ?",
                      balance.units(), to_ms(at), to_integer(user));
}

bool may_be_paid(OrderState state) {
  switch (state) {
    // A payment that succeeds late was still a payment.
    case OrderState::pending:
    case OrderState::failed:
    case OrderState::abandoned:
    case OrderState::expired: return true;
    case OrderState::paid:
    case OrderState::review:
    case OrderState::refunded:
    case OrderState::disputed: return false;
  }
  return false;
}

void pay(SqliteTransaction& transaction, const Order& order, WallTime at) {
  const auto balance = sqlite::read_balance(transaction, order.user);
  if (!balance) return transaction.fail(unreadable("balance"));
  const auto with_credits = balance->plus(order.credits);
  const auto with_bonus = with_credits ? with_credits->plus(order.bonus) : std::nullopt;
  if (!with_bonus) return transaction.fail(too_much());

  transaction.execute(
      "UPDATE payment_orders SET state = 'paid', paid_at = ? WHERE user_id = ? AND reference = ?", to_ms(at),
      to_integer(order.user), std::string_view(order.reference));
  sqlite::append(transaction, {.user = order.user,
                               .type = TransactionType::purchase,
                               .amount = order.credits,
                               .reference = order.reference,
                               .at = at});
  if (order.bonus > Credits()) {
    sqlite::append(transaction, {.user = order.user,
                                 .type = TransactionType::bonus,
                                 .amount = order.bonus,
                                 .reference = order.reference,
                                 .at = at});
  }
  set_balance(transaction, order.user, *with_bonus, at);
}

}  // namespace

LedgerResult<Transaction> SqliteLedger::adjust(UserId user, Credits amount, std::string_view reference,
                                               std::string_view note, WallTime at) {
  if (auto refusal = check_adjustment(amount, reference, note)) return *refusal;
  SqliteTransaction transaction(database_, Kind::write);
  const auto balance = sqlite::read_balance(transaction, user);
  const auto found = find_adjustment(transaction, user, reference);
  if (transaction.failed()) return transaction.error();
  if (!balance) return no_such_user();
  if (found) {
    if (found->amount != amount || found->note != note) return same_reference_other_content();
    return *found;
  }
  const auto changed = balance->plus(amount);
  if (!changed) return too_much();
  if (*changed < Credits()) return not_covered();

  const std::int64_t id = sqlite::append(transaction, {.user = user,
                                                       .type = TransactionType::adjustment,
                                                       .amount = amount,
                                                       .reference = reference,
                                                       .note = note,
                                                       .at = at});
  set_balance(transaction, user, *changed, at);
  if (auto done = transaction.commit(); !done) return done.error();
  return Transaction{.id = id,
                     .type = TransactionType::adjustment,
                     .amount = amount,
                     .reference = std::string(reference),
                     .note = std::string(note),
                     .created_at = at};
}

LedgerResult<PlacedOrder> SqliteLedger::create_order(const Order& order) {
  if (auto refusal = check_new_order(order)) return *refusal;
  SqliteTransaction transaction(database_, Kind::write);
  const auto balance = sqlite::read_balance(transaction, order.user);
  const auto same_key = order_by_key(transaction, order.user, order.idempotency_key);
  const auto same_reference = order_by_reference(transaction, order.reference);
  if (transaction.failed()) return transaction.error();
  if (!balance) return no_such_user();
  if (same_key) {
    if (same_key->request_digest != order.request_digest) return same_key_other_content();
    return PlacedOrder{*same_key, PlacedOrder::Origin::existing};
  }
  if (same_reference) {
    if (!same_order(*same_reference, order)) return same_reference_other_content();
    return PlacedOrder{*same_reference, PlacedOrder::Origin::existing};
  }
  insert_order(transaction, order);
  if (auto done = transaction.commit(); !done) return done.error();
  return PlacedOrder{order, PlacedOrder::Origin::created};
}

LedgerResult<Order> SqliteLedger::settle_order(std::string_view reference, WallTime at) {
  SqliteTransaction transaction(database_, Kind::write);
  auto order = order_by_reference(transaction, reference);
  if (order && may_be_paid(order->state)) {
    pay(transaction, *order, at);
    order->state = OrderState::paid;
    order->paid_at = at;
  }
  if (auto done = transaction.commit(); !done) return done.error();
  if (!order) return no_such_order();
  return *order;
}

LedgerResult<Order> SqliteLedger::find_order(std::string_view reference) {
  SqliteTransaction transaction(database_, Kind::read);
  const auto order = order_by_reference(transaction, reference);
  if (auto done = transaction.commit(); !done) return done.error();
  if (!order) return no_such_order();
  return *order;
}

}  // namespace payg::billing
