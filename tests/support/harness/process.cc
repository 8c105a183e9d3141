#include "tests/support/harness/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <sstream>

#include "tests/support/harness/patience.h"
#include "tests/support/harness/temp_folder.h"

extern char** environ;

namespace payg::test {

namespace {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw HarnessError("no pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> whole_environment(const ProgramCall& call) {
  std::vector<std::string> all = call.environment;  // the first of a name is the one that getenv() finds
  for (char** each = environ; *each; ++each) all.emplace_back(*each);
  return all;
}

/// Between fork and exec in a program with threads: async-signal-safe calls only.
[[noreturn]] void become(const ProgramCall& call, char* const* arguments, char* const* environment,
                         int output, int errors, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(errors, STDERR_FILENO);
  if (call.open_files) {
    const rlimit limit{.rlim_cur = *call.open_files, .rlim_max = *call.open_files};
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (!call.working_folder.empty() && ::chdir(call.working_folder.c_str()) != 0) ::_exit(126);
  ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

}  // namespace

std::string to_string(ExitStatus status) {
  return status.signal ? "killed by signal " + std::to_string(status.signal)
                       : "exit code " + std::to_string(status.code);
}

Process::Process(const ProgramCall& call) {
  Pipe output = make_pipe();
  Pipe errors = make_pipe();
  const auto environment = whole_environment(call);
  const auto argument_pointers = pointers_to(call.arguments);
  const auto environment_pointers = pointers_to(environment);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw HarnessError("cannot fork");
  if (pid_ == 0) {
    become(call, argument_pointers.data(), environment_pointers.data(), output.write_end.get(),
           errors.write_end.get(), parent);
  }
  output_pipe_ = std::move(output.read_end);
  errors_pipe_ = std::move(errors.read_end);
  collector_ = std::thread([this] { collect(); });
}

Process::~Process() {
  if (running()) {
    signal(SIGKILL);
    wait();
  }
  collector_.join();
}

void Process::signal(int number) const {
  if (!status_) ::kill(pid_, number);
}

void Process::pause() const {
  signal(SIGSTOP);
  // The parent hears of it when the whole group of threads has stopped (ptrace(2), "Group-stop").
  siginfo_t news{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &news, WSTOPPED | WEXITED | WNOWAIT) != 0 ||
      news.si_code != CLD_STOPPED)
    throw HarnessError("the process cannot be stopped");
}

bool Process::running() {
  if (status_) return false;
  int raw = 0;
  if (::waitpid(pid_, &raw, WNOHANG) != pid_) return true;
  status_ = WIFSIGNALED(raw) ? ExitStatus{.code = -1, .signal = WTERMSIG(raw)}
                             : ExitStatus{.code = WEXITSTATUS(raw), .signal = 0};
  return false;
}

ExitStatus Process::wait() {
  const bool ended = eventually([this] { return !running(); });
  if (!ended) {
    signal(SIGKILL);
    if (!eventually([this] { return !running(); })) throw HarnessError("a process cannot be killed");
    throw HarnessError("process " + std::to_string(pid_) + " did not end in time; it wrote:\n" + errors());
  }
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [this] { return !pipes_open_; });
  return *status_;
}

std::string Process::output() const {
  const std::lock_guard lock(mutex_);
  return output_;
}

std::string Process::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

bool Process::wait_for_errors(const std::function<bool(const std::string&)>& enough) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return !pipes_open_ || enough(errors_); });
  return enough(errors_);
}

std::size_t Process::resident_bytes() const {
  std::istringstream fields(read_file("/proc/" + std::to_string(pid_) + "/statm"));
  std::size_t total = 0;
  std::size_t resident = 0;
  fields >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void Process::collect() {
  std::array<pollfd, 2> pipes{pollfd{output_pipe_.get(), POLLIN, 0}, pollfd{errors_pipe_.get(), POLLIN, 0}};
  const std::array<std::string*, 2> texts{&output_, &errors_};
  std::string piece(65536, '\0');
  while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
    ::poll(pipes.data(), pipes.size(), -1);
    for (std::size_t i = 0; i < pipes.size(); ++i) {
      if (pipes[i].fd < 0 || pipes[i].revents == 0) continue;
      const ssize_t got = ::read(pipes[i].fd, piece.data(), piece.size());
      const std::lock_guard lock(mutex_);
      if (got > 0) texts[i]->append(piece, 0, static_cast<std::size_t>(got));
      if (got <= 0) pipes[i].fd = -1;
      changed_.notify_all();
    }
  }
  const std::lock_guard lock(mutex_);
  pipes_open_ = false;
  changed_.notify_all();
}

Finished run_program(const ProgramCall& call) {
  Process process(call);
  const ExitStatus status = process.wait();
  return Finished{status, process.output(), process.errors()};
}

Finished run_program(const std::vector<std::string>& arguments) {
  return run_program(ProgramCall{
      .arguments = arguments, .environment = {}, .working_folder = {}, .open_files = std::nullopt});
}

std::string built(const std::string& name) {
  const char* elsewhere = std::getenv("PAYG_TEST_PROGRAMS");
  return std::string(elsewhere ? elsewhere : PAYG_BUILD_FOLDER) + "/" + name;
}
std::string source_file(const std::string& path) {
  return std::string(PAYG_SOURCE_FOLDER) + "/" + path;
}

std::optional<std::string> sanitizer_report(const std::string& errors) {
  std::istringstream lines(errors);
  for (std::string line; std::getline(lines, line);) {
    for (const char* sign : {"ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer",
                             "ThreadSanitizer:DEADLYSIGNAL", ": runtime error: "}) {
      if (line.find(sign) != std::string::npos) return line;
    }
  }
  return std::nullopt;
}

}  // namespace payg::test
