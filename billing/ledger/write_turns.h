#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace payg::billing {

/// Whose turn it is to write to one SQLite file, among the connections of this process: first come, first
/// served. SQLite itself lets waiting writers poll with growing pauses, so that a busy admin port could
/// starve the charges. Thread-safe.
class WriteTurns {
 public:
  /// The turns of one file, shared by all who name it by the same path.
  static std::shared_ptr<WriteTurns> of(const std::string& path);

  /// Waits for its turn; it is over when this is destroyed.
  class Turn {
   public:
    explicit Turn(WriteTurns& turns) : turns_(turns) { turns_.wait(); }
    ~Turn() { turns_.next(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    WriteTurns& turns_;
  };

  /// How many wait for a turn at this moment.
  std::uint64_t waiting();

 private:
  void wait();
  void next();

  std::mutex mutex_;
  std::condition_variable called_;
  // Guarded by mutex_: the number that the next one draws, and the number that is called.
  std::uint64_t drawn_ = 0;
  std::uint64_t serving_ = 0;
};

}  // namespace payg::billing
