#include "billing/ledger/sqlite_database.h"

#include <filesystem>

namespace payg::billing {
namespace {

/// Another process writes for milliseconds; who waits longer than this has a problem worth hearing about.
constexpr int busy_timeout_ms = 5000;
constexpr int busy_retry_ms = 1;
constexpr int busy_pause_ms = 10;

LedgerError::Code code_of(int extended) {
  switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_NOMEM:
    case SQLITE_INTERRUPT:
    case SQLITE_PROTOCOL: return LedgerError::Code::unavailable;
    default: return LedgerError::Code::broken;
  }
}

/// Another process writes: its transactions are short, so the pauses are too. SQLite's own handler pauses for
/// up to 100 ms, in which a charge would wait for nothing (https://www.sqlite.org/c3ref/busy_handler.html).
int on_busy(void*, int calls) noexcept {
  if (calls * busy_retry_ms >= busy_timeout_ms) return 0;
  sqlite3_sleep(busy_retry_ms);
  return 1;
}

}  // namespace

bool SqliteDatabase::is_there() const {
  // What cannot be looked into is there, as far as anybody can say: opening it says what is wrong.
  std::error_code ignored;
  return std::filesystem::status(path_, ignored).type() != std::filesystem::file_type::not_found;
}

std::optional<LedgerError> SqliteDatabase::open(IfMissing if_missing) {
  if (handle_ != nullptr) return std::nullopt;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
  if (if_missing == IfMissing::create) {
    // One that cannot be made shows as SQLITE_CANTOPEN below.
    std::error_code ignored;
    const auto folder = std::filesystem::path(path_).parent_path();
    if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
    flags |= SQLITE_OPEN_CREATE;
  } else if (!is_there()) {
    return LedgerError{LedgerError::Code::unavailable, path_ + ": there is no such file, so no ledger yet"};
  }
  const int opened = sqlite3_open_v2(path_.c_str(), &handle_, flags, nullptr);
  auto error = opened == SQLITE_OK ? configure() : last_error("open");
  if (error) close();
  return error;
}

