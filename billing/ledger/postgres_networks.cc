#include "billing/ledger/postgres_ledger.h"
#include "billing/ledger/postgres_rows.h"

namespace payg::billing {

using postgres::lock_user_changes;
using postgres::read_networks;
using Outcome = NetworkChange::Outcome;

namespace {

/// Another user has a confirmed network that overlaps with $2.
#define PAYG_TAKEN                                             \
  "EXISTS (SELECT FROM user_addresses a WHERE a.user_id <> $1" \
  " AND a.confirmed_at IS NOT NULL AND a.network::inet && $2::text::inet)"

/// Ends all that change a user's list at the time $3: `made` has a row where there was a change.
#define PAYG_NOTE_CHANGE                               \
  ") UPDATE users SET changed_at = " PAYG_NEXT_CHANGE( \
      "$3") " FROM made WHERE users.user_id = made.user_id RETURNING users.user_id"

constexpr const char* add_sql =
    "WITH made AS ("
    "  INSERT INTO user_addresses (user_id, network, added_at)"
    "  SELECT u.user_id, $2::text, $3::bigint FROM users u"
    "  WHERE u.user_id = $1 AND NOT " PAYG_TAKEN
    "    AND (SELECT count(*) FROM user_addresses a WHERE a.user_id = $1) < $4"
    "  ON CONFLICT DO NOTHING RETURNING user_id" PAYG_NOTE_CHANGE;

constexpr const char* confirm_sql =
    "WITH made AS ("
    "  UPDATE user_addresses SET confirmed_at = $3::bigint"
    "  WHERE user_id = $1 AND network = $2::text AND confirmed_at IS NULL AND NOT " PAYG_TAKEN
    "    AND EXISTS (SELECT FROM users u WHERE u.user_id = $1 AND u.state = 'active')"
    "  RETURNING user_id" PAYG_NOTE_CHANGE;

constexpr const char* taken_sql = "SELECT WHERE " PAYG_TAKEN;

constexpr const char* remove_sql =
    "WITH made AS ("
    "  DELETE FROM user_addresses WHERE user_id = $1 AND network = $2::text RETURNING "
    "user_id" PAYG_NOTE_CHANGE;

PostgresStatement list_of(UserId user) {
  return {PAYG_NETWORKS "WHERE u.user_id = $1", parameters(to_integer(user))};
}

/// The one list that these rows are.
LedgerResult<NetworkList> only_list(const PostgresRows& rows) {
  auto lists = read_networks(rows);
  if (!lists) return lists.error();
  if (lists->empty()) return no_such_user();
  return std::move(lists->front());
}

PostgresStatement confirmation(UserId user, std::string_view network, WallTime at) {
  return {confirm_sql, parameters(to_integer(user), network, to_ms(at))};
}
PostgresStatement is_taken(UserId user, std::string_view network) {
  return {taken_sql, parameters(to_integer(user), network)};
}

}  // namespace

LedgerResult<std::vector<NetworkList>> postgres::read_networks(const PostgresRows& rows) {
  std::vector<NetworkRow> read;
  read.reserve(static_cast<std::size_t>(rows.count()));
  for (int row = 0; row < rows.count(); ++row)
    read.push_back(
        {.user = to_user_id(rows.integer(row, 0)),
         .user_name = rows.text(row, 1),
         .change = rows.integer(row, 2),
         .network = rows.text(row, 3),
         .added_at = from_ms(rows.integer(row, 4)),
         .confirmed_at = rows.is_null(row, 5) ? std::nullopt : std::optional(from_ms(rows.integer(row, 5)))});
  return gather_networks(read);
}

LedgerResult<NetworkChange> PostgresLedger::add_network(UserId user, const Cidr& network, NetworkClaim claim,
                                                        WallTime at) {
  if (auto refusal = check_network(network)) return *refusal;
  const std::string text = network.to_string();
  std::vector<PostgresStatement> statements{
      lock_user_changes(),
      is_taken(user, text),
      {add_sql, parameters(to_integer(user), text, to_ms(at), std::int64_t{most_listed_networks})}};
  if (claim == NetworkClaim::of_operator) statements.push_back(confirmation(user, text, at));
  statements.push_back(list_of(user));
  const auto results = connection_.transact(std::move(statements));
  if (!results) return results.error();
  auto list = only_list(results->back());
  if (!list) return list.error();
  const bool was_made =
      !(*results)[2].empty() || (claim == NetworkClaim::of_operator && !(*results)[3].empty());
  if (was_made) return NetworkChange{.outcome = Outcome::changed, .list = *std::move(list)};
  const bool taken = !(*results)[1].empty();
  const ListedNetwork* const mine = find_network(*list, network);
  if (mine == nullptr) return taken ? network_taken() : too_many_networks();
  if (taken && !mine->confirmed_at) return network_taken();
  return NetworkChange{.outcome = Outcome::as_before, .list = *std::move(list)};
}

LedgerResult<NetworkChange> PostgresLedger::confirm_network(UserId user, const Cidr& network, WallTime at) {
  const std::string text = network.to_string();
  const auto results = connection_.transact(
      {lock_user_changes(), confirmation(user, text, at), is_taken(user, text), list_of(user)});
  if (!results) return results.error();
  auto list = only_list(results->back());
  if (!list) return list.error();
  const ListedNetwork* const mine = find_network(*list, network);
  if (mine == nullptr) return no_such_network();
  const bool taken = !(*results)[2].empty();
  if (taken && !mine->confirmed_at) return network_taken();
  const auto outcome = (*results)[1].empty() ? Outcome::as_before : Outcome::changed;
  return NetworkChange{.outcome = outcome, .list = *std::move(list)};
}

LedgerResult<NetworkChange> PostgresLedger::remove_network(UserId user, const Cidr& network, WallTime at) {
  const auto results =
      connection_.transact({lock_user_changes(),
                            {remove_sql, parameters(to_integer(user), network.to_string(), to_ms(at))},
                            list_of(user)});
  if (!results) return results.error();
  auto list = only_list(results->back());
  if (!list) return list.error();
  const auto outcome = (*results)[1].empty() ? Outcome::as_before : Outcome::changed;
  return NetworkChange{.outcome = outcome, .list = *std::move(list)};
}

LedgerResult<std::vector<NetworkList>> PostgresLedger::networks(std::optional<UserId> user) {
  const auto rows = connection_.query(
      user ? list_of(*user)
           : PostgresStatement{PAYG_NETWORKS "WHERE a.network IS NOT NULL" PAYG_NETWORKS_IN_ORDER});
  if (!rows) return rows.error();
  if (user && rows->empty()) return no_such_user();
  return read_networks(*rows);
}

}  // namespace payg::billing
