#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "plugin/base/unique_fd.h"

namespace payg::test {

/// How a program ended: by itself with a code, or by a signal (code is -1 then).
struct ExitStatus {
  int code = -1;
  int signal = 0;
  bool operator==(const ExitStatus&) const = default;
};

std::string to_string(ExitStatus status);

struct ProgramCall {
  std::vector<std::string> arguments;      ///< the program's path first
  std::vector<std::string> environment{};  ///< "NAME=value", on top of the test's own
  std::string working_folder{};            ///< empty: the test's own
  std::optional<rlim_t> open_files{};      ///< RLIMIT_NOFILE, soft and hard
};

/// A program started by a test. It dies with the test, whatever happens to that. Its output is collected all
/// the time, so that it never blocks on a full pipe.
class Process {
 public:
  /// Throws HarnessError when it cannot be started at all; a missing program ends with code 127.
  explicit Process(const ProgramCall& call);
  /// Kills it if it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const;
  /// SIGSTOP; returns when none of its threads runs any more.
  void pause() const;
  bool running();
  /// Waits for its end; one that does not end within `patience` is killed, and a HarnessError thrown.
  ExitStatus wait();

  std::string output() const;  ///< standard output so far; all of it after wait()
  std::string errors() const;  ///< standard error, likewise
  /// Waits until `enough` holds of what was written to standard error so far. False when the program has
  /// ended, or `patience` is over, before that.
  [[nodiscard]] bool wait_for_errors(const std::function<bool(const std::string&)>& enough);

  /// Memory that is its own at this moment, in bytes.
  std::size_t resident_bytes() const;

 private:
  void collect();

  pid_t pid_ = -1;
  std::optional<ExitStatus> status_;
  UniqueFd output_pipe_;
  UniqueFd errors_pipe_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string output_;      // guarded by mutex_
  std::string errors_;      // guarded by mutex_
  bool pipes_open_ = true;  // guarded by mutex_
  std::thread collector_;
};

struct Finished {
  ExitStatus status;
  std::string output;
  std::string errors;
};

/// Runs a program to its end.
Finished run_program(const ProgramCall& call);
Finished run_program(const std::vector<std::string>& arguments);

/// Where the build put one of its programs or modules, e.g. "payg-proxy". PAYG_TEST_PROGRAMS in the
/// environment names another folder, so that an installed set of programs can be tested too.
std::string built(const std::string& name);
/// A file of the source tree, e.g. "config/demo.toml".
std::string source_file(const std::string& path);

/// What a sanitizer has written, if any has: the first line of its report.
std::optional<std::string> sanitizer_report(const std::string& errors);

}  // namespace payg::test
