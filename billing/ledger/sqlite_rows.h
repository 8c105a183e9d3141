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

}  // namespace payg::billing::sqlite
