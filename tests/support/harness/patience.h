#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stdexcept>

namespace payg::test {

/// How long the harness waits for something that must happen before it calls that a failure. Far above what
/// a healthy run needs on a loaded machine under a sanitizer: no test hangs on how fast something is.
inline constexpr std::chrono::seconds patience{40};

/// Something that the test leans on went wrong (no connection, no answer in time, no such program).
/// GoogleTest reports it as the failure of the running test.
class HarnessError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The other side ended a stream before what was waited for had come.
class StreamEnded : public HarnessError {
 public:
  using HarnessError::HarnessError;
};

/// Asks again and again until `condition` holds; false when it did not within `patience`.
[[nodiscard]] bool eventually(const std::function<bool()>& condition);

/// A one-time signal between the threads of a test.
class Signal {
 public:
  void set();
  bool is_set() const;
  /// Throws HarnessError when nobody has set it within `patience`.
  void wait() const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool set_ = false;  // guarded by mutex_
};

}  // namespace payg::test
