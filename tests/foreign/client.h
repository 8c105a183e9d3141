#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "tests/foreign/certificate.h"
#include "tests/foreign/foreign_origin.h"
#include "tests/integration/metered_proxy.h"
#include "tests/support/harness/process.h"

namespace payg::test {

/// What a foreign program is sent for: the content of `url`, through the proxy, into `file`.
struct Errand {
  std::string proxy;  ///< "127.0.0.1:4711"
  Account account;
  std::string url;
  std::string file;
  Certificate certificate;  ///< the origin's and the proxy's
  std::string folder;       ///< for what the program needs besides
};

/// Which clients the proxy's listener is for.
enum class Door {
  plain,
  tls,             ///< an HTTPS proxy
  proxy_protocol,  ///< behind a load balancer that tells for whom it connects
};

/// A foreign program that fetches things through a proxy, in one of the ways that it knows.
struct Client {
  const char* name;
  ForeignOrigin::Scheme scheme;  ///< of what it is sent for
  ProgramCall (*call)(const Errand&);
  /// Whether the origin is named by a name that only the proxy can resolve.
  ForeignOrigin::Host host;
  // A part of what it writes (to standard output or error) when it is refused, or cut in the midst.
  const char* unpaid;
  const char* wrong_token;
  const char* no_such_location;
  const char* cut;
  Door door = Door::plain;
};

inline void PrintTo(const Client& client, std::ostream* out) {
  *out << client.name;
}

/// "alice:her-token", for a URL: neither has a character that has to be written otherwise there.
std::string credentials(const Account& account);

std::vector<Client> curl_clients();
std::vector<Client> tool_clients();
std::vector<Client> python_clients();
std::vector<Client> node_clients();

}  // namespace payg::test
