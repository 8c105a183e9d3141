#include "tests/support/postgres_lock.h"

#include <libpq-fe.h>

#include <stdexcept>

namespace payg::test {

void PostgresLock::Finish::operator()(pg_conn* connection) const noexcept {
  PQfinish(connection);
}

PostgresLock::PostgresLock(const std::string& url, const std::string& statement)
    : connection_(PQconnectdb(url.c_str())) {
  run("BEGIN");
  run(statement);
}

PostgresLock::~PostgresLock() {
  // The server would notice a connection that was closed, but nobody would know when.
  PQclear(PQexec(connection_.get(), "ROLLBACK"));
}

void PostgresLock::run(const std::string& sql) {
  PGresult* const result = PQexec(connection_.get(), sql.c_str());
  const ExecStatusType status = PQresultStatus(result);
  PQclear(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
    throw std::runtime_error(sql + ": " + PQerrorMessage(connection_.get()));
}

}  // namespace payg::test
