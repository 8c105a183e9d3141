#include "tests/support/server_program.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "plugin/base/unique_fd.h"

namespace payg::test {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void give_up(const std::string& why) {
  throw std::runtime_error("a server of the tests: " + why);
}

struct ProcessState {
  char state;
  pid_t parent;
};

/// nullopt: there is no such process.
std::optional<ProcessState> state_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  const std::string stat{std::istreambuf_iterator<char>(file), {}};
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(stat.substr(name_end + 1));
  ProcessState found{};
  fields >> found.state >> found.parent;
  return found;
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const pid_t process = std::atoi(entry.path().filename().c_str());
    const auto state = process > 0 ? state_of(process) : std::nullopt;
    if (state && state->parent == parent) children.push_back(process);
  }
  return children;
}

/// Also when nobody has asked for its exit status yet.
bool is_dead(pid_t process) {
  const auto state = state_of(process);
  return !state || state->state == 'Z' || state->state == 'X';
}

bool is_stopped(pid_t process) {
  const auto state = state_of(process);
  return !state || state->state == 'T' || state->state == 'Z';
}

void wait_until(bool (*holds)(pid_t), pid_t process) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(40);
  while (!holds(process)) {
    if (std::chrono::steady_clock::now() > limit)
      give_up("process " + std::to_string(process) + " takes no signal");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace

ServerAccount server_account() {
  if (geteuid() != 0) return {geteuid(), getegid()};
  for (const char* name : {"postgres", "nobody"}) {
    if (const passwd* entry = getpwnam(name)) return {entry->pw_uid, entry->pw_gid};
  }
  give_up("neither a user postgres nor a user nobody");
}

std::string make_server_folder() {
  std::string folder = "/tmp/payg-pg-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) give_up("mkdtemp: " + folder);
  const ServerAccount account = server_account();
  if (chown(folder.c_str(), account.user, account.group) != 0) give_up("chown " + folder);
  return folder;
}

pid_t start_server_program(const std::vector<std::string>& command, int input, const std::string& log,
                           Lifetime lifetime) {
  const ServerAccount account = server_account();
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const UniqueFd output(open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) give_up("fork");
  if (child > 0) return child;
  // Between fork and exec only what is safe in a program with threads.
  setsid();
  const bool root = geteuid() == 0;
  if (root && (setgroups(0, nullptr) != 0 || setgid(account.group) != 0 || setuid(account.user) != 0))
    _exit(126);
  if (lifetime == Lifetime::ends_with_the_thread) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // changing the account would forget it
    if (getppid() != parent) _exit(126);
  }
  if (chdir("/") != 0) _exit(126);
  dup2(input, STDIN_FILENO);
  dup2(output.get(), STDOUT_FILENO);
  dup2(output.get(), STDERR_FILENO);
  execv(arguments[0], arguments.data());
  _exit(127);
}

int wait_for_program(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return status;
}

void run_server_program(const std::vector<std::string>& command, const std::string& log) {
  const UniqueFd nothing(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (wait_for_program(start_server_program(command, nothing.get(), log, Lifetime::own)) == 0) return;
  std::ifstream said(log);
  give_up(command.front() + " failed: " + std::string(std::istreambuf_iterator<char>(said), {}));
}

void kill_with_children(pid_t program) {
  if (kill(program, SIGSTOP) != 0) give_up("process " + std::to_string(program) + " cannot be stopped");
  wait_until(is_stopped, program);
  std::vector<pid_t> victims = children_of(program);
  victims.push_back(program);
  for (const pid_t victim : victims) kill(victim, SIGKILL);
  for (const pid_t victim : victims) wait_until(is_dead, victim);
}

}  // namespace payg::test
