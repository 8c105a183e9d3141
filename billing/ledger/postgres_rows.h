#pragma once

#include "billing/ledger/ledger_rules.h"
#include "billing/ledger/postgres_connection.h"

namespace payg::billing::postgres {

// SQL and readers that the parts of PostgresLedger share.

/// Columns of a user, for SELECTs whose first columns are these.
#define PAYG_USER_COLUMNS                                                            \
  "u.user_id, u.name, u.email, u.state, encode(u.token_hash, 'hex'), u.created_at, " \
  "u.default_country, u.default_state, u.default_city, u.default_isp"
inline constexpr int user_columns = 10;
/// nullopt: the row holds what cannot be.
std::optional<User> read_user(const PostgresRows& rows, int row);

/// Users change one after the other, so that the numbers which PAYG_NEXT_CHANGE gives rise in the order in
/// which the changes become visible, whatever clocks do.
PostgresStatement lock_user_changes();
/// For changed_at: the time given, or the next number that nobody has yet.
#define PAYG_NEXT_CHANGE(time) \
  "greatest(" time "::bigint, (SELECT coalesce(max(changed_at), 0) + 1 FROM users))"

/// What users have listed, for SELECTs that end in a WHERE of theirs and PAYG_NETWORKS_IN_ORDER; also a user
/// who has listed nothing is a row.
#define PAYG_NETWORKS                                                                                        \
  "SELECT u.user_id, u.name, u.changed_at, coalesce(a.network, ''), coalesce(a.added_at, 0), a.confirmed_at" \
  " FROM users u LEFT JOIN user_addresses a ON a.user_id = u.user_id "
#define PAYG_NETWORKS_IN_ORDER " ORDER BY u.user_id"
LedgerResult<std::vector<NetworkList>> read_networks(const PostgresRows& rows);

#define PAYG_TRANSACTION_COLUMNS "t.id, t.type, t.amount, t.reference, t.note, t.created_at"
std::optional<Transaction> read_transaction(const PostgresRows& rows, int row, int first_column = 0);

/// A session, for SELECTs that begin with PAYG_SESSION.
#define PAYG_SESSION                                                                             \
  "SELECT s.user_id, u.name, s.session_id, s.node, s.label, s.exit, s.started_at, s.paid_until," \
  " s.charge_number, s.charged, s.granted, s.ended_at, coalesce(s.why, '')"                      \
  " FROM metered_sessions s JOIN users u USING (user_id)"
std::vector<SessionRow> read_sessions(const PostgresRows& rows);

/// Locks the users' rows of user_credits in the order of their ids and returns how many there are. Whoever
/// changes anything that belongs to a user holds this lock, so a statement after this one sees his rows as
/// they will stay until COMMIT.
PostgresStatement lock_users(const std::vector<std::int64_t>& users);

/// Whoever has to wait for a lock from here on gives up after Ledger::in_line_wait: waited_in_vain() says so.
PostgresStatement stand_in_line();

/// The same as the first statements of a transaction whose later ones learn by PAYG_LOCKED_USERS which ones
/// it got. if_free leaves out the rows that somebody else has locked, so that one user's row holds up nobody
/// else; whatever else would be free by then may have changed since the statement began. in_line waits for
/// them all, and fails as unavailable after Ledger::in_line_wait.
std::vector<PostgresStatement> lock_users(const std::vector<std::int64_t>& users, Turn turn);
/// How both begin: `users` is what user_credits.user_id is compared with. To be closed with ") locked".
#define PAYG_LOCK_AND_NOTE(users)                                                                      \
  "SELECT length(set_config('payg.locked_users', coalesce(string_agg(user_id::text, ','), ''), true))" \
  " FROM (SELECT user_id FROM user_credits WHERE user_id " users " ORDER BY user_id FOR UPDATE"
/// Read once for each statement; the coalesce makes an array of what ANY would take for a list of rows.
#define PAYG_LOCKED_USERS \
  "coalesce((SELECT string_to_array(current_setting('payg.locked_users'), ',')::bigint[]), '{}')"

/// What a charge shares with others of the node that $1 names, from before the first user that it locks until
/// COMMIT, and who starts the node, or has ended all sessions of a lost one that he sees, has for himself: no
/// charge of it is under way then. A renewal, which holds up nobody and is held up by nobody, takes
/// none of it. No lock on the node's row, which every charge would have to write to, and for which who starts
/// the node could wait for ever if there is always one that shares it; here waiting is in the order of
/// coming. The first number is "node" in ASCII; two names that come to the same second one wait for each
/// other, and nothing worse.
#define PAYG_NODE_LIVES "1852793957, hashtext($1)"

/// Sessions are ended for others one transaction after the other, taken before any user is locked, so that
/// the numbers which PAYG_END_DUE gives rise in the order in which the ends become visible, whatever clocks
/// do.
PostgresStatement lock_end_changes();
/// What ends the sessions of a CTE `due`: open ones of metered_sessions, with `reason`, `at` and, where their
/// node has to be told, `told`. Posts what they owe the history. To be followed by a SELECT of what to
/// return.
#define PAYG_END_DUE                                                                                \
  " ended AS ("                                                                                     \
  "  UPDATE metered_sessions s"                                                                     \
  "  SET ended_at = due.at, why = due.reason, posted = due.charged, granted_posted = due.granted,"  \
  "      last_posted_at = due.at,"                                                                  \
  "      end_change = CASE WHEN due.told THEN (SELECT coalesce(max(end_change), 0) + 1 FROM "       \
  "metered_sessions) END"                                                                           \
  "  FROM due WHERE s.user_id = due.user_id AND s.session_id = due.session_id"                      \
  "), settled AS ("                                                                                 \
  "  INSERT INTO credit_transactions (user_id, type, amount, reference, note, time_ms, created_at)" \
  "  SELECT user_id, 'usage', posted - charged,"                                                    \
  "         'session-' || lpad(to_hex(session_id), 16, '0') || '-' || charge_number, '',"           \
  "         granted - granted_posted, at"                                                           \
  "  FROM due WHERE charged > posted ORDER BY user_id, session_id"                                  \
  ")"

}  // namespace payg::billing::postgres
