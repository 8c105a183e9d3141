#include "tests/support/harness/private_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace payg::test {

namespace {

constexpr const char* inside_mark = "PAYG_TEST_INSIDE_PRIVATE_NAMESPACE";

bool write_to(const char* path, const std::string& content) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size());
  ::close(fd);
  return written;
}

/// root may make any; anybody else needs a user namespace in which he is root.
bool make_namespaces(int flags) {
  if (::unshare(flags) == 0) return true;
  const auto user = std::to_string(::getuid());
  const auto group = std::to_string(::getgid());
  return ::unshare(CLONE_NEWUSER | flags) == 0 && write_to("/proc/self/setgroups", "deny") &&
         write_to("/proc/self/uid_map", "0 " + user + " 1") &&
         write_to("/proc/self/gid_map", "0 " + group + " 1");
}

/// What is mounted from now on is passed on to nobody.
bool keep_mounts_to_ourselves() {
  return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

}  // namespace

void enter_private_namespace(char** argv, int flags, bool (*prepare)()) {
  if (std::getenv(inside_mark)) return;
  // A sanitizer's own threads would forbid a user namespace; the child of a fork has one thread.
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!make_namespaces(flags) || !prepare()) {
      std::perror("this test needs a namespace of its own");
      ::_exit(1);
    }
    ::setenv(inside_mark, "1", 1);
    ::execv("/proc/self/exe", argv);
    ::_exit(1);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) std::exit(1);
  std::exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

void enter_private_mounts(char** argv) {
  enter_private_namespace(argv, CLONE_NEWNS, keep_mounts_to_ourselves);
}

}  // namespace payg::test
