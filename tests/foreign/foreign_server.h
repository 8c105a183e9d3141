#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "plugin/base/address.h"

namespace payg::test {

/// A loopback address that no other test program has at this time, so that any port of it is free.
IpAddress own_loopback_address();

/// A daemon that Debian ships, on a configuration of its own in a folder of its own, under an account that
/// may nothing (when the test runs as root; else under the test's). It and its children end with this.
class ForeignServer {
 public:
  /// On own_loopback_address(); nothing runs yet.
  explicit ForeignServer(std::uint16_t port);
  ~ForeignServer();
  ForeignServer(const ForeignServer&) = delete;
  ForeignServer& operator=(const ForeignServer&) = delete;

  const SocketAddress& address() const { return address_; }
  const std::string& folder() const { return folder_; }
  /// Writes a file in its folder, readable for its account, and returns the file's path.
  std::string write(const std::string& name, const std::string& content) const;

  /// Returns when it takes connections; throws HarnessError with its log when it does not.
  void start(const std::vector<std::string>& command);
  /// SIGKILL, to its children too. start() may follow.
  void kill();
  /// What it has written so far.
  std::string log() const;

 private:
  bool takes_connections() const;

  std::string folder_;
  SocketAddress address_;
  pid_t process_ = -1;
};

}  // namespace payg::test
