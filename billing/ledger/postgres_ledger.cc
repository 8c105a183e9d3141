#include "billing/ledger/postgres_ledger.h"

#include "billing/ledger/migration.h"
#include "billing/ledger/postgres_rows.h"

namespace payg::billing {
namespace {

using Patience = PostgresConnection::Patience;

/// Any number that nobody else locks in this database: "payg" in ASCII.
constexpr std::int64_t migration_lock = 0x70617967;

constexpr const char* newest_migration = "SELECT coalesce(max(number), 0) FROM schema_migrations";

std::vector<PostgresStatement> begin_migration() {
  return {{"BEGIN ISOLATION LEVEL READ COMMITTED"},
          {PostgresConnection::limits_of(Patience::report)},
          {"SELECT pg_advisory_xact_lock($1)", parameters(migration_lock)},
          {"CREATE TABLE IF NOT EXISTS schema_migrations ("
           " number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)"},
          {newest_migration}};
}

PostgresStatement record(const Migration& migration) {
  return {
      "INSERT INTO schema_migrations (number, name, applied_at)"
      " VALUES ($1, $2, (extract(epoch FROM now()) * 1000)::bigint)",
      parameters(std::int64_t{migration.number}, std::string_view(migration.name))};
}

}  // namespace

PostgresStatement postgres::lock_users(const std::vector<std::int64_t>& users) {
  return {
      "SELECT count(*) FROM (SELECT FROM user_credits WHERE user_id = ANY ($1::bigint[])"
      "                      ORDER BY user_id FOR UPDATE) locked",
      parameters(users)};
}

PostgresStatement postgres::stand_in_line() {
  return {"SELECT set_config('lock_timeout', $1, true)", parameters(Ledger::in_line_wait.count())};
}

std::vector<PostgresStatement> postgres::lock_users(const std::vector<std::int64_t>& users, Turn turn) {
  if (turn == Turn::if_free)
    return {{PAYG_LOCK_AND_NOTE("= ANY ($1::bigint[])") " SKIP LOCKED) locked", parameters(users)}};
  return {stand_in_line(), {PAYG_LOCK_AND_NOTE("= ANY ($1::bigint[])") ") locked", parameters(users)}};
}

LedgerResult<int> PostgresLedger::migrate() {
  const auto begun = connection_.exchange(begin_migration(), Patience::report);
  if (!begun) return begun.error();
  int number = static_cast<int>(begun->back().integer(0, 0));
  const auto missing = missing_migrations(postgres_migrations(), number);
  if (!missing) {
    (void)connection_.exchange({{"ROLLBACK"}}, Patience::farewell);
    return missing.error();
  }
  for (const Migration& migration : *missing) {
    if (auto done = connection_.script(migration.sql, Patience::report); !done) return done.error();
    if (auto done = connection_.exchange({record(migration)}, Patience::call); !done) return done.error();
    number = migration.number;
  }
  if (auto done = connection_.exchange({{"COMMIT"}}, Patience::call); !done) return done.error();
  return number;
}

LedgerResult<int> PostgresLedger::schema() {
  // Others have a schema_migrations of their own, in other columns.
  const auto found = connection_.query(
      {"SELECT to_regclass('user_credits') IS NOT NULL AND to_regclass('schema_migrations') IS NOT NULL"});
  if (!found) return found.error();
  if (found->text(0, 0) != "t") return 0;
  const auto number = connection_.query({newest_migration});
  if (!number) return number.error();
  return static_cast<int>(number->integer(0, 0));
}

}  // namespace payg::billing
