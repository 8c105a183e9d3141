#include "billing/ledger/postgres_ledger.h"
#include "billing/ledger/postgres_rows.h"

namespace payg::billing {
namespace {

/// Any number that nobody else locks in this database: "ends" in ASCII.
constexpr std::int64_t end_changes_lock = 0x656e6473;

/// The node of end_lost_sessions(), as it was when it was seen last.
#define PAYG_SILENT_NODE "nodes n WHERE n.node = $1 AND n.life = $2 AND n.beat = $3"

constexpr const char* keep_silent_sql = "SELECT n.node FROM " PAYG_SILENT_NODE " FOR SHARE";

/// Notes for PAYG_LOCKED_USERS whoever of its sessions' users is free: the portion is counted of those, or a
/// batch that is stuck could fill every portion with its users. In the order of the index of live sessions,
/// so that a portion reads neither what ended long ago nor what the later ones will; who waits for nobody may
/// lock in any order.
constexpr const char* lock_portion_sql =
    "SELECT length(set_config('payg.locked_users', coalesce(string_agg(DISTINCT user_id::text, ','), ''), "
    "true))"
    " FROM (SELECT s.user_id FROM metered_sessions s JOIN user_credits c ON c.user_id = s.user_id"
    "       WHERE s.node = $1 AND s.ended_at IS NULL AND EXISTS (SELECT FROM " PAYG_SILENT_NODE
    ") ORDER BY s.last_posted_at LIMIT $4 FOR UPDATE OF c SKIP LOCKED) locked";

constexpr const char* end_portion_sql =
    "WITH due AS ("
    "  SELECT s.*, $4::text AS reason, $5::bigint AS at, true AS told FROM metered_sessions s"
    "  WHERE s.node = $1 AND s.ended_at IS NULL AND s.user_id = ANY (" PAYG_LOCKED_USERS
    ")"
    "    AND EXISTS (SELECT FROM " PAYG_SILENT_NODE ") ORDER BY s.last_posted_at LIMIT $6)," PAYG_END_DUE
    " SELECT count(*), coalesce(sum(charged - posted), 0)::bigint FROM due";

constexpr const char* one_left_sql =
    "SELECT session_id FROM metered_sessions WHERE node = $1 AND ended_at IS NULL ORDER BY last_posted_at "
    "LIMIT 1";

/// Waits for the charges of a node that are under way, and holds up those that come.
PostgresStatement stop_charging(std::string_view node) {
  return {"SELECT pg_advisory_xact_lock(" PAYG_NODE_LIVES ")", parameters(node)};
}

/// What is free, whatever charges of the node are under way: they have their users locked.
std::vector<PostgresStatement> end_portion(const NodeSign& sign, WallTime at) {
  const std::int64_t life = to_integer(sign.life);
  const std::int64_t portion = posting_portion;
  // The node's row is kept as it is: no renewal comes in between. And nobody waits for long for the others
  // who are at it: each of them has more to do.
  return {postgres::stand_in_line(),
          postgres::lock_end_changes(),
          {keep_silent_sql, parameters(sign.node, life, sign.beat)},
          {lock_portion_sql, parameters(sign.node, life, sign.beat, portion)},
          {end_portion_sql,
           parameters(sign.node, life, sign.beat, name_of(EndReason::node_lost), to_ms(at), portion)},
          {one_left_sql, parameters(sign.node)}};
}

/// What nobody sees yet: a charge whose COMMIT takes its time could leave a session open behind the last
/// portion. In a transaction of its own, so that who waits for that charge has nobody locked meanwhile.
std::vector<PostgresStatement> look_for_the_last_time(const NodeSign& sign) {
  return {postgres::stand_in_line(), stop_charging(sign.node), {one_left_sql, parameters(sign.node)}};
}

}  // namespace

PostgresStatement postgres::lock_end_changes() {
  return {"SELECT pg_advisory_xact_lock($1)", parameters(end_changes_lock)};
}

LedgerResult<NodeStart> PostgresLedger::start_node(std::string_view node, std::chrono::milliseconds lease,
                                                   WallTime at) {
  const auto results = connection_.transact(
      {stop_charging(node),
       {"INSERT INTO nodes AS n (node, started_at, life, beat, lease_ms) VALUES ($1, $2, 1, 1, $3)"
        " ON CONFLICT (node) DO UPDATE SET started_at = excluded.started_at, life = n.life + 1,"
        "                                  beat = n.beat + 1, lease_ms = excluded.lease_ms RETURNING life",
        parameters(node, to_ms(at), lease.count())},
       {"SELECT user_id, session_id FROM metered_sessions"
        " WHERE node = $1 AND ended_at IS NULL ORDER BY user_id",
        parameters(node)}});
  if (!results) return results.error();
  NodeStart start{.life = to_node_life((*results)[1].integer(0, 0)), .left_open = {}};
  const PostgresRows& found = results->back();
  for (int row = 0; row < found.count(); ++row) {
    start.left_open.push_back({to_user_id(found.integer(row, 0)), to_session_id(found.integer(row, 1))});
  }
  return start;
}

LedgerResult<Done> PostgresLedger::renew_lease(const NodeRef& node, std::chrono::milliseconds lease) {
  const auto renewed = connection_.query(
      {"UPDATE nodes SET beat = beat + 1, lease_ms = $3 WHERE node = $1 AND life = $2 RETURNING beat",
       parameters(node.name, to_integer(node.life), lease.count())});
  if (!renewed) return renewed.error();
  if (renewed->empty()) return life_is_over();
  return Done{};
}

LedgerResult<Changes> PostgresLedger::changes_since(std::string_view node, std::optional<ChangeMark> mark) {
  const auto results = connection_.transact(
      {{"SELECT (SELECT coalesce(max(changed_at), 0) FROM users),"
        "       (SELECT coalesce(max(end_change), 0) FROM metered_sessions)"},
       {"SELECT " PAYG_USER_COLUMNS " FROM users u WHERE u.changed_at > $1 ORDER BY u.changed_at",
        parameters(mark ? mark->users : INT64_MAX)},
       {"SELECT session_id FROM metered_sessions WHERE end_change > $1 AND node = $2"
        " ORDER BY end_change, session_id",
        parameters(mark ? mark->ends : INT64_MAX, node)},
       {"SELECT node, life, beat, lease_ms FROM nodes"},
       {PAYG_NETWORKS "WHERE u.changed_at > $1" PAYG_NETWORKS_IN_ORDER,
        parameters(mark ? mark->users : INT64_MAX)}},
      PostgresConnection::Isolation::snapshot);
  if (!results) return results.error();
  const PostgresRows &marks = (*results)[0], &users = (*results)[1], &ended = (*results)[2],
                     &nodes = (*results)[3];
  auto networks = postgres::read_networks(results->back());
  if (!networks) return networks.error();
  Changes changes{.users = {},
                  .networks = std::move(*networks),
                  .ended = {},
                  .nodes = {},
                  .upto = {marks.integer(0, 0), marks.integer(0, 1)}};
  for (int row = 0; row < users.count(); ++row) {
    auto user = postgres::read_user(users, row);
    if (!user) return unreadable("user");
    changes.users.push_back(std::move(*user));
  }
  for (int row = 0; row < ended.count(); ++row) changes.ended.push_back(to_session_id(ended.integer(row, 0)));
  for (int row = 0; row < nodes.count(); ++row) {
    changes.nodes.push_back({.node = nodes.text(row, 0),
                             .life = to_node_life(nodes.integer(row, 1)),
                             .beat = nodes.integer(row, 2),
                             .lease = nodes.milliseconds(row, 3)});
  }
  return changes;
}

LedgerResult<LostPortion> PostgresLedger::end_lost_sessions(const NodeSign& last_sign, WallTime at) {
  const auto results = connection_.transact(end_portion(last_sign, at));
  if (!results && connection_.waited_in_vain()) return LostPortion{LostPortion::Next::more, 0, {}};
  if (!results) return results.error();
  const PostgresRows &silent = (*results)[2], &ended = (*results)[4], &seen = (*results)[5];
  LostPortion portion{
      .next = LostPortion::Next::more, .sessions = ended.integer(0, 0), .posted = ended.credits(0, 1)};
  if (silent.empty()) portion.next = LostPortion::Next::spared;
  if (silent.empty() || !seen.empty()) return portion;
  const auto left = connection_.transact(look_for_the_last_time(last_sign));
  // What was ended is told in any case.
  if (!left && !connection_.waited_in_vain() && portion.sessions == 0) return left.error();
  if (left && left->back().empty()) portion.next = LostPortion::Next::done;
  return portion;
}

}  // namespace payg::billing
