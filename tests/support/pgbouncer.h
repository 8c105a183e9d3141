#pragma once

#include <sys/types.h>

#include <string>

namespace payg::test {

/// PgBouncer in transaction mode (https://www.pgbouncer.org/features.html) in front of a PostgreSQL, with
/// fewer connections to it than clients have to PgBouncer: what one transaction leaves in its database
/// session, somebody else's next one finds. On a Unix socket of its own; ends with the test program.
///
/// Every failure, also a PgBouncer that is not installed, throws std::runtime_error.
class PgBouncer {
 public:
  /// Returns when it answers. `database_url` as PostgresDatabase::url() gives it.
  explicit PgBouncer(const std::string& database_url);
  ~PgBouncer();
  PgBouncer(const PgBouncer&) = delete;
  PgBouncer& operator=(const PgBouncer&) = delete;

  /// The same database, by way of PgBouncer.
  const std::string& url() const noexcept { return url_; }
  /// What it has written so far.
  std::string log() const;

  /// Connections to the server that it keeps at most.
  static constexpr int pool_size = 3;

 private:
  void start();
  void wait_until_it_answers() const;

  std::string folder_;
  std::string url_;
  pid_t process_ = -1;
};

}  // namespace payg::test
