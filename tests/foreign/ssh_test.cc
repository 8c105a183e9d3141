// ssh through ncat through the proxy.

#include <pwd.h>

#include "tests/foreign/foreign_server.h"
#include "tests/foreign/foreign_world.h"
#include "tests/support/harness/pattern.h"
#include "tests/support/server_program.h"

namespace payg::test {
namespace {

/// An sshd that lets one key in.
class SshServer {
 public:
  SshServer() {
    for (const char* name : {"/host_key", "/client_key"}) {
      run_server_program(
          {"/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", server_.folder() + name},
          server_.folder() + "/keygen.log");
    }
    server_.start([this](const SocketAddress& address) {
      const std::string settings = "ListenAddress " + address.to_string() + "\nHostKey " + server_.folder() +
                                   "/host_key\nAuthorizedKeysFile " + server_.folder() +
                                   "/client_key.pub\nStrictModes no\nUsePAM no\nPidFile none\n";
      return std::vector<std::string>{"/usr/sbin/sshd", "-D", "-e", "-f",
                                      server_.write("sshd_config", settings)};
    });
  }

  std::string client_key() const { return server_.folder() + "/client_key"; }
  std::string host() const { return server_.address().ip().to_string(); }
  std::string port() const { return std::to_string(server_.address().port()); }
  std::string log() const { return server_.log(); }

 private:
  ForeignServer server_;
};

std::string name_of_server_account() {
  return ::getpwuid(server_account().user)->pw_name;
}

/// How ncat goes to the proxy, and what it says that is refused there.
struct Way {
  const char* kind;
  const char* unpaid;
  const char* wrong_token;
  const char* no_such_location;
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << way.kind;
}

class Ssh : public ForeignWorld, public testing::WithParamInterface<Way> {
 protected:
  /// `command` over there, with `input` (a file) as its standard input.
  ProgramCall ssh(const Account& account, const std::string& command,
                  const std::string& input = "/dev/null") const {
    const std::string way = "ProxyCommand=/usr/bin/ncat --proxy " + proxy_address() + " --proxy-type " +
                            GetParam().kind + " --proxy-auth " + credentials(account) + " %h %p";
    return called({"/bin/sh",
                   "-c",
                   R"(exec /usr/bin/ssh "$@" <)" + input,
                   "ssh",
                   "-F",
                   "none",
                   "-i",
                   server_.client_key(),
                   "-p",
                   server_.port(),
                   "-o",
                   "BatchMode=yes",
                   "-o",
                   "StrictHostKeyChecking=no",
                   "-o",
                   "UserKnownHostsFile=" + folder_.path() + "/known_hosts",
                   "-o",
                   way,
                   name_of_server_account() + "@" + server_.host(),
                   command});
  }

  SshServer server_;
};

TEST_P(Ssh, CarriesAFileThereAndBack) {
  const std::string content = Pattern::bytes(0, 3'000'017);
  const Finished echoed = run(ssh(alice_, "cat", folder_.write("upload", content)));
  ASSERT_EQ(echoed.status.code, 0) << echoed.errors << server_.log();
  EXPECT_TRUE(echoed.output == content) << echoed.output.size() << echoed.errors;
}

TEST_P(Ssh, ShowsWhatNcatIsRefusedFor) {
  const std::pair<Account, const char*> all[] = {
      {metered_.user("penniless", ""), GetParam().unpaid},
      {Account{alice_.name, "wrong-token"}, GetParam().wrong_token},
      {Account{alice_.name + "-country-zz", alice_.token}, GetParam().no_such_location}};
  for (const auto& [account, shown] : all) {
    const Finished refused = run(ssh(account, "true"));
    EXPECT_EQ(refused.status.code, 255) << told_by(refused);
    EXPECT_NE(refused.errors.find(shown), std::string::npos)
        << "shows no \"" << shown << "\": " << told_by(refused);
  }
}

TEST_P(Ssh, IsCutWhileItIsIdleWhenTheMoneyIsSpent) {
  const Finished cut = run_out_of_money(ssh(alice_, "echo begun; sleep 60"), alice_,
                                        [](const Process& ssh) { return ssh.output() == "begun\n"; });
  EXPECT_EQ(cut.status.code, 255) << told_by(cut);
  EXPECT_TRUE(eventually([&] { return metered_.live_sessions(alice_) == 0; }));
  EXPECT_EQ(metered_.balance_units(alice_), 0);
}

constexpr Way ways[] = {
    {"http", "Ncat: Proxy returned status code 402.", "Ncat: Proxy returned status code 407.",
     "Ncat: Proxy returned status code 503."},
    {"socks5", "connection not allowed by ruleset", "authentication failed", "Host unreachable"}};
INSTANTIATE_TEST_SUITE_P(EachWay, Ssh, testing::ValuesIn(ways),
                         [](const auto& test) { return std::string(test.param.kind); });

}  // namespace
}  // namespace payg::test
