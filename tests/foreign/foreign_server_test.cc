// What the daemons of these tests stand on: the one that answers is ours, whoever else runs on this machine.

#include "tests/foreign/foreign_server.h"

#include <gtest/gtest.h>

#include "tests/support/harness/patience.h"
#include "tests/support/harness/stream.h"

namespace payg::test {
namespace {

std::vector<std::string> microsocks_on(const SocketAddress& address) {
  return {"/usr/bin/microsocks", "-i", address.ip().to_string(), "-p", std::to_string(address.port())};
}

TEST(ForeignServers, TakeAnotherPortWhenSomebodyOnAllAddressesWasFaster) {
  UniqueFd somebody;
  SocketAddress taken;
  ForeignServer server;
  server.start([&](const SocketAddress& address) {
    if (!somebody) {
      taken = address;
      somebody = listen_on(SocketAddress(IpAddress::parse("0.0.0.0").value(), address.port()), 8);
    }
    return microsocks_on(address);
  });
  EXPECT_NE(server.address(), taken);
  EXPECT_TRUE(is_listened_on(server.address()));
  EXPECT_FALSE(is_listened_on(taken));
}

TEST(ForeignServers, ThatCannotStartAreAFailureWithWhatTheySaid) {
  ForeignServer server;
  try {
    server.start([](const SocketAddress&) {
      return std::vector<std::string>{"/bin/sh", "-c", "echo no such thing"};
    });
    ADD_FAILURE() << "it has started";
  } catch (const HarnessError& error) {
    EXPECT_NE(std::string_view(error.what()).find("no such thing"), std::string_view::npos) << error.what();
  }
}

TEST(ForeignServers, ComeBackWhereTheyWere) {
  ForeignServer server;
  server.start(microsocks_on);
  const SocketAddress address = server.address();
  server.kill();
  EXPECT_FALSE(is_listened_on(address));
  server.start_again();
  EXPECT_EQ(server.address(), address);
  EXPECT_TRUE(is_listened_on(address));
}

}  // namespace
}  // namespace payg::test
