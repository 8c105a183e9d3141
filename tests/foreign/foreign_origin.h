#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/foreign/certificate.h"
#include "tests/support/harness/process.h"
#include "tests/support/harness/temp_folder.h"

namespace payg::test {

/// A request as the web server saw it.
struct SeenRequest {
  std::string kind;  ///< "request", "expect" (it waits for 100 with its content) or "upgrade"
  std::string method;
  std::string url;
  std::string version;                        ///< "1.1", "2.0"
  std::map<std::string, std::string> fields;  ///< by their names in lower case
};

/// The web server origin/main.js, running: HTTP/1.1, and by TLS HTTP/1.1 and HTTP/2, on both loopback
/// addresses. It has
///   /files/NAME   a file to read, with ranges, and to PUT
///   /echo         what it is sent
///   /endless      a download that never ends
///   /page         a page with fifty scripts
///   /git/NAME     git repositories
/// and a WebSocket echo everywhere, and one of datagrams beside. Elsewhere it says "HTTP/VERSION METHOD
/// PATH".
class ForeignOrigin {
 public:
  enum class Scheme { http, https };
  enum class Host { v4, v6, by_name };

  /// Returns when it listens; throws HarnessError with what it wrote when that does not happen.
  explicit ForeignOrigin(const Certificate& certificate);

  std::string url(Scheme scheme, const std::string& path, Host host = Host::v4) const;
  /// "127.0.0.1:4711"
  std::string authority(Scheme scheme, Host host = Host::v4) const;

  /// Where datagrams are sent back, on 127.0.0.1.
  std::uint16_t datagram_port() const { return udp_; }

  /// Makes /files/NAME.
  void put(const std::string& name, const std::string& content) const { site_.write(name, content); }
  /// What is in /files/NAME. Throws HarnessError when there is nothing.
  std::string file(const std::string& name) const { return read_file(site_.path() + "/" + name); }
  /// True when something of a file that is being PUT has come.
  bool has_begun_to_keep(const std::string& name) const;
  /// The folder of all this.
  const std::string& folder() const { return site_.path(); }

  /// Every request so far.
  std::vector<SeenRequest> requests() const;

 private:
  std::uint16_t port(Scheme scheme, Host host) const;

  TempFolder site_;
  Process server_;
  std::uint16_t http_ = 0;
  std::uint16_t https_ = 0;
  std::uint16_t http6_ = 0;
  std::uint16_t https6_ = 0;
  std::uint16_t udp_ = 0;
};

}  // namespace payg::test
