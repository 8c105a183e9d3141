#include <charconv>

#include "billing/ledger/postgres_ledger.h"
#include "billing/ledger/postgres_rows.h"

namespace payg::billing {

using postgres::lock_user_changes;
using postgres::read_user;
using postgres::user_columns;

namespace {

/// Behind these comes how many live sessions he has.
#define PAYG_STANDING_COLUMNS \
  PAYG_USER_COLUMNS           \
  ", c.balance, (SELECT max(s.ended_at) FROM metered_sessions s WHERE s.user_id = u.user_id), "
/// Up to $2, and without looking when that is 0.
#define PAYG_LIVE_COUNT                                                                               \
  "CASE WHEN $2::bigint > 0 THEN (SELECT count(*) FROM (SELECT FROM metered_sessions l"               \
  "                       WHERE l.user_id = u.user_id AND l.ended_at IS NULL LIMIT $2::bigint) live)" \
  " ELSE 0 END"

/// Any number that nobody else locks in this database: "user" in ASCII.
constexpr std::int64_t user_changes_lock = 0x75736572;

std::optional<TokenHash> parse_hex(const std::string& hex) {
  TokenHash token{};
  if (hex.size() != 2 * token.size()) return std::nullopt;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const char* const digits = hex.data() + 2 * i;
    if (std::from_chars(digits, digits + 2, token[i], 16).ptr != digits + 2) return std::nullopt;
  }
  return token;
}

LedgerResult<User> only_user(const LedgerResult<PostgresRows>& rows) {
  if (!rows) return rows.error();
  if (rows->empty()) return no_such_user();
  auto user = read_user(*rows, 0);
  if (!user) return unreadable("user");
  return *user;
}

/// What an UPDATE … RETURNING of one user, behind lock_user_changes(), came to.
LedgerResult<Done> changed_one(const LedgerResult<std::vector<PostgresRows>>& results) {
  if (!results) return results.error();
  if (results->back().empty()) return no_such_user();
  return Done{};
}

LedgerResult<Standing> read_standing(const PostgresRows& rows, int row) {
  auto user = read_user(rows, row);
  if (!user) return unreadable("user");
  Standing standing{.user = std::move(*user),
                    .balance = rows.credits(row, user_columns),
                    .last_session_end = std::nullopt,
                    .live_sessions = rows.integer(row, user_columns + 2)};
  if (!rows.is_null(row, user_columns + 1))
    standing.last_session_end = from_ms(rows.integer(row, user_columns + 1));
  return standing;
}

}  // namespace

PostgresStatement postgres::lock_user_changes() {
  return {"SELECT pg_advisory_xact_lock($1)", parameters(user_changes_lock)};
}

std::optional<User> postgres::read_user(const PostgresRows& rows, int row) {
  const auto state = parse_user_state(rows.text(row, 3));
  const auto token = parse_hex(rows.text(row, 4));
  if (!state || !token) return std::nullopt;
  return User{.id = to_user_id(rows.integer(row, 0)),
              .name = rows.text(row, 1),
              .email = rows.text(row, 2),
              .state = *state,
              .token = *token,
              .created_at = from_ms(rows.integer(row, 5)),
              .location = {.country = rows.text(row, 6),
                           .state = rows.text(row, 7),
                           .city = rows.text(row, 8),
                           .isp = rows.text(row, 9)}};
}

LedgerResult<User> PostgresLedger::create_user(std::string_view name, std::string_view email,
                                               const TokenHash& token, WallTime at) {
  if (auto refusal = check_new_user(name, email)) return *refusal;
  const auto results = connection_.transact(
      {lock_user_changes(),
       {"WITH made AS ("
        " INSERT INTO users (name, email, state, token_hash, created_at, changed_at)"
        " VALUES ($1, $2, 'active', $3, $4, " PAYG_NEXT_CHANGE(
            "$4") ") ON CONFLICT DO NOTHING RETURNING user_id)"
                  " INSERT INTO user_credits (user_id, balance, updated_at) SELECT user_id, 0, $4::bigint "
                  "FROM made",
        parameters(name, email, token, to_ms(at))},
       {"SELECT " PAYG_USER_COLUMNS " FROM users u WHERE u.name = $1", parameters(name)}});
  if (!results) return results.error();
  // Nothing was made and nobody has the name: then it was the token.
  if (results->back().empty()) return token_taken();
  const auto found = read_user(results->back(), 0);
  if (!found) return unreadable("user");
  if (found->token != token || found->email != email) {
    return LedgerError{LedgerError::Code::already_exists, "the name is taken"};
  }
  return *found;
}

