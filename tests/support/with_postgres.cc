// with_postgres COMMAND…: runs a command with a throwaway PostgreSQL that PAYG_TEST_POSTGRES names, so that
// many test programs share one server. Exits as the command does.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "tests/support/postgres_server.h"

namespace {

int run(char** command) {
  const pid_t child = fork();
  if (child < 0) return 125;
  if (child == 0) {
    execvp(command[0], command);
    std::perror(command[0]);
    _exit(127);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: with_postgres COMMAND [ARGUMENT…]\n", stderr);
    return 125;
  }
  try {
    const payg::test::PostgresServer server;
    setenv("PAYG_TEST_POSTGRES", server.url().c_str(), 1);
    return run(argv + 1);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 125;
  }
}
