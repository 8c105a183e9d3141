#include "billing/ledger/sqlite_ledger.h"

#include "billing/ledger/migration.h"

namespace payg::billing {

using Kind = SqliteTransaction::Kind;

LedgerResult<int> SqliteLedger::migrate() {
  SqliteTransaction transaction(database_, Kind::exclusive);
  transaction.execute(
      "CREATE TABLE IF NOT EXISTS schema_migrations ("
      " number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT");
  int found = 0;
  {
    auto rows = transaction.select("SELECT coalesce(max(number), 0) FROM schema_migrations");
    if (rows.next()) found = static_cast<int>(rows.integer(0));
  }
  if (transaction.failed()) return transaction.error();
  const auto missing = missing_migrations(sqlite_migrations(), found);
  if (!missing) return missing.error();
  for (const Migration& migration : *missing) {
    transaction.execute_script(migration.sql);
    transaction.execute(
        "INSERT INTO schema_migrations (number, name, applied_at)"
        " VALUES (?, ?, CAST(strftime('%s', 'now') AS INTEGER) * 1000)",
        std::int64_t{migration.number}, std::string_view(migration.name));
    found = migration.number;
  }
  if (auto done = transaction.commit(); !done) return done.error();
  return found;
}

LedgerResult<Done> SqliteLedger::ping() {
  SqliteTransaction transaction(database_, Kind::read);
  // Reads the file, which an empty transaction would not.
  {
    auto rows = transaction.select("SELECT count(*) FROM sqlite_schema");
    rows.next();
  }
  return transaction.commit();
}

}  // namespace payg::billing