LedgerResult<Done> PostgresLedger::set_token(UserId user, const TokenHash& token, WallTime at) {
  const auto results = connection_.transact(
      {lock_user_changes(),
       {"UPDATE users SET token_hash = $2, changed_at = " PAYG_NEXT_CHANGE("$3") " WHERE user_id = $1"
                                                                                 " RETURNING user_id",
        parameters(to_integer(user), token, to_ms(at))}});
  if (!results && results.error().code == LedgerError::Code::conflict) return token_taken();
  return changed_one(results);
}

LedgerResult<Done> PostgresLedger::set_state(UserId user, UserState state, WallTime at) {
  return changed_one(connection_.transact(
      {lock_user_changes(),
       {"UPDATE user_addresses SET confirmed_at = NULL WHERE user_id = $1 AND $2::text = 'disabled'",
        parameters(to_integer(user), name_of(state))},
       {"UPDATE users SET state = $2, changed_at = " PAYG_NEXT_CHANGE("$3") " WHERE user_id = $1"
                                                                            " RETURNING user_id",
        parameters(to_integer(user), name_of(state), to_ms(at))}}));
}

LedgerResult<Done> PostgresLedger::set_location(UserId user, const plugin::Location& location, WallTime at) {
  if (auto refusal = check_location(location)) return *refusal;
  return changed_one(connection_.transact(
      {lock_user_changes(),
       {"UPDATE users SET default_country = $2, default_state = $3, default_city = $4, default_isp = $5,"
        "                 changed_at = " PAYG_NEXT_CHANGE("$6") " WHERE user_id = $1 RETURNING user_id",
        parameters(to_integer(user), location.country, location.state, location.city, location.isp,
                   to_ms(at))}}));
}

LedgerResult<User> PostgresLedger::find_user(std::string_view name) {
  return only_user(
      connection_.query({"SELECT " PAYG_USER_COLUMNS " FROM users u WHERE u.name = $1", parameters(name)}));
}

LedgerResult<User> PostgresLedger::find_user(const TokenHash& token) {
  return only_user(connection_.query(
      {"SELECT " PAYG_USER_COLUMNS " FROM users u WHERE u.token_hash = $1", parameters(token)}));
}

LedgerResult<std::vector<UserOverview>> PostgresLedger::list_users() {
  const auto rows = connection_.query(
      {"SELECT " PAYG_USER_COLUMNS ", c.balance,"
       "       (SELECT count(*) FROM metered_sessions s WHERE s.user_id = u.user_id AND s.ended_at IS NULL)"
       " FROM users u JOIN user_credits c USING (user_id) ORDER BY u.name COLLATE \"C\""});
  if (!rows) return rows.error();
  std::vector<UserOverview> users;
  for (int row = 0; row < rows->count(); ++row) {
    auto user = read_user(*rows, row);
    if (!user) return unreadable("user");
    users.push_back({.user = std::move(*user),
                     .balance = rows->credits(row, user_columns),
                     .live_sessions = rows->integer(row, user_columns + 1)});
  }
  return users;
}

LedgerResult<std::vector<std::optional<Standing>>> PostgresLedger::standings(
    std::span<const std::string> names, std::uint32_t session_limit) {
  const auto rows = connection_.query(
      {"SELECT " PAYG_STANDING_COLUMNS PAYG_LIVE_COUNT
       " FROM unnest($1::text[]) WITH ORDINALITY AS asked (name, place)"
       " LEFT JOIN users u ON u.name = asked.name LEFT JOIN user_credits c ON c.user_id = u.user_id"
       " ORDER BY asked.place",
       parameters(std::vector<std::string>(names.begin(), names.end()), std::int64_t{session_limit})});
  if (!rows) return rows.error();
  std::vector<std::optional<Standing>> found;
  for (int row = 0; row < rows->count(); ++row) {
    if (rows->is_null(row, 0)) {
      found.emplace_back(std::nullopt);
      continue;
    }
    auto standing = read_standing(*rows, row);
    if (!standing) return standing.error();
    found.emplace_back(std::move(*standing));
  }
  return found;
}

LedgerResult<Credits> PostgresLedger::balance(UserId user) {
  const auto rows = connection_.query(
      {"SELECT balance FROM user_credits WHERE user_id = $1", parameters(to_integer(user))});
  if (!rows) return rows.error();
  if (rows->empty()) return no_such_user();
  return rows->credits(0, 0);
}

LedgerResult<Standing> PostgresLedger::standing(UserId user) {
  const auto rows =
      connection_.query({"SELECT " PAYG_STANDING_COLUMNS
                         "0 FROM users u JOIN user_credits c USING (user_id) WHERE u.user_id = $1",
                         parameters(to_integer(user))});
  if (!rows) return rows.error();
  if (rows->empty()) return no_such_user();
  return read_standing(*rows, 0);
}

}  // namespace payg::billing
