#include "billing/ledger/sqlite_ledger.h"

#include "billing/ledger/migration.h"

namespace payg::billing {

using Kind = SqliteTransaction::Kind;

namespace {

int newest_migration(SqliteTransaction& transaction) {
  auto rows = transaction.select("SELECT coalesce(max(number), 0) FROM schema_migrations");
  return rows.next() ? static_cast<int>(rows.integer(0)) : 0;
}

}  // namespace

LedgerResult<int> SqliteLedger::migrate() {
  SqliteTransaction transaction(database_, Kind::exclusive);
  transaction.execute(
      "CREATE TABLE IF NOT EXISTS schema_migrations ("
      " number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT");
  int found = newest_migration(transaction);
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

LedgerResult<int> SqliteLedger::schema() {
  if (!database_.is_there()) return 0;
  SqliteTransaction transaction(database_, Kind::read);
  bool was_migrated = false;
  {
    // Others have a schema_migrations of their own, in other columns.
    auto rows = transaction.select(
        "SELECT count(*) FROM sqlite_schema WHERE name IN ('user_credits', 'schema_migrations')");
    was_migrated = rows.next() && rows.integer(0) == 2;
  }
  const int number = was_migrated ? newest_migration(transaction) : 0;
  if (auto done = transaction.commit(); !done) return done.error();
  return number;
}

}  // namespace payg::billing
