#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <latch>
#include <memory>
#include <string>
#include <thread>

struct pg_conn;

namespace payg::test {

/// The statement that locks the user's row of `table` as a writer does.
std::string locking_row(const std::string& table, std::uint64_t user_id);

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

/// Writers who lock the same and hand it to each other as long as this object lives: somebody is always in
/// line, so that it is never found free.
class PostgresCrowd {
 public:
  /// `statement` locks, e.g. "SELECT … FOR UPDATE". Returns when all of them have come.
  PostgresCrowd(const std::string& url, const std::string& statement);
  ~PostgresCrowd();
  PostgresCrowd(const PostgresCrowd&) = delete;
  PostgresCrowd& operator=(const PostgresCrowd&) = delete;

 private:
  void take_turns(const std::string& url, const std::string& statement, std::latch& all_are_here);

  std::atomic<bool> leaving_ = false;
  std::array<std::thread, 4> writers_;
};

}  // namespace payg::test
