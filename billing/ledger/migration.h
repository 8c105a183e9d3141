#pragma once

#include <span>

#include "billing/ledger/ledger.h"

namespace payg::billing {

/// One numbered step of the schema: migrations/<engine>/<name>.sql, embedded when the program is built.
struct Migration {
  int number;
  const char* name;
  const char* sql;
};

/// In the order of their numbers, which are 1, 2, 3 …
std::span<const Migration> sqlite_migrations() noexcept;
std::span<const Migration> postgres_migrations() noexcept;

/// What a database at schema `found` still needs. `broken` when the database is newer than this program: it
/// may hold what this program does not understand.
LedgerResult<std::span<const Migration>> missing_migrations(std::span<const Migration> known, int found);

}  // namespace payg::billing
