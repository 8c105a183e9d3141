#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "tests/support/harness/origin.h"
#include "tests/support/harness/proxy_settings.h"

namespace payg::test {

/// How a fake parent sends what it says.
enum class Pieces { at_once, byte_by_byte };

/// What a fake parent does with those who come.
struct ParentScript {
  /// To CONNECT, or to the SOCKS5 request (code and all behind it): as it stands. Empty: silence.
  std::string answer{};
  std::string user{}, password{};  ///< that it wants; without, it wants none
  /// When `answer` opens a tunnel: what goes on in it. Nothing: closes.
  Origin::Script then{};
  Pieces pieces = Pieces::at_once;
};

/// Opens tunnels, by HTTP and by SOCKS5.
inline constexpr const char* http_ok = "HTTP/1.1 200 OK\r\n\r\n";
extern const std::string socks_ok;

/// A parent proxy that says what its script says, and remembers what it was asked for. It goes nowhere: what
/// it tunnels to is in the script.
class FakeParent {
 public:
  static FakeParent http(ParentScript script, std::string_view address = "127.0.0.1:0") {
    return FakeParent(Protocol::http, std::move(script), address);
  }
  static FakeParent socks5(ParentScript script, std::string_view address = "127.0.0.1:0") {
    return FakeParent(Protocol::socks5, std::move(script), address);
  }

  const SocketAddress& address() const { return origin_.address(); }
  std::string authority() const { return origin_.authority(); }
  int connections() const { return origin_.connections(); }
  /// The heads of what came by HTTP; of SOCKS5 the targets, as "127.0.0.1:80" or "name:80".
  std::vector<std::string> asked() const;
  /// Waits until at least `count` have asked.
  std::vector<std::string> wait_for_asked(std::size_t count) const;

 private:
  enum class Protocol { http, socks5 };
  FakeParent(Protocol protocol, ParentScript script, std::string_view address);
  void serve(OriginConnection& connection);
  bool hear_http(OriginConnection& connection);
  bool hear_socks5(OriginConnection& connection);
  void say(OriginConnection& connection, std::string_view bytes);
  void note(std::string asked);

  const Protocol protocol_;
  const ParentScript script_;
  mutable std::mutex mutex_;
  std::vector<std::string> asked_;  // guarded by mutex_
  Origin origin_;                   // the last: it is served by the rest
};

/// One [[exit]] as a file has it.
struct ExitLines {
  std::string name;
  std::string kind = "direct";
  std::string address{};
  std::string more{};  ///< more lines, as they stand

  std::string toml() const {
    std::string text = "[[exit]]\nname = \"" + name + "\"\nkind = \"" + kind + "\"\n";
    if (!address.empty()) text += "address = \"" + address + "\"\n";
    return text + more;
  }
};

}  // namespace payg::test