std::optional<LedgerError> SqliteDatabase::configure() {
  sqlite3_extended_result_codes(handle_, 1);
  sqlite3_busy_handler(handle_, on_busy, nullptr);
  // Changing to WAL asks for the whole file and does not wait for it by itself when several processes make
  // the file at once.
  int waited_ms = 0;
  while (sqlite3_exec(handle_, "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr) != SQLITE_OK) {
    const bool busy = (sqlite3_errcode(handle_) & 0xff) == SQLITE_BUSY;
    if (!busy || waited_ms >= busy_timeout_ms) return last_error("journal_mode");
    waited_ms += busy_pause_ms;
    sqlite3_sleep(busy_pause_ms);
  }
  constexpr auto settings = "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON";
  if (sqlite3_exec(handle_, settings, nullptr, nullptr, nullptr) != SQLITE_OK) return last_error("settings");
  return std::nullopt;
}

void SqliteDatabase::close() noexcept {
  statements_.clear();
  sqlite3_close_v2(std::exchange(handle_, nullptr));
}

sqlite3_stmt* SqliteDatabase::prepare(std::string_view sql) {
  if (const auto found = statements_.find(sql); found != statements_.end()) return found->second.get();
  sqlite3_stmt* statement = nullptr;
  const int length = static_cast<int>(sql.size());
  if (sqlite3_prepare_v3(handle_, sql.data(), length, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
      SQLITE_OK) {
    return nullptr;
  }
  statements_.emplace(std::string(sql), statement);
  return statement;
}

LedgerError SqliteDatabase::last_error(std::string_view doing) const {
  const int code = handle_ == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(handle_);
  const char* const why = handle_ == nullptr ? "out of memory" : sqlite3_errmsg(handle_);
  return {code_of(code), path_ + ": " + std::string(doing) + ": " + why};
}

SqliteTransaction::SqliteTransaction(SqliteDatabase& database, Kind kind) : database_(database) {
  if (kind != Kind::read) turn_.emplace(*database_.turns_);
  using IfMissing = SqliteDatabase::IfMissing;
  error_ = database_.open(kind == Kind::exclusive ? IfMissing::create : IfMissing::refuse);
  switch (kind) {
    case Kind::read: execute("BEGIN"); break;
    case Kind::write: execute("BEGIN IMMEDIATE"); break;
    case Kind::exclusive: execute("BEGIN EXCLUSIVE"); break;
  }
  open_ = !failed();
}

SqliteTransaction::~SqliteTransaction() {
  if (open_) sqlite3_exec(database_.handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  // After a failed read or write of the file the next call starts from a new handle. SQLITE_BUSY, which is
  // `unavailable` as well, loses nothing by it.
  if (failed() &&
      (error_->code == LedgerError::Code::unavailable || error_->code == LedgerError::Code::broken)) {
    database_.close();
  }
}

void SqliteTransaction::execute_script(const char* sql) {
  if (failed()) return;
  if (sqlite3_exec(database_.handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    fail_with_last_error("script");
}

void SqliteTransaction::fail(LedgerError error) {
  if (!failed()) error_ = std::move(error);
}

void SqliteTransaction::fail_with_last_error(std::string_view doing) {
  fail(database_.last_error(doing));
}

LedgerResult<Done> SqliteTransaction::commit() {
  if (!failed()) execute("COMMIT");
  if (failed()) return *error_;
  open_ = false;
  return Done{};
}

sqlite3_stmt* SqliteTransaction::begin_statement(std::string_view sql) {
  if (failed()) return nullptr;
  sqlite3_stmt* const statement = database_.prepare(sql);
  if (statement == nullptr) fail_with_last_error("prepare");
  return statement;
}

int SqliteTransaction::finish(sqlite3_stmt* statement) {
  if (statement == nullptr) return 0;
  const int stepped = sqlite3_step(statement);
  if (stepped != SQLITE_DONE && stepped != SQLITE_ROW) fail_with_last_error("run");
  const int changed = failed() ? 0 : sqlite3_changes(database_.handle_);
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  return changed;
}

void SqliteTransaction::bind(sqlite3_stmt* statement, int index, std::int64_t value) {
  if (sqlite3_bind_int64(statement, index, value) != SQLITE_OK) fail_with_last_error("bind");
}

void SqliteTransaction::bind(sqlite3_stmt* statement, int index, std::string_view value) {
  // Without data, sqlite would bind NULL.
  const char* const data = value.empty() ? "" : value.data();
  const int length = static_cast<int>(value.size());
  if (sqlite3_bind_text(statement, index, data, length, SQLITE_TRANSIENT) != SQLITE_OK)
    fail_with_last_error("bind");
}

void SqliteTransaction::bind(sqlite3_stmt* statement, int index, const TokenHash& value) {
  const int length = static_cast<int>(value.size());
  if (sqlite3_bind_blob(statement, index, value.data(), length, SQLITE_TRANSIENT) != SQLITE_OK) {
    fail_with_last_error("bind");
  }
}

void SqliteTransaction::bind(sqlite3_stmt* statement, int index, const std::optional<std::int64_t>& value) {
  if (value) {
    bind(statement, index, *value);
  } else if (sqlite3_bind_null(statement, index) != SQLITE_OK) {
    fail_with_last_error("bind");
  }
}

SqliteTransaction::Rows::~Rows() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

bool SqliteTransaction::Rows::next() {
  if (statement_ == nullptr || transaction_.failed()) return false;
  const int stepped = sqlite3_step(statement_);
  if (stepped == SQLITE_ROW) return true;
  if (stepped != SQLITE_DONE) transaction_.fail_with_last_error("run");
  return false;
}

std::optional<std::int64_t> SqliteTransaction::Rows::maybe_integer(int column) const {
  return is_null(column) ? std::nullopt : std::optional(integer(column));
}

std::string SqliteTransaction::Rows::text(int column) const {
  const auto* const data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return data == nullptr
             ? std::string()
             : std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

}  // namespace payg::billing
