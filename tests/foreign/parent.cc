#include "tests/foreign/parent.h"

#include <unistd.h>

#include <filesystem>

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
  SocketAddress address() const override { return server_.address(); }
  std::string user() const override { return user_of_parents; }
  std::string password() const override { return password_of_parents; }
  void kill() override { server_.kill(); }
  void start_again() override { server_.start_again(); }

 protected:
  ForeignServer server_;
};

/// Its shared memory outlives it, by the name of its service: no two may have the same.
class Squid final : public DebianParent {
 public:
  Squid() {
    const Finished hashed = run_program({"/usr/bin/openssl", "passwd", "-apr1", password_of_parents});
    const std::string people = server_.write("people", std::string(user_of_parents) + ":" + hashed.output);
    server_.start([&](const SocketAddress& address) {
      const std::string settings = settings_for(address, server_.folder(), people);
      return std::vector<std::string>{"/usr/sbin/squid", "-N", "-n",
                                      service_,          "-f", server_.write("squid.conf", settings)};
    });
  }
  ~Squid() override {
    std::error_code ignored;
    server_.kill();
    for (const auto& file : std::filesystem::directory_iterator("/dev/shm", ignored)) {
      if (file.path().filename().string().starts_with(service_ + "-"))
        std::filesystem::remove(file.path(), ignored);
    }
  }
  const char* protocol() const override { return "http"; }

 private:
  static std::string settings_for(const SocketAddress& address, const std::string& folder,
                                  const std::string& people) {
    return "http_port " + address.to_string() +
           "\npid_filename none\ncache_log stdio:/dev/stderr\naccess_log none\n"
           "cache deny all\nnetdb_filename none\npinger_enable off\n"
           "shutdown_lifetime 0 seconds\nmax_filedescriptors 1024\n"
           "visible_hostname parent.test\ncoredump_dir " +
           folder + "\nauth_param basic program /usr/lib/squid/basic_ncsa_auth " + people +
           "\nauth_param basic children 1\nacl known proxy_auth REQUIRED\n"
           "http_access allow known\nhttp_access deny all\n";
  }

  const std::string service_ = "payg" + std::to_string(::getpid());
};

class Tinyproxy final : public DebianParent {
 public:
  Tinyproxy() {
    server_.start([this](const SocketAddress& address) {
      const std::string settings = "Listen " + address.ip().to_string() + "\nPort " +
                                   std::to_string(address.port()) + "\nMaxClients 100\nBasicAuth " +
                                   user_of_parents + " " + password_of_parents + "\n";
      return std::vector<std::string>{"/usr/bin/tinyproxy", "-d", "-c",
                                      server_.write("tinyproxy.conf", settings)};
    });
  }
  const char* protocol() const override { return "http"; }
};

/// Its passwords are those of the system's accounts, so it asks for none.
class Dante final : public DebianParent {
 public:
  Dante() {
    server_.start([this](const SocketAddress& address) {
      const std::string settings = "internal: " + address.ip().to_string() +
                                   " port = " + std::to_string(address.port()) +
                                   "\nexternal: 127.0.0.1\nexternal: ::1\nlogoutput: stderr\n"
                                   "clientmethod: none\nsocksmethod: none\n"
                                   "client pass { from: 0/0 to: 0/0 }\n"
                                   "socks pass { from: 0/0 to: 0/0 }\n";
      return std::vector<std::string>{"/usr/sbin/danted", "-p", server_.folder() + "/pid", "-f",
                                      server_.write("danted.conf", settings)};
    });
  }
  const char* protocol() const override { return "socks5"; }
  std::string user() const override { return {}; }
  std::string password() const override { return {}; }
};

class Microsocks final : public DebianParent {
 public:
  Microsocks() {
    server_.start([](const SocketAddress& address) {
      return std::vector<std::string>{
          "/usr/bin/microsocks", "-i", address.ip().to_string(), "-p", std::to_string(address.port()), "-u",
          user_of_parents,       "-P", password_of_parents};
    });
  }
  const char* protocol() const override { return "socks5"; }
};

/// Another payg-proxy, at which we are a customer.
class PaygParent final : public Parent {
 public:
  explicit PaygParent(const char* protocol) : protocol_(protocol) {
    start_on_a_free_port([this](const SocketAddress& address) {
      ProxySettings settings;
      settings.listeners = {address.to_string()};
      metered_ = std::make_unique<MeteredProxy>(LedgerKind::sqlite, BillingSettings{}, settings);
    });
    us_ = metered_->user("us", "10");
  }
  const char* protocol() const override { return protocol_; }
  SocketAddress address() const override { return metered_->proxy().address(); }
  std::string user() const override { return us_.name; }
  std::string password() const override { return us_.token; }
  void kill() override { metered_->proxy().kill(); }
  void start_again() override { metered_->proxy().start_again(); }

 private:
  const char* protocol_;
  std::unique_ptr<MeteredProxy> metered_;
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
