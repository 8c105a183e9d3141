#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "billing/ledger/ledger.h"
#include "billing/ledger/postgres_hosts.h"
#include "plugin/base/clock.h"

struct pg_conn;
struct pg_result;

namespace payg::billing {

/// Parameters of one statement, $1 first, in text form; arrays in PostgreSQL's array syntax
/// (https://www.postgresql.org/docs/15/arrays.html#ARRAYS-IO).
class PostgresParameters {
 public:
  PostgresParameters& add(std::int64_t value);
  PostgresParameters& add(std::string_view value);
  PostgresParameters& add(const TokenHash& value);
  PostgresParameters& add(const std::vector<std::int64_t>& values);
  PostgresParameters& add(const std::vector<std::string>& values);
  PostgresParameters& add_null();

  const std::vector<std::optional<std::string>>& values() const noexcept { return values_; }

 private:
  std::vector<std::optional<std::string>> values_;
};

/// All of them, in order.
template <class... Values>
PostgresParameters parameters(const Values&... values) {
  PostgresParameters all;
  (all.add(values), ...);
  return all;
}

struct PostgresStatement {
  const char* sql;
  PostgresParameters parameters = {};
};

/// What one statement returned. REQUIRES of every reader: row and column exist and hold that type, which our
/// own SQL sees to.
class PostgresRows {
 public:
  explicit PostgresRows(pg_result* result) noexcept : result_(result) {}

  int count() const noexcept;
  bool empty() const noexcept { return count() == 0; }
  bool is_null(int row, int column) const noexcept;
  std::int64_t integer(int row, int column) const noexcept;
  std::string text(int row, int column) const;
  Credits credits(int row, int column) const noexcept { return Credits::from_units(integer(row, column)); }
  std::chrono::milliseconds milliseconds(int row, int column) const noexcept {
    return std::chrono::milliseconds(integer(row, column));
  }

 private:
  struct Clear {
    void operator()(pg_result* result) const noexcept;
  };
  std::unique_ptr<pg_result, Clear> result_;
};

/// One connection to PostgreSQL, opened when it is first needed and again after it was lost. Statements
/// travel in libpq's pipeline mode (https://www.postgresql.org/docs/15/libpq-pipeline-mode.html): all of them
/// leave at once, so a transaction of several is one round trip. One thread at a time.
class PostgresConnection {
 public:
  enum class Isolation {
    read_committed,  ///< every statement sees what was committed before it began
    snapshot,        ///< all statements see the same moment; reads only
  };
  /// How long the server may be silent, each time that we wait for it to speak, before it counts as lost.
  enum class Patience {
    call,    ///< somebody's session waits for it
    report,  ///< reads everything, or waits for another node's migration
    /// Gives up what has failed already, which takes a server that speaks no time: nobody waits for one that
    /// has fallen silent meanwhile, and the connection is dropped. So short a silence says nothing of the
    /// server: other connections to it stay.
    farewell,
  };

  /// `clock` outlives it, and tells how long connecting took.
  PostgresConnection(std::shared_ptr<PostgresHosts> hosts, const Clock& clock)
      : hosts_(std::move(hosts)), clock_(clock) {}

  /// Runs the statements as one transaction; one result for each. Deadlocks and serialization failures are
  /// tried again inside, and so is, once and on a new connection, what met a connection that was lost while
  /// nobody used it: every write of a Ledger may be sent again.
  ///
  /// The server gives up one statement that waits or works for too long (limits_of) before we give up the
  /// server, so that it does not go on behind our back. Two things still may, and be done after all when the
  /// call has answered `unavailable`: a COMMIT that waits for a synchronous standby, which is under no limit
  /// of the server's; and many statements that are slow, each within its limits, since the server may say
  /// nothing before the last of them. Where it does speak in between, the call takes as long as all of them.
  LedgerResult<std::vector<PostgresRows>> transact(std::vector<PostgresStatement> statements,
                                                   Isolation isolation = Isolation::read_committed,
                                                   Patience patience = Patience::call);
  /// The same for one statement.
  LedgerResult<PostgresRows> query(PostgresStatement statement);
  /// The last transaction was given up, and rolled back, because somebody else held a lock for too long.
  bool waited_in_vain() const noexcept { return waited_in_vain_; }

  /// How long statements may wait for locks and run, for one transaction: a database session may be shared
  /// through a pooler.
  static const char* limits_of(Patience patience) noexcept;

  /// As they stand, with no transaction around them but their own BEGIN; for the migration. After an error
  /// nothing of an open transaction is left.
  LedgerResult<std::vector<PostgresRows>> exchange(const std::vector<PostgresStatement>& statements,
                                                   Patience patience);
  /// Several statements in one text, inside a transaction that exchange() began.
  LedgerResult<Done> script(const char* sql, Patience patience);

 private:
  struct Failure {
    enum class Retry { never, at_once, on_a_new_connection };
    LedgerError error;
    Retry retry = Retry::never;
  };
  using Results = Result<std::vector<PostgresRows>, Failure>;

  Results run(const std::vector<PostgresStatement>& statements, Patience patience);
  Results send_and_collect(const std::vector<PostgresStatement>& statements, Patience patience);
  std::optional<Failure> collect(std::vector<PostgresRows>& rows, Patience patience);
  std::optional<Failure> connect();
  std::optional<Failure> flush(Patience patience);
  bool is_connected() const;
  bool is_doubtful() const;
  /// The next result, nullptr between two statements, or nullopt when the connection is lost or silent.
  std::optional<pg_result*> next_result(Patience patience);
  enum class Readiness { input, output, silent };
  Readiness wait(short events, Patience patience);
  /// How long wait() waits.
  std::chrono::milliseconds silence_of(Patience patience) const;
  void roll_back();
  /// Gives the connection up.
  Failure lost();
  bool waited_in_vain_ = false;
  MonotonicTime::duration spent_{0};  ///< of the call's patience, on connecting
  /// It was given up because the server said nothing for as long as a call may take, not because it was cut.
  bool is_silent_ = false;

  struct Finish {
    void operator()(pg_conn* connection) const noexcept;
  };
  const std::shared_ptr<PostgresHosts> hosts_;
  const Clock& clock_;
  unsigned silences_before_ = 0;  ///< of any connection, when this one was made
  std::unique_ptr<pg_conn, Finish> connection_;
};

}  // namespace payg::billing
