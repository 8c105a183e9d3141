#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace payg::test {

/// Whom servers run as that refuse to be root: ourselves, or somebody harmless when we are root.
struct ServerAccount {
  uid_t user;
  gid_t group;
};
/// Throws std::runtime_error when there is nobody.
ServerAccount server_account();

/// A folder right under /tmp that belongs to the server's account; a Unix socket's path has at most 107
/// characters. Throws std::runtime_error.
std::string make_server_folder();

enum class Lifetime {
  own,                   ///< it goes on when the test program dies
  ends_with_the_thread,  ///< the kernel kills it when the thread that started it ends, in whatever way
};

/// Starts a program as the server's account. `input` becomes its standard input, the file `log` takes its
/// output. A session of its own, so that a Ctrl-C in the terminal reaches the test program only. Throws
/// std::runtime_error.
pid_t start_server_program(const std::vector<std::string>& command, int input, const std::string& log,
                           Lifetime lifetime);
/// Its wait status; -1: it is no child of ours.
int wait_for_program(pid_t child);
/// Runs a program as the server's account to its end. Throws std::runtime_error, with the log, when it fails.
void run_server_program(const std::vector<std::string>& command, const std::string& log);

/// SIGKILL for a program and all its children, none of which can start another one meanwhile. Returns when
/// they are gone; throws std::runtime_error when they do not go.
void kill_with_children(pid_t program);

}  // namespace payg::test
