#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "plugin/base/address.h"
#include "plugin/base/unique_fd.h"

namespace payg::test {

/// A name server on a UDP port of the loopback interface, for `nameservers = [...]`. It knows the names it
/// is told and says NXDOMAIN to every other.
class FakeDns {
 public:
  FakeDns();
  ~FakeDns();
  FakeDns(const FakeDns&) = delete;
  FakeDns& operator=(const FakeDns&) = delete;

  /// `name` in lower case without a dot at its end; literals of either family.
  void set(const std::string& name, const std::vector<std::string>& literals);
  /// Answers for IPv4 only; questions for the name's IPv6 addresses are not answered until the next set().
  void set_silent_for_ipv6(const std::string& name, const std::vector<std::string>& literals);
  /// The first question for addresses of each family is answered with `first`, all others with `later`.
  void set_rebinding(const std::string& name, const std::vector<std::string>& first,
                     const std::vector<std::string>& later);
  /// Questions for `name` are never answered.
  void set_silent(const std::string& name);

  std::string address() const { return address_.to_string(); }
  /// How many questions of any type were asked for `name`.
  int questions(const std::string& name) const;

 private:
  struct Entry {
    std::vector<IpAddress> addresses;
    std::vector<IpAddress> first;
    std::set<std::uint16_t> first_for;  ///< types of questions to be answered with `first`
    bool silent = false;
    bool silent_for_ipv6 = false;
  };
  void serve();
  /// The datagram to send back; empty: none.
  std::string reply_to(std::string_view query);

  UniqueFd socket_;
  SocketAddress address_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // guarded by mutex_
  std::map<std::string, int> questions_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace payg::test
