#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "billing/ledger/ledger.h"
#include "billing/ledger/write_turns.h"

namespace payg::billing {

/// One connection to one SQLite file, opened when it is first needed; only a migration makes one. WAL,
/// synchronous=FULL (https://www.sqlite.org/pragma.html#pragma_synchronous: in WAL mode only FULL keeps a
/// commit through a power cut), foreign keys on. One thread at a time.
class SqliteDatabase {
 public:
  explicit SqliteDatabase(std::string path) : path_(std::move(path)), turns_(WriteTurns::of(path_)) {}
  ~SqliteDatabase() { close(); }
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  /// False: there is no such file. Opens nothing.
  bool is_there() const;

 private:
  friend class SqliteTransaction;

  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
  };

  enum class IfMissing { refuse, create };
  std::optional<LedgerError> open(IfMissing if_missing);
  std::optional<LedgerError> configure();
  void close() noexcept;
  /// From the cache, or prepared; nullptr: last_error() says why.
  sqlite3_stmt* prepare(std::string_view sql);
  LedgerError last_error(std::string_view doing) const;

  std::string path_;
  const std::shared_ptr<WriteTurns> turns_;
  sqlite3* handle_ = nullptr;
  std::map<std::string, std::unique_ptr<sqlite3_stmt, Finalize>, std::less<>> statements_;
};

/// One transaction. What fails in it is kept: every later statement does nothing and commit() returns the
/// first error, so that a caller need not look after each statement. Rolls back unless committed.
class SqliteTransaction {
 public:
  enum class Kind {
    read,       ///< one snapshot, takes no lock
    write,      ///< one at a time; readers go on
    exclusive,  ///< for the schema; makes the file, and its folder, where they are missing
  };
  SqliteTransaction(SqliteDatabase& database, Kind kind);
  ~SqliteTransaction();
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;

  /// The rows of a SELECT, one after the other. Lives shorter than its transaction; the same SQL is not
  /// selected again while it lives.
  class Rows {
   public:
    Rows(SqliteTransaction& transaction, sqlite3_stmt* statement)
        : transaction_(transaction), statement_(statement) {}
    ~Rows();
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;

    /// False: no more rows, or the transaction has failed.
    bool next();
    std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
    bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
    Credits credits(int column) const { return Credits::from_units(integer(column)); }
    std::chrono::milliseconds milliseconds(int column) const {
      return std::chrono::milliseconds(integer(column));
    }
    std::optional<std::int64_t> maybe_integer(int column) const;
    std::string text(int column) const;

   private:
    SqliteTransaction& transaction_;
    sqlite3_stmt* statement_;  // nullptr: the transaction has failed
  };

  template <class... Values>
  Rows select(std::string_view sql, const Values&... values) {
    return Rows(*this, prepare(sql, values...));
  }
  /// Runs a statement that returns no rows. Returns the number of rows it changed; 0 when failed.
  template <class... Values>
  int execute(std::string_view sql, const Values&... values) {
    return finish(prepare(sql, values...));
  }
  /// Several statements without parameters, as a migration has them.
  void execute_script(const char* sql);

  bool failed() const noexcept { return error_.has_value(); }
  /// Our own refusal, or something unreadable in a row: makes the transaction fail.
  void fail(LedgerError error);
  /// REQUIRES: failed().
  const LedgerError& error() const { return *error_; }
  [[nodiscard]] LedgerResult<Done> commit();

 private:
  template <class... Values>
  sqlite3_stmt* prepare(std::string_view sql, const Values&... values) {
    sqlite3_stmt* const statement = begin_statement(sql);
    if (statement == nullptr) return nullptr;
    int index = 0;
    (bind(statement, ++index, values), ...);
    return statement;
  }
  sqlite3_stmt* begin_statement(std::string_view sql);
  int finish(sqlite3_stmt* statement);
  void fail_with_last_error(std::string_view doing);

  void bind(sqlite3_stmt* statement, int index, std::int64_t value);
  void bind(sqlite3_stmt* statement, int index, std::string_view value);
  void bind(sqlite3_stmt* statement, int index, const TokenHash& value);
  void bind(sqlite3_stmt* statement, int index, const std::optional<std::int64_t>& value);

  SqliteDatabase& database_;
  std::optional<WriteTurns::Turn> turn_;  // of a writer, from before BEGIN until behind COMMIT
  std::optional<LedgerError> error_;
  bool open_ = false;
};

}  // namespace payg::billing
