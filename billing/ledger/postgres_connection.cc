#include "billing/ledger/postgres_connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "plugin/base/text.h"

namespace payg::billing {
namespace {

/// Times a transaction is tried when others stood in its way.
constexpr int attempts = 5;
constexpr std::chrono::seconds connect_limit{3};  // for each host of the URL
// Longer than the server may take by limits_of() for two statements, one that locks and one that does what
// the transaction is for.
constexpr std::chrono::milliseconds call_silence = Ledger::longest_silence - connect_limit;
// Of a call that spent the rest on connecting, which takes longer than connect_limit says where a name has
// many addresses or the URL a limit of its own.
constexpr std::chrono::milliseconds least_silence = connect_limit;
static_assert(connect_limit * PostgresHosts::most_asked < Ledger::longest_silence,
              "who gets no connection, or one to the last of them, has not waited for longer");
constexpr std::chrono::milliseconds report_silence = std::chrono::minutes(20);
constexpr std::chrono::milliseconds farewell_silence = std::chrono::seconds(1);

void ignore_notice(void*, const char*) {}

/// libpq ends its messages with a line break, and a log entry is one line.
std::string one_line(std::string_view message) {
  std::string line(message);
  std::replace(line.begin(), line.end(), '\n', ' ');
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

/// https://www.postgresql.org/docs/15/errcodes-appendix.html
LedgerError::Code code_of(std::string_view sqlstate) {
  if (sqlstate == "23505") return LedgerError::Code::conflict;  // unique_violation
  for (const std::string_view away : {"08", "40", "53", "55", "57", "58", "25006"}) {
    // Connection, rollback, resources, object in use, operator intervention, system error; read-only: the
    // server that we were talking to has become a standby.
    if (sqlstate.starts_with(away)) return LedgerError::Code::unavailable;
  }
  // Data exceptions: out of range, or text that is not UTF-8.
  if (sqlstate.starts_with("22")) return LedgerError::Code::invalid;
  return LedgerError::Code::broken;
}

constexpr std::string_view lock_not_available = "55P03";

/// deadlock_detected, serialization_failure
bool is_collision(std::string_view sqlstate) {
  return sqlstate == "40P01" || sqlstate == "40001";
}

/// What a connection says that was in nobody's use when its server went away: shut down, crashed, or became a
/// standby.
bool is_farewell(std::string_view sqlstate) {
  return sqlstate.starts_with("57P0") || sqlstate.starts_with("08") || sqlstate == "25006";
}

}  // namespace

const char* PostgresConnection::limits_of(Patience patience) noexcept {
  return patience == Patience::call
             ? "SELECT set_config('lock_timeout', '2s', true), set_config('statement_timeout', '8s', true)"
             : "SELECT set_config('lock_timeout', '9min', true), set_config('statement_timeout', '9min', "
               "true)";
}

PostgresParameters& PostgresParameters::add(std::int64_t value) {
  values_.emplace_back(std::to_string(value));
  return *this;
}

PostgresParameters& PostgresParameters::add(std::string_view value) {
  values_.emplace_back(std::string(value));
  return *this;
}

PostgresParameters& PostgresParameters::add(const TokenHash& value) {
  values_.emplace_back("\\x" + to_hex(value.data(), value.size()));
  return *this;
}

PostgresParameters& PostgresParameters::add(const std::vector<std::int64_t>& values) {
  std::string array = "{";
  for (const std::int64_t value : values) {
    if (array.size() > 1) array += ',';
    array += std::to_string(value);
  }
  values_.emplace_back(array + "}");
  return *this;
}

PostgresParameters& PostgresParameters::add(const std::vector<std::string>& values) {
  std::string array = "{";
  for (const std::string& value : values) {
    if (array.size() > 1) array += ',';
    array += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') array += '\\';
      array += c;
    }
    array += '"';
  }
  values_.emplace_back(array + "}");
  return *this;
}

PostgresParameters& PostgresParameters::add_null() {
  values_.emplace_back(std::nullopt);
  return *this;
}

void PostgresRows::Clear::operator()(pg_result* result) const noexcept {
  PQclear(result);
}
void PostgresConnection::Finish::operator()(pg_conn* connection) const noexcept {
  PQfinish(connection);
}

int PostgresRows::count() const noexcept {
  return PQntuples(result_.get());
}

bool PostgresRows::is_null(int row, int column) const noexcept {
  return PQgetisnull(result_.get(), row, column) != 0;
}

std::int64_t PostgresRows::integer(int row, int column) const noexcept {
  const char* const text = PQgetvalue(result_.get(), row, column);
  std::int64_t value = 0;
  std::from_chars(text, text + std::strlen(text), value);
  return value;
}

std::string PostgresRows::text(int row, int column) const {
  return std::string(PQgetvalue(result_.get(), row, column),
                     static_cast<std::size_t>(PQgetlength(result_.get(), row, column)));
}

LedgerResult<std::vector<PostgresRows>> PostgresConnection::transact(
    std::vector<PostgresStatement> statements, Isolation isolation, Patience patience) {
  const char* const begin = isolation == Isolation::snapshot
                                ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                                : "BEGIN ISOLATION LEVEL READ COMMITTED";
  statements.insert(statements.begin(), {{begin}, {limits_of(patience)}});
  statements.push_back({"COMMIT"});
  for (int attempt = 1;; ++attempt) {
    const bool is_reused = is_connected() && !is_doubtful();
    auto results = run(statements, patience);
    if (results) {
      // The caller asked for neither BEGIN and its limits nor COMMIT.
      results->erase(results->begin(), results->begin() + 2);
      results->pop_back();
      return std::move(*results);
    }
    const Failure::Retry retry = results.error().retry;
    const bool again =
        retry == Failure::Retry::at_once || (retry == Failure::Retry::on_a_new_connection && is_reused);
    if (!again || attempt == attempts) return results.error().error;
  }
}

LedgerResult<PostgresRows> PostgresConnection::query(PostgresStatement statement) {
  auto results = transact({std::move(statement)});
  if (!results) return results.error();
  return std::move(results->front());
}

LedgerResult<std::vector<PostgresRows>> PostgresConnection::exchange(
    const std::vector<PostgresStatement>& statements, Patience patience) {
  auto results = run(statements, patience);
  if (!results) return results.error().error;
  return std::move(*results);
}

LedgerResult<Done> PostgresConnection::script(const char* sql, Patience patience) {
  if (!connection_) return lost().error;
  if (PQsendQuery(connection_.get(), sql) != 1) return lost().error;
  if (auto failure = flush(patience)) return failure->error;
  std::optional<LedgerError> error;
  for (;;) {
    const auto result = next_result(patience);
    if (!result) return lost().error;
    if (*result == nullptr) break;
    const PostgresRows owner(*result);
    if (PQresultStatus(*result) == PGRES_FATAL_ERROR) {
      error = LedgerError{LedgerError::Code::broken, one_line(PQresultErrorMessage(*result))};
    }
  }
  if (!error) return Done{};
  roll_back();
  return *error;
}

PostgresConnection::Results PostgresConnection::run(const std::vector<PostgresStatement>& statements,
                                                    Patience patience) {
  waited_in_vain_ = false;
  if (auto failure = connect()) return *failure;
  auto results = send_and_collect(statements, patience);
  if (results) return results;
  roll_back();
  // A server that is shutting down, or has become a standby, is not asked again on the same connection. One
  // that gave up a statement which took too long, or met a lock, is.
  if (results.error().retry == Failure::Retry::on_a_new_connection) connection_.reset();
  return results;
}

PostgresConnection::Results PostgresConnection::send_and_collect(
    const std::vector<PostgresStatement>& statements, Patience patience) {
  pg_conn* const connection = connection_.get();
  if (PQenterPipelineMode(connection) != 1) return lost();
  for (const PostgresStatement& statement : statements) {
    std::vector<const char*> values;
    for (const auto& value : statement.parameters.values())
      values.push_back(value ? value->c_str() : nullptr);
    // Unnamed statements: a prepared one would belong to a database session, which a pooler gives to others.
    if (PQsendQueryParams(connection, statement.sql, static_cast<int>(values.size()), nullptr, values.data(),
                          nullptr, nullptr, 0) != 1) {
      return lost();
    }
  }
  if (PQpipelineSync(connection) != 1) return lost();
  if (auto failure = flush(patience)) return *failure;
  std::vector<PostgresRows> rows;
  if (auto failure = collect(rows, patience)) return *failure;
  if (PQexitPipelineMode(connection) != 1 || rows.size() != statements.size()) return lost();
  return rows;
}

std::optional<PostgresConnection::Failure> PostgresConnection::collect(std::vector<PostgresRows>& rows,
                                                                       Patience patience) {
  std::optional<Failure> failure;
  for (;;) {
    const auto result = next_result(patience);
    if (!result) return lost();
    if (*result == nullptr) continue;
    PostgresRows owned(*result);
    switch (PQresultStatus(*result)) {
      case PGRES_TUPLES_OK:
      case PGRES_COMMAND_OK: rows.push_back(std::move(owned)); break;
      case PGRES_PIPELINE_ABORTED: break;  // a statement behind the one that failed
      case PGRES_PIPELINE_SYNC:
        if (failure) PQexitPipelineMode(connection_.get());
        return failure;
      default: {
        const char* const field = PQresultErrorField(*result, PG_DIAG_SQLSTATE);
        const std::string_view sqlstate = field == nullptr ? "08000" : field;
        failure =
            Failure{{code_of(sqlstate), one_line(PQresultErrorMessage(*result))}, Failure::Retry::never};
        waited_in_vain_ = sqlstate == lock_not_available;
        if (is_collision(sqlstate)) failure->retry = Failure::Retry::at_once;
        if (is_farewell(sqlstate)) failure->retry = Failure::Retry::on_a_new_connection;
      }
    }
  }
}

bool PostgresConnection::is_connected() const {
  return connection_ && PQstatus(connection_.get()) == CONNECTION_OK;
}

/// Another connection has met silence since this one was made, and nothing is under way on it.
bool PostgresConnection::is_doubtful() const {
  return silences_before_ != hosts_->silences() && PQtransactionStatus(connection_.get()) == PQTRANS_IDLE;
}

std::optional<PostgresConnection::Failure> PostgresConnection::connect() {
  is_silent_ = false;
  spent_ = {};
  if (is_connected() && !is_doubtful()) return std::nullopt;
  silences_before_ = hosts_->silences();
  // What stands before dbname gives way to what the URL itself says, and that to what stands behind it.
  // Without these limits a host that vanished would be noticed after minutes.
  constexpr std::array keywords = {"connect_timeout",
                                   "tcp_user_timeout",
                                   "keepalives_idle",
                                   "keepalives_interval",
                                   "keepalives_count",
                                   "client_encoding",
                                   "dbname",
                                   "host",
                                   "hostaddr",
                                   "port",
                                   "fallback_application_name",
                                   static_cast<const char*>(nullptr)};
  const std::string connect_timeout = std::to_string(connect_limit.count());
  const PostgresHosts::Order order = hosts_->order();
  const MonotonicTime asked_at = clock_.now();
  const std::array values = {connect_timeout.c_str(),
                             "5000",
                             "5",
                             "2",
                             "3",
                             "UTF8",
                             hosts_->url().c_str(),
                             order.hosts.c_str(),  // what is empty counts as not said
                             order.addresses.c_str(),
                             order.ports.c_str(),
                             "payg-proxy",
                             static_cast<const char*>(nullptr)};
  connection_.reset(PQconnectdbParams(keywords.data(), values.data(), 1));
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    hosts_->note_all_away(order);
    return lost();
  }
  PQsetNoticeProcessor(connection_.get(), ignore_notice, nullptr);
  if (PQsetnonblocking(connection_.get(), 1) != 0) return lost();
  hosts_->note_connected(PQhost(connection_.get()), PQport(connection_.get()));
  spent_ = clock_.now() - asked_at;
  return std::nullopt;
}

