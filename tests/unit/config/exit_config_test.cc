// [[exit]] and [exit_health]: what is heard, and what is refused.

#include "config/exit_config.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "config/proxy_config.h"
#include "tests/unit/config/mistake.h"

namespace payg::config {
namespace {

using namespace std::chrono_literals;

/// Its first line is the third of the file.
std::string with_listener(const std::string& text) {
  return "[[listener]]\naddress = '127.0.0.1:1'\n" + text;
}

Errors errors_of(const std::string& text) {
  const auto config = read_proxy_config("f", with_listener(text));
  return config.ok() ? Errors{} : config.error();
}

ProxyConfig config_of(const std::string& text) {
  auto config = read_proxy_config("f", with_listener(text));
  if (config.ok()) return std::move(config).value();
  for (const auto& error : config.error()) ADD_FAILURE() << error;
  return {};
}

class Exits : public testing::Test {
 protected:
  Exits() {
    setenv("PAYG_TEST_PASSWORD", "pass:word", 1);
    setenv("PAYG_TEST_LONG", std::string(256, 'x').c_str(), 1);
    setenv("PAYG_TEST_CONTROL", "a\x01z", 1);
  }
};

TEST_F(Exits, OfEachKindAreHeard) {
  const ProxyConfig config = config_of(R"(
[[exit]]
name = "http"
kind = "http"
address = "proxy.example:3128"
username = "us"
password_env = "PAYG_TEST_PASSWORD"
[[exit]]
name = "socks"
kind = "socks5"
address = "[2001:db8::1]:1080"
resolve = "parent"
source_address = "192.0.2.7"
)");
  ASSERT_EQ(config.exits.size(), 2u);
  EXPECT_EQ(config.exits[0].kind, ExitKind::http);
  EXPECT_EQ(config.exits[0].address, "proxy.example:3128");
  EXPECT_EQ(config.exits[0].username, "us");
  EXPECT_EQ(config.exits[0].password, "pass:word");
  EXPECT_EQ(config.exits[0].resolve, NameResolution::proxy);
  EXPECT_EQ(config.exits[1].kind, ExitKind::socks5);
  EXPECT_EQ(config.exits[1].resolve, NameResolution::parent);
  EXPECT_EQ(config.exits[1].source_address, "192.0.2.7");
}

TEST_F(Exits, HaveTheirHealthLookedAfterByDefault) {
  EXPECT_EQ(config_of("").exit_health, ExitHealthConfig{});
  ExitHealthConfig expected;
  expected.failures = 1;
  expected.probe_target = "probe.example:443";
  expected.probe_interval = 0ms;
  expected.backoff = 50ms;
  expected.longest_backoff = 1h;
  EXPECT_EQ(config_of("[exit_health]\nfailures = 1\nprobe_target = 'probe.example:443'\n"
                      "probe_interval = '0s'\nbackoff = '50ms'\nlongest_backoff = '1h'\n")
                .exit_health,
            expected);
}

TEST_F(Exits, MayHaveAParentByAnyKindOfAddress) {
  for (const std::string address :
       {"192.0.2.1:1080", "[::1]:80", "localhost:1", "3proxy:3128", "a-b_c.d.example:65535"}) {
    EXPECT_EQ(
        config_of("[[exit]]\nname = 'a'\nkind = 'http'\naddress = '" + address + "'\n").exits[0].address,
        address);
  }
}

TEST_F(Exits, HaveNoParentByWhatIsNoHostAndPort) {
  for (const std::string address :
       {"", "proxy.example", "proxy.example:", "proxy.example:0", "proxy.example:65536", ":80", "127.1:80",
        "0x7f.1:80", "2130706433:80", "::1:80", "a..b:80", "http://a:80", "a b:80", "192.0.2.1:0"}) {
    const auto errors = errors_of("[[exit]]\nname = 'a'\nkind = 'http'\naddress = '" + address + "'\n");
    ASSERT_EQ(errors.size(), 1u) << address;
    EXPECT_TRUE(errors[0].starts_with("f:6:11: exit.address: \"" + address + "\" is no host and port"))
        << errors[0];
  }
}

constexpr Mistake mistakes[] = {
    {"IsOfNoKnownKind", "[[exit]]\nname = 'up'\nkind = 'tor'\naddress = 'a:1'\n",
     "f:5:8: exit.kind: \"tor\" is not known, expected one of \"direct\", \"http\", \"socks5\""},
    {"HasNoAddress", "[[exit]]\nname = 'up'\nkind = 'socks5'\n",
     "f:3:1: exit.address: missing, expected the parent's host and port, as in \"proxy.example:3128\""},
    {"IsDirectWithAnAddress", "[[exit]]\nname = 'up'\naddress = 'a:1'\n",
     "f:5:11: exit.address: a direct exit has no parent, expected kind = \"http\" or \"socks5\" with it"},
    {"IsDirectWithAPassword", "[[exit]]\nname = 'up'\npassword_env = 'A'\n",
     "f:5:16: exit.password_env: a direct exit has no parent, expected kind = \"http\" or \"socks5\" with "
     "it"},
    {"IsDirectWithAResolution", "[[exit]]\nname = 'up'\nkind = 'direct'\nresolve = 'parent'\n",
     "f:6:11: exit.resolve: a direct exit has no parent, expected kind = \"http\" or \"socks5\" with it"},
    {"HasAUsernameAlone", "[[exit]]\nname = 'up'\nkind = 'http'\naddress = 'a:1'\nusername = 'us'\n",
     "f:7:12: exit.username: has no password with it, expected password_env or password_file beside it"},
    {"HasAPasswordAlone",
     "[[exit]]\nname = 'up'\nkind = 'http'\naddress = 'a:1'\npassword_env = 'PAYG_TEST_PASSWORD'\n",
     "f:7:16: exit.password_env: has no user name with it, expected username beside it"},
    {"HasAPasswordThatIsNotSet",
     "[[exit]]\nname = 'up'\nkind = 'http'\naddress = 'a:1'\nusername = 'us'\n"
     "password_env = 'PAYG_TEST_NOT_SET'\n",
     "f:8:16: exit.password_env: the environment variable PAYG_TEST_NOT_SET is not set, expected the secret "
     "in it"},
    {"HasAColonInAnHttpUsername",
     "[[exit]]\nname = 'up'\nkind = 'http'\naddress = 'a:1'\nusername = 'u:s'\n"
     "password_env = 'PAYG_TEST_PASSWORD'\n",
     "f:7:12: exit.username: \"u:s\" has a colon or control characters, expected none, as HTTP Basic has it"},
    {"HasControlCharactersInAnHttpPassword",
     "[[exit]]\nname = 'up'\nkind = 'http'\naddress = 'a:1'\nusername = 'us'\n"
     "password_env = 'PAYG_TEST_CONTROL'\n",
     "f:8:16: exit.password_env: what was read from \"PAYG_TEST_CONTROL\" has control characters, expected "
     "none"},
    {"HasAPasswordThatSocksCannotCarry",
     "[[exit]]\nname = 'up'\nkind = 'socks5'\naddress = 'a:1'\nusername = 'us'\n"
     "password_env = 'PAYG_TEST_LONG'\n",
     "f:8:16: exit.password_env: what was read from \"PAYG_TEST_LONG\" is too long, expected at most 255 "
     "bytes, which is what SOCKS5 carries"},
    {"ResolvesNowhere", "[[exit]]\nname = 'up'\nkind = 'http'\naddress = 'a:1'\nresolve = 'here'\n",
     "f:7:11: exit.resolve: \"here\" is not known, expected one of \"proxy\", \"parent\""},
    {"IsNeverDown", "[exit_health]\nfailures = 0\n",
     "f:4:12: exit_health.failures: 0 is out of range, expected a whole number from 1 to 1000"},
    {"IsProbedNowhere", "[exit_health]\nprobe_target = 'example.com'\n",
     "f:4:16: exit_health.probe_target: \"example.com\" is no host and port, expected one such as "
     "\"proxy.example:3128\", \"192.0.2.1:1080\" or \"[2001:db8::1]:1080\""},
    {"BacksOffForLongerThanTheLongest", "[exit_health]\nbackoff = '2s'\nlongest_backoff = '1s'\n",
     "f:5:19: exit_health.longest_backoff: longest_backoff is shorter than backoff, expected at least as "
     "long"},
};

class BadExit : public Exits, public testing::WithParamInterface<Mistake> {};

TEST_P(BadExit, IsRefusedWithItsOwnMessage) {
  EXPECT_EQ(errors_of(GetParam().text), Errors{GetParam().message});
}

INSTANTIATE_TEST_SUITE_P(Which, BadExit, testing::ValuesIn(mistakes),
                         [](const auto& mistake) { return mistake.param.name; });

TEST_F(Exits, NeverHaveTheirPasswordsInMessages) {
  const auto errors = errors_of(
      "[[exit]]\nname = 'up'\nkind = 'http'\naddress = 'a:1'\nusername = 'us'\n"
      "password_env = 'PAYG_TEST_CONTROL'\n[[exit]]\nname = 'b'\nkind = 'socks5'\n"
      "address = 'a:1'\nusername = 'us'\npassword_env = 'PAYG_TEST_LONG'\n");
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors[0].find('\x01'), std::string::npos);
  EXPECT_EQ(errors[1].find("xxx"), std::string::npos);
}

}  // namespace
}  // namespace payg::config
