#pragma once

#include <memory>
#include <ostream>
#include <string>

#include "plugin/base/address.h"

namespace payg::test {

/// A proxy that stands behind payg-proxy.
enum class ParentKind { payg_http, payg_socks5, squid, tinyproxy, dante, microsocks };

std::string name_of(ParentKind kind);
inline void PrintTo(ParentKind kind, std::ostream* out) {
  *out << name_of(kind);
}

/// One that runs, and lets us in by name and password if it can.
class Parent {
 public:
  virtual ~Parent() = default;

  /// "http" or "socks5", as an exit's kind.
  virtual const char* protocol() const = 0;
  virtual SocketAddress address() const = 0;
  /// Empty: it asks for none.
  virtual std::string user() const = 0;
  virtual std::string password() const = 0;
  /// SIGKILL.
  virtual void kill() = 0;
  /// On the same address as before.
  virtual void start_again() = 0;
};

/// Returns when it takes connections.
std::unique_ptr<Parent> start_parent(ParentKind kind);

}  // namespace payg::test
