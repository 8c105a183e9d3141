#pragma once

#include <memory>
#include <string>

struct pg_conn;

namespace payg::test {

/// A transaction of somebody else's that keeps what its statement has locked for as long as this object
/// lives.
class PostgresLock {
 public:
  /// Runs `statement`, which may wait, e.g. "LOCK TABLE payment_orders". Throws std::runtime_error when the
  /// database refuses: then nothing is locked.
  PostgresLock(const std::string& url, const std::string& statement);
  /// Nothing is locked any more when it returns.
  ~PostgresLock();
  PostgresLock(const PostgresLock&) = delete;
  PostgresLock& operator=(const PostgresLock&) = delete;

 private:
  struct Finish {
    void operator()(pg_conn* connection) const noexcept;
  };
  void run(const std::string& sql);

  std::unique_ptr<pg_conn, Finish> connection_;
};

}  // namespace payg::test
