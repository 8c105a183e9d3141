#include "tests/support/harness/private_network.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace payg::test {

namespace {

constexpr const char* inside_mark = "PAYG_TEST_INSIDE_PRIVATE_NETWORK";

bool write_to(const char* path, const std::string& content) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size());
  ::close(fd);
  return written;
}

/// root may make a network; anybody else needs a user namespace in which he is root.
bool make_network() {
  if (::unshare(CLONE_NEWNET) == 0) return true;
  const auto user = std::to_string(::getuid());
  const auto group = std::to_string(::getgid());
  return ::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && write_to("/proc/self/setgroups", "deny") &&
         write_to("/proc/self/uid_map", "0 " + user + " 1") &&
         write_to("/proc/self/gid_map", "0 " + group + " 1");
}

bool bring_loopback_up() {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool up = ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
  ::close(socket);
  return up;
}

}  // namespace

void enter_private_network(char** argv) {
  if (std::getenv(inside_mark)) return;
  // A sanitizer's own threads would forbid a user namespace; the child of a fork has one thread.
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!make_network() || !bring_loopback_up()) {
      std::perror("this test needs a network namespace of its own");
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

}  // namespace payg::test