std::optional<PostgresConnection::Failure> PostgresConnection::flush(Patience patience) {
  for (;;) {
    const int left = PQflush(connection_.get());
    if (left == 0) return std::nullopt;
    if (left < 0) return lost();
    // Reading as well, or both sides could wait for each other to read.
    const Readiness ready = wait(POLLIN | POLLOUT, patience);
    if (ready == Readiness::silent) return lost();
    if (ready == Readiness::input && PQconsumeInput(connection_.get()) != 1) return lost();
  }
}

std::optional<pg_result*> PostgresConnection::next_result(Patience patience) {
  while (PQisBusy(connection_.get()) != 0) {
    if (wait(POLLIN, patience) == Readiness::silent) return std::nullopt;
    if (PQconsumeInput(connection_.get()) != 1) return std::nullopt;
  }
  pg_result* const result = PQgetResult(connection_.get());
  if (result == nullptr && PQstatus(connection_.get()) != CONNECTION_OK) return std::nullopt;
  return result;
}

PostgresConnection::Readiness PostgresConnection::wait(short events, Patience patience) {
  pollfd descriptor{.fd = PQsocket(connection_.get()), .events = events, .revents = 0};
  const auto limit = silence_of(patience);
  int ready = 0;
  do {
    ready = poll(&descriptor, 1, static_cast<int>(limit.count()));
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) {
    is_silent_ = patience != Patience::farewell;
    return Readiness::silent;
  }
  return (descriptor.revents & (POLLIN | POLLERR | POLLHUP)) != 0 ? Readiness::input : Readiness::output;
}

