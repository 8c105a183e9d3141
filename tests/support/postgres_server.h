#pragma once

#include <string>

#include "plugin/base/unique_fd.h"

namespace payg::test {

/// A PostgreSQL of the test's own: in a temporary folder, on a Unix socket only, started as an unprivileged
/// user when the tests run as root (initdb refuses root). It is stopped and its folder removed when this
/// object goes, and also when the test program dies in any way: a keeper process notices.
///
/// Every failure, also a PostgreSQL that is not installed, throws std::runtime_error and so fails the test.
class PostgresServer {
 public:
  PostgresServer();
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  /// A connection URL of the maintenance database.
  const std::string& url() const noexcept { return url_; }

  /// As a crash would: no shutdown checkpoint, every connection cut. Returns when it is gone.
  void stop_immediately();
  /// Returns when it answers.
  void start();

  /// The server of this test program: the one that PAYG_TEST_POSTGRES names, else one that is started now and
  /// lives as long as the program. Returns its URL.
  static const std::string& shared_url();

 private:
  void initialise();
  void keep();

  std::string folder_;
  std::string url_;
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
