#pragma once

#include "billing/ledger/ledger_rules.h"
#include "billing/ledger/sqlite_database.h"

namespace payg::billing::sqlite {

// How rows become values, shared by the parts of SqliteLedger. A row that cannot be makes the transaction
// fail.

/// Columns of a user, for SELECTs whose first columns are these.
#define PAYG_USER_COLUMNS                                             \
  "u.user_id, u.name, u.email, u.state, u.token_hash, u.created_at, " \
  "u.default_country, u.default_state, u.default_city, u.default_isp"
inline constexpr int user_columns = 10;
User read_user(SqliteTransaction& transaction, const SqliteTransaction::Rows& row);

/// For changed_at: the time given, or the next number that nobody has yet. Writers come one after the other,
/// so these numbers rise in the order in which the changes become visible, whatever clocks do.
#define PAYG_NEXT_CHANGE "max(?, (SELECT coalesce(max(changed_at), 0) + 1 FROM users))"

/// What users have listed, for SELECTs that end in a WHERE of theirs and PAYG_NETWORKS_IN_ORDER; also a user
/// who has listed nothing is a row.
#define PAYG_NETWORKS                                                                                        \
  "SELECT u.user_id, u.name, u.changed_at, coalesce(a.network, ''), coalesce(a.added_at, 0), a.confirmed_at" \
  " FROM users u LEFT JOIN user_addresses a ON a.user_id = u.user_id "
#define PAYG_NETWORKS_IN_ORDER " ORDER BY u.user_id"
std::vector<NetworkList> read_networks(SqliteTransaction& transaction, SqliteTransaction::Rows& rows);

/// Balance, or nullopt: no such user (or the transaction has failed).
std::optional<Credits> read_balance(SqliteTransaction& transaction, UserId user);
std::optional<Standing> read_standing(SqliteTransaction& transaction, const SqliteTransaction::Rows& row);

/// One row of credit_transactions that is about to be written.
struct NewTransaction {
  UserId user;
  TransactionType type;
  Credits amount;
  std::string_view reference;
  std::string_view note = {};
  std::chrono::milliseconds time{0};
  WallTime at{};
};
/// Appends; returns its id.
std::int64_t append(SqliteTransaction& transaction, const NewTransaction& entry);
Transaction read_transaction(SqliteTransaction& transaction, const SqliteTransaction::Rows& row);

/// A session, for SELECTs that begin with PAYG_SESSION.
#define PAYG_SESSION                                                                             \
  "SELECT s.user_id, u.name, s.session_id, s.node, s.label, s.exit, s.started_at, s.paid_until," \
  " s.charge_number, s.charged, s.granted, s.ended_at, coalesce(s.why, '')"                      \
  " FROM metered_sessions s JOIN users u ON u.user_id = s.user_id"
SessionRow read_session(const SqliteTransaction::Rows& row);

/// What a session was charged and its user's history does not show yet.
struct Unposted {
  UserId user;
  SessionId session;
  std::int64_t number = 0;
  Credits amount;
  std::chrono::milliseconds time{0};
};
/// Reads rows of PAYG_UNPOSTED.
#define PAYG_UNPOSTED                                                                           \
  "SELECT user_id, session_id, charge_number, charged - posted, granted - granted_posted FROM " \
  "metered_sessions "
Unposted read_unposted(const SqliteTransaction::Rows& row);
/// Ends a session that is open and posts what it owes the history.
void end_session(SqliteTransaction& transaction, const Unposted& due, const EndRequest& request);

}  // namespace payg::billing::sqlite
