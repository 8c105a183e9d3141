#include "billing/ledger/sqlite_ledger.h"
#include "billing/ledger/sqlite_rows.h"

namespace payg::billing {

using Kind = SqliteTransaction::Kind;
using sqlite::read_unposted;
using sqlite::Unposted;

namespace {

ChangeMark newest_changes(SqliteTransaction& transaction) {
  // Each maximum is looked up at the end of its index, which takes a statement of its own.
  auto rows = transaction.select(
      "SELECT (SELECT coalesce(max(changed_at), 0) FROM users),"
      "       (SELECT coalesce(max(end_change), 0) FROM metered_sessions WHERE end_change IS NOT NULL)");
  if (!rows.next()) return {};
  return {.users = rows.integer(0), .ends = rows.integer(1)};
}

std::vector<User> changed_users(SqliteTransaction& transaction, ChangeMark mark) {
  std::vector<User> users;
  auto rows = transaction.select(
      "SELECT " PAYG_USER_COLUMNS " FROM users u WHERE u.changed_at > ? ORDER BY u.changed_at", mark.users);
  while (rows.next()) users.push_back(sqlite::read_user(transaction, rows));
  return users;
}

std::vector<NetworkList> changed_networks(SqliteTransaction& transaction, ChangeMark mark) {
  auto rows = transaction.select(PAYG_NETWORKS "WHERE u.changed_at > ?" PAYG_NETWORKS_IN_ORDER, mark.users);
  return sqlite::read_networks(transaction, rows);
}

std::vector<SessionId> ended_elsewhere(SqliteTransaction& transaction, std::string_view node,
                                       ChangeMark mark) {
  std::vector<SessionId> ended;
  auto rows = transaction.select(
      "SELECT session_id FROM metered_sessions WHERE end_change > ? AND node = ?"
      " ORDER BY end_change, session_id",
      mark.ends, node);
  while (rows.next()) ended.push_back(to_session_id(rows.integer(0)));
  return ended;
}

std::vector<NodeSign> all_nodes(SqliteTransaction& transaction) {
  std::vector<NodeSign> nodes;
  auto rows = transaction.select("SELECT node, life, beat, lease_ms FROM nodes");
  while (rows.next()) {
    nodes.push_back({.node = rows.text(0),
                     .life = to_node_life(rows.integer(1)),
                     .beat = rows.integer(2),
                     .lease = rows.milliseconds(3)});
  }
  return nodes;
}

bool is_silent(SqliteTransaction& transaction, const NodeSign& last_sign) {
  auto rows =
      transaction.select("SELECT 1 FROM nodes WHERE node = ? AND life = ? AND beat = ?",
                         std::string_view(last_sign.node), to_integer(last_sign.life), last_sign.beat);
  return rows.next();
}

std::vector<Unposted> open_sessions(SqliteTransaction& transaction, std::string_view node,
                                    std::int64_t limit) {
  std::vector<Unposted> open;
  auto rows = transaction.select(PAYG_UNPOSTED "WHERE node = ? AND ended_at IS NULL LIMIT ?", node, limit);
  while (rows.next()) open.push_back(read_unposted(rows));
  return open;
}

}  // namespace

LedgerResult<NodeStart> SqliteLedger::start_node(std::string_view node, std::chrono::milliseconds lease,
                                                 WallTime at) {
  SqliteTransaction transaction(database_, Kind::write);
  transaction.execute(
      "INSERT INTO nodes (node, started_at, life, beat, lease_ms) VALUES (?, ?, 1, 1, ?)"
      " ON CONFLICT (node) DO UPDATE SET started_at = excluded.started_at, life = life + 1, beat = beat + 1,"
      "                                  lease_ms = excluded.lease_ms",
      node, to_ms(at), std::int64_t{lease.count()});
  NodeStart start;
  {
    auto rows = transaction.select("SELECT life FROM nodes WHERE node = ?", node);
    if (rows.next()) start.life = to_node_life(rows.integer(0));
  }
  {
    auto rows =
        transaction.select(PAYG_UNPOSTED "WHERE node = ? AND ended_at IS NULL ORDER BY user_id", node);
    while (rows.next()) {
      const Unposted session = read_unposted(rows);
      start.left_open.push_back({session.user, session.session});
    }
  }
  if (auto done = transaction.commit(); !done) return done.error();
  return start;
}

LedgerResult<Done> SqliteLedger::renew_lease(const NodeRef& node, std::chrono::milliseconds lease) {
  SqliteTransaction transaction(database_, Kind::write);
  const int renewed =
      transaction.execute("UPDATE nodes SET beat = beat + 1, lease_ms = ? WHERE node = ? AND life = ?",
                          std::int64_t{lease.count()}, std::string_view(node.name), to_integer(node.life));
  if (auto done = transaction.commit(); !done) return done.error();
  if (renewed == 0) return life_is_over();
  return Done{};
}

LedgerResult<Changes> SqliteLedger::changes_since(std::string_view node, std::optional<ChangeMark> mark) {
  SqliteTransaction transaction(database_, Kind::read);
  Changes changes;
  changes.upto = newest_changes(transaction);
  if (mark) {
    changes.users = changed_users(transaction, *mark);
    changes.networks = changed_networks(transaction, *mark);
    changes.ended = ended_elsewhere(transaction, node, *mark);
  }
  changes.nodes = all_nodes(transaction);
  if (auto done = transaction.commit(); !done) return done.error();
  return changes;
}

LedgerResult<LostPortion> SqliteLedger::end_lost_sessions(const NodeSign& last_sign, WallTime at) {
  SqliteTransaction transaction(database_, Kind::write);
  LostPortion portion;
  if (!is_silent(transaction, last_sign)) {
    portion.next = LostPortion::Next::spared;
  } else {
    // One more than a portion says whether that was all.
    auto open = open_sessions(transaction, last_sign.node, posting_portion + 1);
    if (open.size() > posting_portion) {
      open.pop_back();
      portion.next = LostPortion::Next::more;
    }
    for (const Unposted& session : open) {
      sqlite::end_session(transaction, session,
                          {.user = session.user,
                           .session = session.session,
                           .why = EndReason::node_lost,
                           .at = at,
                           .by = EndedBy::somebody_else});
      portion.posted = Credits::from_units(portion.posted.units() + session.amount.units());
    }
    portion.sessions = static_cast<std::int64_t>(open.size());
  }
  if (auto done = transaction.commit(); !done) return done.error();
  return portion;
}

}  // namespace payg::billing
