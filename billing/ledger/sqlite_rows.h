#pragma once

#include "billing/ledger/ledger_rules.h"
#include "billing/ledger/sqlite_database.h"

namespace payg::billing::sqlite {

// How rows become values, shared by the parts of SqliteLedger. A row that cannot be makes the transaction
// fail.

/// Columns of a user, for SELECTs whose first columns are these.
#define PAYG_USER_COLUMNS "u.user_id, u.name, u.email, u.state, u.token_hash, u.created_at"
inline constexpr int user_columns = 6;
User read_user(SqliteTransaction& transaction, const SqliteTransaction::Rows& row);

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