std::chrono::milliseconds PostgresConnection::silence_of(Patience patience) const {
  switch (patience) {
    case Patience::report: return report_silence;
    case Patience::farewell: return farewell_silence;
    case Patience::call: break;
  }
  const auto left = std::chrono::floor<std::chrono::milliseconds>(Ledger::longest_silence - spent_);
  return std::clamp(left, least_silence, call_silence);
}

void PostgresConnection::roll_back() {
  if (!connection_) return;
  const PGTransactionStatusType status = PQtransactionStatus(connection_.get());
  if (status == PQTRANS_IDLE) return;
  const bool clean = (status == PQTRANS_INERROR || status == PQTRANS_INTRANS) &&
                     send_and_collect({{"ROLLBACK"}}, Patience::farewell).ok();
  if (!clean) connection_.reset();
}

PostgresConnection::Failure PostgresConnection::lost() {
  std::string why = connection_ ? one_line(PQerrorMessage(connection_.get())) : std::string("no connection");
  if (why.empty()) why = "the database does not answer";
  if (connection_ && is_silent_) hosts_->note_silent(PQhost(connection_.get()), PQport(connection_.get()));
  connection_.reset();
  return {{LedgerError::Code::unavailable, std::move(why)},
          is_silent_ ? Failure::Retry::never : Failure::Retry::on_a_new_connection};
}

}  // namespace payg::billing
