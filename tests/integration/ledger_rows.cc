#include "tests/integration/ledger_rows.h"

#include <libpq-fe.h>
#include <sqlite3.h>

#include <memory>

#include "tests/support/harness/patience.h"

namespace payg::test {
namespace {

constexpr std::string_view sqlite_prefix = "sqlite:";
constexpr int busy_timeout_ms = 10'000;

int keep_row(void* rows, int columns, char** fields, char**) {
  LedgerRows::Row row;
  for (int column = 0; column < columns; ++column)
    row.emplace_back(fields[column] == nullptr ? "" : fields[column]);
  static_cast<std::vector<LedgerRows::Row>*>(rows)->push_back(std::move(row));
  return 0;
}

std::vector<LedgerRows::Row> select_from_sqlite(const std::string& path, const std::string& sql) {
  sqlite3* opened = nullptr;
  const int status = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> database(opened, sqlite3_close);
  sqlite3_busy_timeout(opened, busy_timeout_ms);
  std::vector<LedgerRows::Row> rows;
  if (status != SQLITE_OK || sqlite3_exec(opened, sql.c_str(), keep_row, &rows, nullptr) != SQLITE_OK)
    throw HarnessError(sql + ": " + sqlite3_errmsg(opened));
  return rows;
}

std::vector<LedgerRows::Row> select_from_postgres(const std::string& url, const std::string& sql) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(url.c_str()), PQfinish);
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()), PQclear);
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK)
    throw HarnessError(sql + ": " + PQerrorMessage(connection.get()));
  std::vector<LedgerRows::Row> rows;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    rows.emplace_back();
    for (int column = 0; column < PQnfields(result.get()); ++column)
      rows.back().emplace_back(PQgetvalue(result.get(), row, column));
  }
  return rows;
}

}  // namespace

std::vector<LedgerRows::Row> LedgerRows::select(const std::string& sql) const {
  if (url_.starts_with(sqlite_prefix)) return select_from_sqlite(url_.substr(sqlite_prefix.size()), sql);
  return select_from_postgres(url_, sql);
}

std::int64_t LedgerRows::number(const std::string& sql) const {
  const auto rows = select(sql);
  return rows.empty() || rows[0].empty() || rows[0][0].empty() ? 0 : std::stoll(rows[0][0]);
}

}  // namespace payg::test
