// Datagrams over SOCKS5, by PySocks.

#include "tests/foreign/foreign_world.h"

namespace payg::test {
namespace {

class Udp : public ForeignWorld {
 protected:
  ProgramCall send_datagrams(const Account& account, const std::vector<std::string>& more = {}) const {
    const SocketAddress proxy = parse_address(proxy_address());
    std::vector<std::string> arguments{python_program,
                                       source_file("tests/foreign/clients/udp.py"),
                                       proxy.ip().to_string(),
                                       std::to_string(proxy.port()),
                                       account.name,
                                       account.token,
                                       "127.0.0.1",
                                       std::to_string(origin_.datagram_port())};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return called(arguments);
  }
};

TEST_F(Udp, DatagramsOfEverySizeGoAndComeBack) {
  const Finished sent = run(send_datagrams(alice_));
  EXPECT_EQ(sent.output, "8 datagrams\n") << told_by(sent);
}

TEST_F(Udp, IsRefusedAsEverythingElseIs) {
  const Finished unpaid = run(send_datagrams(metered_.user("penniless", "")));
  EXPECT_NE(unpaid.errors.find("not allowed by ruleset"), std::string::npos) << told_by(unpaid);
  const Finished unknown = run(send_datagrams(Account{alice_.name, "wrong-token"}));
  EXPECT_NE(unknown.errors.find("authentication failed"), std::string::npos) << told_by(unknown);
  const Finished nowhere = run(send_datagrams(Account{alice_.name + "-country-zz", alice_.token}));
  EXPECT_NE(nowhere.errors.find("Host unreachable"), std::string::npos) << told_by(nowhere);
}

TEST_F(Udp, IsCutWhenTheMoneyIsSpent) {
  const Finished cut = run_out_of_money(send_datagrams(alice_, {"hold"}), alice_, [](const Process& client) {
    return client.output() == "8 datagrams\n";
  });
  EXPECT_EQ(cut.output, "8 datagrams\nthe association is over\n") << told_by(cut);
  EXPECT_EQ(metered_.balance_units(alice_), 0);
}

}  // namespace
}  // namespace payg::test
