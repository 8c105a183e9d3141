#pragma once

#include "billing/ledger/ledger_rules.h"
#include "billing/ledger/postgres_connection.h"

namespace payg::billing::postgres {

// SQL and readers that the parts of PostgresLedger share.

/// Columns of a user, for SELECTs whose first columns are these.
#define PAYG_USER_COLUMNS "u.user_id, u.name, u.email, u.state, encode(u.token_hash, 'hex'), u.created_at"
inline constexpr int user_columns = 6;
/// nullopt: the row holds what cannot be.
std::optional<User> read_user(const PostgresRows& rows, int row);

#define PAYG_TRANSACTION_COLUMNS "t.id, t.type, t.amount, t.reference, t.note, t.created_at"
std::optional<Transaction> read_transaction(const PostgresRows& rows, int row, int first_column = 0);

/// Locks the users' rows of user_credits in the order of their ids and returns how many there are. Whoever
/// changes anything that belongs to a user holds this lock, so a statement after this one sees his rows as
/// they will stay until COMMIT.
PostgresStatement lock_users(const std::vector<std::int64_t>& users);

/// The same as the first statements of a transaction whose later ones learn by PAYG_LOCKED_USERS which ones
/// it got. if_free leaves out the rows that somebody else has locked, so that one user's row holds up nobody
/// else; whatever else would be free by then may have changed since the statement began. in_line waits for
/// them all, and fails as unavailable after Ledger::in_line_wait.
std::vector<PostgresStatement> lock_users(const std::vector<std::int64_t>& users, Turn turn);
/// Read once for each statement; the coalesce makes an array of what ANY would take for a list of rows.
#define PAYG_LOCKED_USERS \
  "coalesce((SELECT string_to_array(current_setting('payg.locked_users'), ',')::bigint[]), '{}')"

}  // namespace payg::billing::postgres
