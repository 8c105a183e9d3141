#include <algorithm>
#include <cstring>

#include "billing/ledger/sqlite_ledger.h"
#include "billing/ledger/sqlite_rows.h"

namespace payg::billing {

using Kind = SqliteTransaction::Kind;
using sqlite::read_user;

namespace {

/// A user, his balance, the end of his last session and how many live ones he has (up to ?1, and without
/// looking when that is 0), by one of his columns.
#define PAYG_STANDING                                                                          \
  "SELECT " PAYG_USER_COLUMNS                                                                  \
  ", c.balance, (SELECT max(s.ended_at) FROM metered_sessions s WHERE s.user_id = u.user_id)," \
  " CASE WHEN ?1 > 0 THEN (SELECT count(*) FROM (SELECT 1 FROM metered_sessions l"             \
  "  WHERE l.user_id = u.user_id AND l.ended_at IS NULL LIMIT ?1)) ELSE 0 END"                 \
  " FROM users u JOIN user_credits c ON c.user_id = u.user_id "

std::optional<User> find_by_name(SqliteTransaction& transaction, std::string_view name) {
  auto rows = transaction.select("SELECT " PAYG_USER_COLUMNS " FROM users u WHERE u.name = ?", name);
  if (!rows.next()) return std::nullopt;
  return read_user(transaction, rows);
}

std::optional<User> find_by_token(SqliteTransaction& transaction, const TokenHash& token) {
  auto rows = transaction.select("SELECT " PAYG_USER_COLUMNS " FROM users u WHERE u.token_hash = ?", token);
  if (!rows.next()) return std::nullopt;
  return read_user(transaction, rows);
}

/// The answer to a lookup, once its transaction has been looked after.
template <class T>
LedgerResult<T> found_or(SqliteTransaction& transaction, std::optional<T> found, LedgerError missing) {
  if (auto done = transaction.commit(); !done) return done.error();
  if (!found) return missing;
  return std::move(*found);
}

}  // namespace

User sqlite::read_user(SqliteTransaction& transaction, const SqliteTransaction::Rows& row) {
  User user{
      .id = to_user_id(row.integer(0)),
      .name = row.text(1),
      .email = row.text(2),
      .created_at = from_ms(row.integer(5)),
      .location = {.country = row.text(6), .state = row.text(7), .city = row.text(8), .isp = row.text(9)}};
  const auto state = parse_user_state(row.text(3));
  const std::string token = row.text(4);
  if (!state || token.size() != user.token.size()) {
    transaction.fail(unreadable("user"));
    return user;
  }
  user.state = *state;
  std::memcpy(user.token.data(), token.data(), token.size());
  return user;
}

std::optional<Standing> sqlite::read_standing(SqliteTransaction& transaction,
                                              const SqliteTransaction::Rows& row) {
  Standing standing{.user = read_user(transaction, row),
                    .balance = row.credits(user_columns),
                    .last_session_end = std::nullopt,
                    .live_sessions = row.integer(user_columns + 2)};
  if (const auto ended = row.maybe_integer(user_columns + 1)) standing.last_session_end = from_ms(*ended);
  return standing;
}

std::optional<Credits> sqlite::read_balance(SqliteTransaction& transaction, UserId user) {
  auto rows = transaction.select("SELECT balance FROM user_credits WHERE user_id = ?", to_integer(user));
  return rows.next() ? std::optional(rows.credits(0)) : std::nullopt;
}

LedgerResult<User> SqliteLedger::create_user(std::string_view name, std::string_view email,
                                             const TokenHash& token, WallTime at) {
  if (auto refusal = check_new_user(name, email)) return *refusal;
  SqliteTransaction transaction(database_, Kind::write);
  if (const auto found = find_by_name(transaction, name)) {
    if (found->token == token && found->email == email) return *found;
    return LedgerError{LedgerError::Code::already_exists, "the name is taken"};
  }
  if (find_by_token(transaction, token)) return token_taken();
  transaction.execute(
      "INSERT INTO users (name, email, state, token_hash, created_at, changed_at)"
      " VALUES (?, ?, 'active', ?, ?, " PAYG_NEXT_CHANGE ")",
      name, email, token, to_ms(at), to_ms(at));
  transaction.execute(
      "INSERT INTO user_credits (user_id, balance, updated_at) SELECT user_id, 0, ? FROM users WHERE name = "
      "?",
      to_ms(at), name);
  auto made = find_by_name(transaction, name);
  return found_or(transaction, std::move(made), no_such_user());
}

LedgerResult<Done> SqliteLedger::set_token(UserId user, const TokenHash& token, WallTime at) {
  SqliteTransaction transaction(database_, Kind::write);
  const auto holder = find_by_token(transaction, token);
  if (holder && holder->id != user) return token_taken();
  const int changed = transaction.execute("UPDATE users SET token_hash = ?, changed_at = " PAYG_NEXT_CHANGE
                                          " WHERE user_id = ?",
                                          token, to_ms(at), to_integer(user));
  return found_or(transaction, changed == 1 ? std::optional(Done{}) : std::nullopt, no_such_user());
}

LedgerResult<Done> SqliteLedger::set_state(UserId user, UserState state, WallTime at) {
  SqliteTransaction transaction(database_, Kind::write);
  const int changed =
      transaction.execute("UPDATE users SET state = ?, changed_at = " PAYG_NEXT_CHANGE " WHERE user_id = ?",
                          name_of(state), to_ms(at), to_integer(user));
  if (state == UserState::disabled)
    transaction.execute("UPDATE user_addresses SET confirmed_at = NULL WHERE user_id = ?", to_integer(user));
  return found_or(transaction, changed == 1 ? std::optional(Done{}) : std::nullopt, no_such_user());
}

LedgerResult<Done> SqliteLedger::set_location(UserId user, const plugin::Location& location, WallTime at) {
  if (auto refusal = check_location(location)) return *refusal;
  SqliteTransaction transaction(database_, Kind::write);
  const int changed = transaction.execute(
      "UPDATE users SET default_country = ?, default_state = ?, default_city = ?, default_isp = ?,"
      "                 changed_at = " PAYG_NEXT_CHANGE " WHERE user_id = ?",
      std::string_view(location.country), std::string_view(location.state), std::string_view(location.city),
      std::string_view(location.isp), to_ms(at), to_integer(user));
  return found_or(transaction, changed == 1 ? std::optional(Done{}) : std::nullopt, no_such_user());
}

LedgerResult<User> SqliteLedger::find_user(std::string_view name) {
  SqliteTransaction transaction(database_, Kind::read);
  auto found = find_by_name(transaction, name);
  return found_or(transaction, std::move(found), no_such_user());
}

LedgerResult<User> SqliteLedger::find_user(const TokenHash& token) {
  SqliteTransaction transaction(database_, Kind::read);
  auto found = find_by_token(transaction, token);
  return found_or(transaction, std::move(found), no_such_user());
}

LedgerResult<std::vector<UserOverview>> SqliteLedger::list_users() {
  SqliteTransaction transaction(database_, Kind::read);
  std::vector<UserOverview> users;
  {
    auto rows =
        transaction.select("SELECT " PAYG_USER_COLUMNS
                           ", c.balance, (SELECT count(*) FROM metered_sessions s"
                           "              WHERE s.user_id = u.user_id AND s.ended_at IS NULL)"
                           " FROM users u JOIN user_credits c ON c.user_id = u.user_id ORDER BY u.name");
    while (rows.next()) {
      users.push_back({.user = read_user(transaction, rows),
                       .balance = rows.credits(sqlite::user_columns),
                       .live_sessions = rows.integer(sqlite::user_columns + 1)});
    }
  }
  if (auto done = transaction.commit(); !done) return done.error();
  return users;
}

LedgerResult<std::vector<std::optional<Standing>>> SqliteLedger::standings(std::span<const std::string> names,
                                                                           std::uint32_t session_limit) {
  SqliteTransaction transaction(database_, Kind::read);
  std::vector<std::optional<Standing>> found;
  found.reserve(names.size());
  for (const std::string& name : names) {
    auto rows = transaction.select(PAYG_STANDING "WHERE u.name = ?2", std::int64_t{session_limit},
                                   std::string_view(name));
    found.push_back(rows.next() ? sqlite::read_standing(transaction, rows) : std::nullopt);
  }
  if (auto done = transaction.commit(); !done) return done.error();
  return found;
}

LedgerResult<Credits> SqliteLedger::balance(UserId user) {
  SqliteTransaction transaction(database_, Kind::read);
  const auto found = sqlite::read_balance(transaction, user);
  return found_or(transaction, found, no_such_user());
}

LedgerResult<Standing> SqliteLedger::standing(UserId user) {
  SqliteTransaction transaction(database_, Kind::read);
  std::optional<Standing> found;
  {
    auto rows = transaction.select(PAYG_STANDING "WHERE u.user_id = ?2", std::int64_t{0}, to_integer(user));
    if (rows.next()) found = sqlite::read_standing(transaction, rows);
  }
  return found_or(transaction, std::move(found), no_such_user());
}

}  // namespace payg::billing
