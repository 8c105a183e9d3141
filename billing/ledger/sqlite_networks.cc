#include "billing/ledger/sqlite_ledger.h"
#include "billing/ledger/sqlite_rows.h"

namespace payg::billing {

using Kind = SqliteTransaction::Kind;
using Outcome = NetworkChange::Outcome;

namespace {

std::optional<UserId> holder_of(SqliteTransaction& transaction, std::string_view network) {
  auto rows = transaction.select("SELECT user_id FROM user_addresses WHERE network = ?", network);
  return rows.next() ? std::optional(to_user_id(rows.integer(0))) : std::nullopt;
}

bool has_room(SqliteTransaction& transaction, UserId user) {
  auto rows = transaction.select("SELECT count(*) FROM user_addresses WHERE user_id = ?", to_integer(user));
  return rows.next() && rows.integer(0) < std::int64_t{most_listed_networks};
}

/// Nothing has happened to a user whom nobody knows.
void note_change(SqliteTransaction& transaction, UserId user, WallTime at) {
  transaction.execute("UPDATE users SET changed_at = " PAYG_NEXT_CHANGE " WHERE user_id = ?", to_ms(at),
                      to_integer(user));
}

std::vector<NetworkList> list_of(SqliteTransaction& transaction, UserId user) {
  auto rows = transaction.select(PAYG_NETWORKS "WHERE u.user_id = ?", to_integer(user));
  return sqlite::read_networks(transaction, rows);
}

/// How both changes end.
LedgerResult<NetworkChange> commit(SqliteTransaction& transaction, UserId user, Outcome outcome) {
  auto lists = list_of(transaction, user);
  if (!transaction.failed() && lists.empty()) return no_such_user();
  if (auto done = transaction.commit(); !done) return done.error();
  return NetworkChange{.outcome = outcome, .list = std::move(lists.front())};
}

}  // namespace

std::vector<NetworkList> sqlite::read_networks(SqliteTransaction& transaction,
                                               SqliteTransaction::Rows& rows) {
  std::vector<NetworkRow> read;
  while (rows.next())
    read.push_back({.user = to_user_id(rows.integer(0)),
                    .user_name = rows.text(1),
                    .change = rows.integer(2),
                    .network = rows.text(3),
                    .added_at = from_ms(rows.integer(4))});
  auto lists = gather_networks(read);
  if (lists) return std::move(*lists);
  transaction.fail(lists.error());
  return {};
}

LedgerResult<NetworkChange> SqliteLedger::add_network(UserId user, const Cidr& network, WallTime at) {
  if (auto refusal = check_network(network)) return *refusal;
  const std::string text = network.to_string();
  SqliteTransaction transaction(database_, Kind::write);
  if (list_of(transaction, user).empty() && !transaction.failed()) return no_such_user();
  const auto holder = holder_of(transaction, text);
  if (holder == user) return commit(transaction, user, Outcome::as_before);
  if (holder) return network_taken();
  if (!has_room(transaction, user) && !transaction.failed()) return too_many_networks();
  transaction.execute("INSERT INTO user_addresses (user_id, network, added_at) VALUES (?, ?, ?)",
                      to_integer(user), std::string_view(text), to_ms(at));
  note_change(transaction, user, at);
  return commit(transaction, user, Outcome::changed);
}

LedgerResult<NetworkChange> SqliteLedger::remove_network(UserId user, const Cidr& network, WallTime at) {
  SqliteTransaction transaction(database_, Kind::write);
  const std::string text = network.to_string();
  const int removed = transaction.execute("DELETE FROM user_addresses WHERE user_id = ? AND network = ?",
                                          to_integer(user), std::string_view(text));
  if (removed > 0) note_change(transaction, user, at);
  return commit(transaction, user, removed > 0 ? Outcome::changed : Outcome::as_before);
}

LedgerResult<std::vector<NetworkList>> SqliteLedger::networks(std::optional<UserId> user) {
  SqliteTransaction transaction(database_, Kind::read);
  std::vector<NetworkList> lists;
  if (user) {
    lists = list_of(transaction, *user);
  } else {
    auto rows = transaction.select(PAYG_NETWORKS "WHERE a.network IS NOT NULL" PAYG_NETWORKS_IN_ORDER);
    lists = sqlite::read_networks(transaction, rows);
  }
  if (auto done = transaction.commit(); !done) return done.error();
  if (user && lists.empty()) return no_such_user();
  return lists;
}

}  // namespace payg::billing
