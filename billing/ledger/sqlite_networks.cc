#include "billing/ledger/sqlite_ledger.h"
#include "billing/ledger/sqlite_rows.h"

namespace payg::billing {

using Kind = SqliteTransaction::Kind;
using Outcome = NetworkChange::Outcome;

namespace {

/// True when another user has a confirmed one that overlaps. Looks at all of them: as many as fit into SQLite
/// are read in a few milliseconds, and users list networks rarely.
bool is_taken(SqliteTransaction& transaction, UserId user, const Cidr& network) {
  auto rows = transaction.select(
      "SELECT network FROM user_addresses WHERE confirmed_at IS NOT NULL AND user_id <> ?", to_integer(user));
  while (rows.next()) {
    const auto other = Cidr::parse(rows.text(0));
    if (other && other->overlaps(network)) return true;
  }
  return false;
}

/// False: the user is disabled.
bool confirm(SqliteTransaction& transaction, UserId user, std::string_view network, WallTime at) {
  return transaction.execute(
             "UPDATE user_addresses SET confirmed_at = ? WHERE user_id = ? AND network = ?"
             " AND user_id IN (SELECT user_id FROM users WHERE state = 'active')",
             to_ms(at), to_integer(user), network) > 0;
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

/// How all changes end; no_such_user for whom nobody knows.
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
    read.push_back(
        {.user = to_user_id(rows.integer(0)),
         .user_name = rows.text(1),
         .change = rows.integer(2),
         .network = rows.text(3),
         .added_at = from_ms(rows.integer(4)),
         .confirmed_at = rows.is_null(5) ? std::nullopt : std::optional(from_ms(rows.integer(5)))});
  auto lists = gather_networks(read);
  if (lists) return std::move(*lists);
  transaction.fail(lists.error());
  return {};
}

LedgerResult<NetworkChange> SqliteLedger::add_network(UserId user, const Cidr& network, NetworkClaim claim,
                                                      WallTime at) {
  if (auto refusal = check_network(network)) return *refusal;
  const std::string text = network.to_string();
  SqliteTransaction transaction(database_, Kind::write);
  const auto lists = list_of(transaction, user);
  if (transaction.failed() || lists.empty()) return commit(transaction, user, Outcome::as_before);
  const ListedNetwork* const mine = find_network(lists.front(), network);
  if (mine != nullptr && mine->confirmed_at) return commit(transaction, user, Outcome::as_before);
  if (is_taken(transaction, user, network)) return network_taken();
  if (mine != nullptr && claim == NetworkClaim::of_user) return commit(transaction, user, Outcome::as_before);
  if (mine == nullptr) {
    if (lists.front().networks.size() >= most_listed_networks) return too_many_networks();
    transaction.execute("INSERT INTO user_addresses (user_id, network, added_at) VALUES (?, ?, ?)",
                        to_integer(user), std::string_view(text), to_ms(at));
  }
  const bool is_confirmed = claim == NetworkClaim::of_operator && confirm(transaction, user, text, at);
  if (mine != nullptr && !is_confirmed) return commit(transaction, user, Outcome::as_before);
  note_change(transaction, user, at);
  return commit(transaction, user, Outcome::changed);
}

LedgerResult<NetworkChange> SqliteLedger::confirm_network(UserId user, const Cidr& network, WallTime at) {
  SqliteTransaction transaction(database_, Kind::write);
  const auto lists = list_of(transaction, user);
  if (transaction.failed() || lists.empty()) return commit(transaction, user, Outcome::as_before);
  const ListedNetwork* const mine = find_network(lists.front(), network);
  if (mine == nullptr) return no_such_network();
  if (mine->confirmed_at) return commit(transaction, user, Outcome::as_before);
  if (is_taken(transaction, user, network)) return network_taken();
  if (!confirm(transaction, user, network.to_string(), at))
    return commit(transaction, user, Outcome::as_before);
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
