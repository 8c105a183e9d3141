#include "tests/support/postgres_lock.h"

#include <libpq-fe.h>

#include <stdexcept>

namespace payg::test {

std::string locking_row(const std::string& table, std::uint64_t user_id) {
  return "SELECT FROM " + table + " WHERE user_id = " + std::to_string(user_id) + " FOR UPDATE";
}

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

PostgresCrowd::PostgresCrowd(const std::string& url, const std::string& statement) {
  std::latch all_are_here(static_cast<std::ptrdiff_t>(writers_.size()));
  for (std::thread& writer : writers_)
    writer = std::thread([&, url, statement] { take_turns(url, statement, all_are_here); });
  all_are_here.wait();
}

PostgresCrowd::~PostgresCrowd() {
  leaving_ = true;
  for (std::thread& writer : writers_) writer.join();
}

void PostgresCrowd::take_turns(const std::string& url, const std::string& statement,
                               std::latch& all_are_here) {
  const std::unique_ptr<pg_conn, decltype(&PQfinish)> connection(PQconnectdb(url.c_str()), PQfinish);
  // One text, so that nothing of a turn waits for the client.
  const std::string turn = "BEGIN; " + statement + "; SELECT pg_sleep(0.002); COMMIT";
  PQclear(PQexec(connection.get(), turn.c_str()));
  all_are_here.count_down();
  while (!leaving_) PQclear(PQexec(connection.get(), turn.c_str()));
}

}  // namespace payg::test
