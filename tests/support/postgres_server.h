#pragma once

#include <string>

#include "plugin/base/unique_fd.h"

namespace payg::test {

/// A PostgreSQL of the test's own: in a temporary folder, on a Unix socket, started as an unprivileged user
/// when the tests run as root (initdb refuses root). It is stopped and its folder removed when this object
/// goes, and also when the test program dies in any way: a keeper process notices.
///
/// Every failure, also a PostgreSQL that is not installed, throws std::runtime_error and so fails the test.
class PostgresServer {
 public:
  enum class Listening {
    on_a_socket,
    on_a_port_too,  ///< of 127.0.0.1
  };
  struct Options {
    Listening listening = Listening::on_a_socket;
    std::string settings{};  ///< more lines for postgresql.conf
  };
  /// A copy that follows `primary`, which from then on commits nothing that its standby has not got
  /// (https://www.postgresql.org/docs/15/warm-standby.html#SYNCHRONOUS-REPLICATION).
  struct StandbyOf {
    const PostgresServer& primary;
  };

  PostgresServer() : PostgresServer(Options{}) {}
  explicit PostgresServer(Options options);
  explicit PostgresServer(StandbyOf what);
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  /// A connection URL of the maintenance database.
  const std::string& url() const noexcept { return url_; }
  /// "127.0.0.1:5432", as a URL names several. REQUIRES: on_a_port_too.
  std::string host_and_port() const { return "127.0.0.1:" + port_; }
  /// Runs SQL in one of its databases, as PostgresDatabase::run() does.
  std::string run(const std::string& database, const std::string& sql) const;

  /// As a crash would: no shutdown checkpoint, every connection cut. Returns when it is gone.
  void stop_immediately();
  /// SIGKILL for all its processes at once.
  void kill();
  /// Returns when it answers.
  void start();
  /// Makes a standby a server of its own. Returns when it takes writes.
  void promote();

  /// The server of this test program: the one that PAYG_TEST_POSTGRES names, else one that is started now and
  /// lives as long as the program. Returns its URL.
  static const std::string& shared_url();

 private:
  void prepare(Listening listening);
  void initialise(const std::string& settings);
  void copy(const PostgresServer& primary);
  void configure(const std::string& settings);
  void keep();

  std::string folder_;
  std::string port_ = "5432";
  std::string url_;
  UniqueFd port_is_taken_;  // bound and not listening, so that nobody else is given that port
  UniqueFd keeper_lifeline_;
  int keeper_ = -1;
};

/// A fresh, empty database of a server, dropped at the end.
class PostgresDatabase {
 public:
  PostgresDatabase() : PostgresDatabase(PostgresServer::shared_url()) {}
  explicit PostgresDatabase(const std::string& server_url);
  ~PostgresDatabase();
  PostgresDatabase(const PostgresDatabase&) = delete;
  PostgresDatabase& operator=(const PostgresDatabase&) = delete;

  const std::string& url() const noexcept { return url_; }
  /// Runs SQL (several statements are one transaction) and returns the first field of the last result, empty
  /// if there is none. Throws std::runtime_error when the database refuses.
  std::string run(const std::string& sql) const;
  /// How many statements wait for a lock in it.
  int waiting_for_locks() const;

 private:
  std::string server_url_;
  std::string name_;
  std::string url_;
};

}  // namespace payg::test
