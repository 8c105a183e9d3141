#include "tests/foreign/parent.h"

#include "tests/foreign/foreign_server.h"
#include "tests/integration/metered_proxy.h"
#include "tests/support/harness/patience.h"

namespace payg::test {
namespace {

constexpr const char* user_of_parents = "us";
constexpr const char* password_of_parents = "secret-of-the-parent";

/// One of Debian's, on a configuration of its own.
class DebianParent : public Parent {
 public:
  explicit DebianParent(std::uint16_t port) : server_(port) {}

  SocketAddress address() const override { return server_.address(); }
  std::string user() const override { return user_of_parents; }
  std::string password() const override { return password_of_parents; }
  void kill() override { server_.kill(); }
  void start_again() override { server_.start(command_); }

 protected:
  void start(std::vector<std::string> command) {
    command_ = std::move(command);
    server_.start(command_);
  }
  std::string ip() const { return server_.address().ip().to_string(); }

  ForeignServer server_;
  std::vector<std::string> command_;
};

class Squid final : public DebianParent {
 public:
  Squid() : DebianParent(3128) {
    const Finished hashed = run_program({"/usr/bin/openssl", "passwd", "-apr1", password_of_parents});
    const std::string people = server_.write("people", std::string(user_of_parents) + ":" + hashed.output);
    start({"/usr/sbin/squid", "-N", "-f",
           server_.write("squid.conf",
                         "http_port " + address().to_string() +
                             "\npid_filename none\ncache_log stdio:/dev/stderr\naccess_log none\n"
                             "cache deny all\nnetdb_filename none\npinger_enable off\n"
                             "shutdown_lifetime 0 seconds\nmax_filedescriptors 1024\n"
                             "visible_hostname parent.test\ncoredump_dir " +
                             server_.folder() + "\nauth_param basic program /usr/lib/squid/basic_ncsa_auth " +
                             people +
                             "\nauth_param basic children 1\nacl known proxy_auth REQUIRED\n"
                             "http_access allow known\nhttp_access deny all\n")});
  }
  const char* protocol() const override { return "http"; }
};

class Tinyproxy final : public DebianParent {
 public:
  Tinyproxy() : DebianParent(8888) {
    start({"/usr/bin/tinyproxy", "-d", "-c",
           server_.write("tinyproxy.conf", "Listen " + ip() + "\nPort 8888\nMaxClients 100\nBasicAuth " +
                                               user_of_parents + " " + password_of_parents + "\n")});
  }
  const char* protocol() const override { return "http"; }
};

/// Its passwords are those of the system's accounts, so it asks for none.
class Dante final : public DebianParent {
 public:
  Dante() : DebianParent(1080) {
    start({"/usr/sbin/danted", "-p", server_.folder() + "/pid", "-f",
           server_.write("danted.conf",
                         "internal: " + ip() +
                             " port = 1080\nexternal: 127.0.0.1\nexternal: ::1\nlogoutput: stderr\n"
                             "clientmethod: none\nsocksmethod: none\n"
                             "client pass { from: 0/0 to: 0/0 }\n"
                             "socks pass { from: 0/0 to: 0/0 }\n")});
  }
  const char* protocol() const override { return "socks5"; }
  std::string user() const override { return {}; }
  std::string password() const override { return {}; }
};

class Microsocks final : public DebianParent {
 public:
  Microsocks() : DebianParent(1080) {
    start(
        {"/usr/bin/microsocks", "-i", ip(), "-p", "1080", "-u", user_of_parents, "-P", password_of_parents});
  }
  const char* protocol() const override { return "socks5"; }
};

/// Another payg-proxy, at which we are a customer.
class PaygParent final : public Parent {
 public:
  explicit PaygParent(const char* protocol)
      : protocol_(protocol),
        address_(own_loopback_address(), 3128),
        metered_(LedgerKind::sqlite, {}, at(address_)),
        us_(metered_.user("us", "10")) {}
  const char* protocol() const override { return protocol_; }
  SocketAddress address() const override { return address_; }
  std::string user() const override { return us_.name; }
  std::string password() const override { return us_.token; }
  void kill() override { metered_.proxy().kill(); }
  void start_again() override { metered_.proxy().start_again(); }

 private:
  static ProxySettings at(const SocketAddress& address) {
    ProxySettings settings;
    settings.listeners = {address.to_string()};
    return settings;
  }

  const char* protocol_;
  SocketAddress address_;
  MeteredProxy metered_;
  Account us_;
};

}  // namespace

std::string name_of(ParentKind kind) {
  switch (kind) {
    case ParentKind::payg_http: return "payg_proxy_by_http";
    case ParentKind::payg_socks5: return "payg_proxy_by_socks5";
    case ParentKind::squid: return "squid";
    case ParentKind::tinyproxy: return "tinyproxy";
    case ParentKind::dante: return "dante";
    case ParentKind::microsocks: return "microsocks";
  }
  throw HarnessError("no such parent");
}

std::unique_ptr<Parent> start_parent(ParentKind kind) {
  switch (kind) {
    case ParentKind::payg_http: return std::make_unique<PaygParent>("http");
    case ParentKind::payg_socks5: return std::make_unique<PaygParent>("socks5");
    case ParentKind::squid: return std::make_unique<Squid>();
    case ParentKind::tinyproxy: return std::make_unique<Tinyproxy>();
    case ParentKind::dante: return std::make_unique<Dante>();
    case ParentKind::microsocks: return std::make_unique<Microsocks>();
  }
  throw HarnessError("no such parent");
}

}  // namespace payg::test
