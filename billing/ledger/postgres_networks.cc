#include "billing/ledger/postgres_ledger.h"
#include "billing/ledger/postgres_rows.h"

namespace payg::billing {

using postgres::lock_user_changes;
using postgres::read_networks;

namespace {

constexpr const char* add_sql =
    "WITH made AS ("
    "  INSERT INTO user_addresses (user_id, network, added_at)"
    "  SELECT u.user_id, $2, $3::bigint FROM users u"
    "  WHERE u.user_id = $1 AND NOT EXISTS (SELECT FROM user_addresses a WHERE a.network = $2)"
    "    AND (SELECT count(*) FROM user_addresses a WHERE a.user_id = $1) < $4 RETURNING user_id"
    ") UPDATE users SET changed_at = " PAYG_NEXT_CHANGE(
        "$3") " FROM made WHERE users.user_id = made.user_id RETURNING users.user_id";

constexpr const char* remove_sql =
    "WITH gone AS ("
    "  DELETE FROM user_addresses WHERE user_id = $1 AND network = $2 RETURNING user_id"
    ") UPDATE users SET changed_at = " PAYG_NEXT_CHANGE(
        "$3") " FROM gone WHERE users.user_id = gone.user_id RETURNING users.user_id";

PostgresStatement list_of(UserId user) {
  return {PAYG_NETWORKS "WHERE u.user_id = $1", parameters(to_integer(user))};
}

/// How both changes end: `written` has a row where anything was.
LedgerResult<NetworkChange> changed(const PostgresRows& written, const PostgresRows& list) {
  auto lists = read_networks(list);
  if (!lists) return lists.error();
  if (lists->empty()) return no_such_user();
  const auto outcome = written.empty() ? NetworkChange::Outcome::as_before : NetworkChange::Outcome::changed;
  return NetworkChange{.outcome = outcome, .list = std::move(lists->front())};
}

}  // namespace

LedgerResult<std::vector<NetworkList>> postgres::read_networks(const PostgresRows& rows) {
  std::vector<NetworkRow> read;
  read.reserve(static_cast<std::size_t>(rows.count()));
  for (int row = 0; row < rows.count(); ++row)
    read.push_back({.user = to_user_id(rows.integer(row, 0)),
                    .user_name = rows.text(row, 1),
                    .change = rows.integer(row, 2),
                    .network = rows.text(row, 3),
                    .added_at = from_ms(rows.integer(row, 4))});
  return gather_networks(read);
}

LedgerResult<NetworkChange> PostgresLedger::add_network(UserId user, const Cidr& network, WallTime at) {
  if (auto refusal = check_network(network)) return *refusal;
  const std::string text = network.to_string();
  const auto results = connection_.transact(
      {lock_user_changes(),
       {add_sql, parameters(to_integer(user), text, to_ms(at), std::int64_t{most_listed_networks})},
       {"SELECT user_id FROM user_addresses WHERE network = $1", parameters(text)},
       list_of(user)});
  if (!results) return results.error();
  const PostgresRows &written = (*results)[1], &holder = (*results)[2];
  auto answer = changed(written, results->back());
  if (!answer) return answer;
  if (holder.empty()) return too_many_networks();
  if (to_user_id(holder.integer(0, 0)) != user) return network_taken();
  return answer;
}

LedgerResult<NetworkChange> PostgresLedger::remove_network(UserId user, const Cidr& network, WallTime at) {
  const auto results =
      connection_.transact({lock_user_changes(),
                            {remove_sql, parameters(to_integer(user), network.to_string(), to_ms(at))},
                            list_of(user)});
  if (!results) return results.error();
  return changed((*results)[1], results->back());
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
