#pragma once

#include <condition_variable>
#include <mutex>
#include <string>

#include "tests/support/harness/origin.h"
#include "tests/support/postgres_url.h"

namespace payg::test {

/// Stands between a client and a PostgreSQL as the network does, and loses what the test wants to be lost.
/// It reads the protocol along (https://www.postgresql.org/docs/15/protocol-message-formats.html), so that
/// it can cut at an exact place. Thread-safe.
class PostgresRelay {
 public:
  /// `database_url` as PostgresDatabase::url() gives it.
  explicit PostgresRelay(const std::string& database_url);
  ~PostgresRelay();
  PostgresRelay(const PostgresRelay&) = delete;
  PostgresRelay& operator=(const PostgresRelay&) = delete;

  /// The same database, by way of the relay: one host and port of 127.0.0.1.
  std::string url() const;
  const SocketAddress& address() const { return origin_.address(); }

  /// The next `times` transactions in which the client says `words` are committed, and their connections cut
  /// before the server's answer to COMMIT reaches the client.
  void lose_answers(const std::string& words, int times);
  /// How many of them were lost so far, by the last lose_answers().
  int answers_lost() const;

  /// From now on nothing passes, on connections that there are and on new ones, and nobody is told.
  void hold();
  /// The same from when a client says `words`, which do not pass either.
  void hold_at(const std::string& words);
  void go_on();
  /// Connections that were made to it so far.
  int connections() const { return origin_.connections(); }

 private:
  /// What one connection is in the middle of.
  struct Conversation {
    std::string asked;     ///< by the client, since the server was last ready
    std::string unparsed;  ///< from the server: the beginning of a message
  };
  enum class Fate { goes_on, is_cut };

  void relay(OriginConnection& connection);
  void wait_while_held();
  void hold_if_said(const std::string& asked);
  /// Takes whole messages of the server's from the conversation and appends what the client may see.
  Fate judge(Conversation& conversation, std::string& passed);
  bool is_to_be_lost(const Conversation& conversation);

  const PostgresUrl server_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::string words_;
  int to_lose_ = 0;
  int lost_ = 0;
  bool held_ = false;
  std::string hold_at_;

  Origin origin_;  // last: its threads use all of the above
};

}  // namespace payg::test
