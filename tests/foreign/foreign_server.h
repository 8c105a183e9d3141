#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/foreign/own_address.h"

namespace payg::test {

/// A daemon that Debian ships, on a configuration of its own in a folder of its own, on an address of its
/// own, under an account that may nothing (when the test runs as root; else under the test's). It and its
/// children end with this.
class ForeignServer {
 public:
  /// The command that starts it on an address, whose files have been written.
  using Configure = std::function<std::vector<std::string>(const SocketAddress&)>;

  /// Nothing runs yet.
  ForeignServer();
  ~ForeignServer();
  ForeignServer(const ForeignServer&) = delete;
  ForeignServer& operator=(const ForeignServer&) = delete;

  const std::string& folder() const { return folder_; }
  /// Writes a file in its folder, readable for its account, and returns the file's path.
  std::string write(const std::string& name, const std::string& content) const;

  /// Returns when it listens, it and nobody else; throws HarnessError with its log when it does not.
  void start(const Configure& configure);
  /// Where it listens since start().
  const SocketAddress& address() const { return address_; }
  /// SIGKILL, to its children too.
  void kill();
  /// On the same address, as start() had it started.
  void start_again();
  /// What it has written since.
  std::string log() const;

 private:
  bool has_ended();

  std::string folder_;
  SocketAddress address_;
  std::vector<std::string> command_;
  pid_t process_ = -1;
};

}  // namespace payg::test
