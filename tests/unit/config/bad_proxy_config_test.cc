#include <gtest/gtest.h>

#include "config/proxy_config.h"
#include "tests/unit/config/mistake.h"

namespace payg::config {
namespace {

constexpr Mistake mistakes[] = {
    {"AValueIsMissing", "[proxy]\nworkers = \n",
     "f.toml:2:11: syntax: Error while parsing key-value pair: expected value, saw '\\n'"},
    {"AKeyIsThereTwice", "[proxy]\nworkers = 1\nworkers = 2\n",
     "f.toml:3:11: syntax: Error while parsing key-value pair: cannot redefine existing integer 'workers'"},
    {"ATableHasNoName", "[[[",
     "f.toml:1:3: syntax: Error while parsing key: expected bare key starting character or string delimiter, "
     "saw '['"},
    {"ATableBeginsWithADot", "[.a]",
     "f.toml:1:2: syntax: Error while parsing key: expected bare key starting character or string delimiter, "
     "saw '.'"},
    {"ATableIsAnEqualsSign", "[=]",
     "f.toml:1:2: syntax: Error while parsing key: expected bare key starting character or string delimiter, "
     "saw '='"},
    {"ATableIsAComment", "[#",
     "f.toml:1:2: syntax: Error while parsing key: expected bare key starting character or string delimiter, "
     "saw '#'"},
    {"AKeyIsFollowedByAnArabicLetter", "node\uFEFC = 1\n",
     "f.toml:1:5: syntax: Error while parsing key-value pair: expected '=', saw '\uFEFC'"},
    {"TheTextIsNoUtf8", "a = \"\xff\"\n", "f.toml:1:5: syntax: Encountered invalid utf-8 sequence"},
    {"TheFileIsEmpty", "", "f.toml:1:1: listener: missing, expected at least one [[listener]]"},
    {"TheListOfListenersIsEmpty", "listener = []\n",
     "f.toml:1:1: listener: missing, expected at least one [[listener]]"},
    {"AKeyIsMistyped", "[proxy]\nworker = 4\n[[listener]]\naddress = '127.0.0.1:1'\n",
     "f.toml:2:1: proxy.worker: unknown key, did you mean \"workers\"?"},
    {"AKeyHasALineBreakInIt", "[[listener]]\naddress = '127.0.0.1:1'\n\"col\\nour\" = 'blue'\n",
     "f.toml:3:1: listener.col?our: unknown key, expected one of: address, protocols, "
     "proxy_protocol_from, tls, udp_address"},
    {"AKeyIsLikeNoOther", "[[listener]]\naddress = '127.0.0.1:1'\ncolour = 'blue'\n",
     "f.toml:3:1: listener.colour: unknown key, expected one of: address, protocols, "
     "proxy_protocol_from, tls, udp_address"},
    {"AnAddressForDatagramsIsNone", "[[listener]]\naddress = '127.0.0.1:1'\nudp_address = 'here'\n",
     "f.toml:3:15: listener.udp_address: \"here\" is no address, expected one such as \"192.0.2.1\" or "
     "\"2001:db8::1\""},
    {"AnAddressForDatagramsIsNobodys", "[[listener]]\naddress = '127.0.0.1:1'\nudp_address = '::'\n",
     "f.toml:3:15: listener.udp_address: \"::\" is nobody's address, expected the one that clients are to "
     "send to"},
    {"ATableIsMistyped", "[proxi]\nworkers = 4\n[[listener]]\naddress = '127.0.0.1:1'\n",
     "f.toml:1:2: proxi: unknown key, did you mean \"proxy\"?"},
    {"ATableStandsWhereAListOfTablesBelongs", "[listener]\naddress = '127.0.0.1:1'\n",
     "f.toml:1:1: listener: this is a table, expected a list of tables: [[listener]]"},
    {"ACountIsAString", "[proxy]\nworkers = 'four'\n[[listener]]\naddress = '127.0.0.1:1'\n",
     "f.toml:2:11: proxy.workers: \"four\" is a string, expected a whole number from 0 to 1024"},
    {"ACountIsNegative", "[proxy]\nmax_connections = -1\n[[listener]]\naddress = '127.0.0.1:1'\n",
     "f.toml:2:19: proxy.max_connections: -1 is out of range, expected a whole number from 0 to 10000000"},
    {"ACountHasAPoint", "[proxy]\nmax_connections_per_user = 1.5\n[[listener]]\naddress = '127.0.0.1:1'\n",
     "f.toml:2:28: proxy.max_connections_per_user: 1.5 is a number with a point, expected a whole number "
     "from 1 "
     "to 10000000"},
    {"ADurationHasNoUnit", "[proxy]\nidle_timeout = 300\n[[listener]]\naddress = '127.0.0.1:1'\n",
     "f.toml:2:16: proxy.idle_timeout: 300 has no unit, expected a length of time such as \"250ms\", "
     "\"10s\", "
     "\"5m\" or \"1h\""},
    {"ADurationIsZero", "[proxy]\nconnect_timeout = '0s'\n[[listener]]\naddress = '127.0.0.1:1'\n",
     "f.toml:2:19: proxy.connect_timeout: \"0s\" is too short, expected at least 1ms"},
    {"ADurationIsNotWhole", "[proxy]\n  drain_timeout = '1.5s'\n[[listener]]\naddress = '127.0.0.1:1'\n",
     "f.toml:2:19: proxy.drain_timeout: \"1.5s\" is no length of time, expected a whole number of ms, s, m "
     "or h, "
     "at most 8760h"},
    {"ADurationIsLongerThanAYear",
     "[proxy]\nhandshake_timeout = '8761h'\n[[listener]]\naddress = '127.0.0.1:1'\n",
     "f.toml:2:21: proxy.handshake_timeout: \"8761h\" is no length of time, expected a whole number of ms, "
     "s, m or "
     "h, at most 8760h"},
    {"ABlockHasBitsBehindItsPrefix",
     "[proxy]\nallow_targets = ['10.0.0.0/8', '10.1.1.1/8']\n[[listener]]\naddress = '127.0.0.1:1'\n",
     "f.toml:2:32: proxy.allow_targets: \"10.1.1.1/8\" is no block of addresses, expected a CIDR such as "
     "\"10.0.0.0/8\" or \"::1/128\""},
    {"AListHoldsANumber", "[proxy]\nallow_targets = [7]\n[[listener]]\naddress = '127.0.0.1:1'\n",
     "f.toml:2:18: proxy.allow_targets: 7 is a whole number, expected a list of strings"},
    {"ANameserverIsAName", "[proxy]\nnameservers = ['dns.example']\n[[listener]]\naddress = '127.0.0.1:1'\n",
     "f.toml:2:16: proxy.nameservers: \"dns.example\" is no address, expected one such as \"192.0.2.53\" or "
     "\"[2001:db8::53]:53\""},
    {"ALogLevelIsNotKnown", "[proxy]\nlog_level = 'warn'\n[[listener]]\naddress = '127.0.0.1:1'\n",
     "f.toml:2:13: proxy.log_level: \"warn\" is not known, expected one of \"debug\", \"info\", \"warning\", "
     "\"error\""},
    {"AListenerHasNoAddress", "[[listener]]\nprotocols = ['http']\n",
     "f.toml:1:1: listener.address: missing, expected an address and a port, as in \"127.0.0.1:8080\""},
    {"AListenerIsAName", "[[listener]]\naddress = 'localhost:8080'\n",
     "f.toml:2:11: listener.address: \"localhost:8080\" is no address and port, expected one such as "
     "\"127.0.0.1:8080\" or \"[::1]:8080\""},
    {"APortIsTooHigh", "[[listener]]\naddress = '127.0.0.1:65536'\n",
     "f.toml:2:11: listener.address: \"127.0.0.1:65536\" is no address and port, expected one such as "
     "\"127.0.0.1:8080\" or \"[::1]:8080\""},
    {"TwoListenersShareAnAddress",
     "[[listener]]\naddress = '127.0.0.1:8080'\n[[listener]]\naddress = '127.0.0.1:8080'\n",
     "f.toml:4:11: listener.address: \"127.0.0.1:8080\" is taken by another [[listener]]"},
    {"AProtocolIsRepeated", "[[listener]]\naddress = '127.0.0.1:1'\nprotocols = ['http', 'http']\n",
     "f.toml:3:22: listener.protocols: \"http\" is repeated, expected each protocol once"},
    {"AProtocolIsNotKnown", "[[listener]]\naddress = '127.0.0.1:1'\nprotocols = ['socks4']\n",
     "f.toml:3:14: listener.protocols: \"socks4\" is no protocol, expected \"http\" or \"socks5\""},
    {"NoProtocolIsNamed", "[[listener]]\naddress = '127.0.0.1:1'\nprotocols = []\n",
     "f.toml:3:13: listener.protocols: the list is empty, expected \"http\", \"socks5\" or both"},
    {"ACertificateHasNoKey", "[[listener]]\naddress = '127.0.0.1:1'\ntls = { certificate = 'cert.pem' }\n",
     "f.toml:3:7: listener.tls.key: missing, expected the file of its private key in PEM, as in "
     "\"key.pem\""},
    {"AKeyHasNoCertificate", "[[listener]]\naddress = '127.0.0.1:1'\ntls = { key = 'key.pem' }\n",
     "f.toml:3:7: listener.tls.certificate: missing, expected the file of a certificate chain in PEM, as in "
     "\"cert.pem\""},
    {"ACertificateHasNoName",
     "[[listener]]\naddress = '127.0.0.1:1'\ntls = { certificate = '', key = 'key.pem' }\n",
     "f.toml:3:23: listener.tls.certificate: is empty, expected the file of a certificate chain in PEM"
     ", as in \"cert.pem\""},
    {"TlsIsAFlag", "[[listener]]\naddress = '127.0.0.1:1'\ntls = true\n",
     "f.toml:3:7: listener.tls: true is a flag, expected the table [listener.tls]"},
    {"AFrontIsNoBlockOfAddresses",
     "[[listener]]\naddress = '127.0.0.1:1'\nproxy_protocol_from = ['10.0.0.1/8']\n",
     "f.toml:3:24: listener.proxy_protocol_from: \"10.0.0.1/8\" is no block of addresses, expected a CIDR "
     "such "
     "as \"10.0.0.0/8\" or \"::1/128\""},
    {"AnExitHasNoName", "[[listener]]\naddress = '127.0.0.1:1'\n[[exit]]\nkind = 'direct'\n",
     "f.toml:3:1: exit.name: missing, expected a name, as in \"direct\""},
    {"TwoExitsShareAName",
     "[[listener]]\naddress = '127.0.0.1:1'\n[[exit]]\nname = 'a'\n[[exit]]\nname = 'a'\n",
     "f.toml:6:8: exit.name: \"a\" is the name of another [[exit]] already"},
    {"ACityHasABlank", "[[listener]]\naddress = '127.0.0.1:1'\n[[exit]]\nname = 'a'\ncity = 'new york'\n",
     "f.toml:5:8: exit.city: \"new york\" is no name of a place, expected 1 to 64 letters, digits or '_'"},
    {"ASourceAddressHasAPort",
     "[[listener]]\naddress = '127.0.0.1:1'\n[[exit]]\nname = 'a'\nsource_address = '192.0.2.1:80'\n",
     "f.toml:5:18: exit.source_address: \"192.0.2.1:80\" is no address, expected one such as \"192.0.2.1\" "
     "or "
     "\"2001:db8::1\""},
    {"AWeightIsZero", "[[listener]]\naddress = '127.0.0.1:1'\n[[exit]]\nname = 'a'\nweight = 0\n",
     "f.toml:5:10: exit.weight: 0 is out of range, expected a whole number from 1 to 1000"},
    {"APluginHasNoModule", "[[listener]]\naddress = '127.0.0.1:1'\n[[plugin]]\nname = 'billing'\n",
     "f.toml:3:1: plugin.module: missing, expected the file of the module, as in \"billing.so\""},
    {"APluginIsNamedAsATableOfTheProxy",
     "[[listener]]\naddress = '127.0.0.1:1'\n[[plugin]]\nname = 'proxy'\nmodule = 'a.so'\n",
     "f.toml:4:8: plugin.name: \"proxy\" is a table of the proxy itself, expected another name"},
    {"TwoPluginsShareAName",
     "[[listener]]\naddress = '127.0.0.1:1'\n[[plugin]]\nname = 'a'\nmodule = 'a.so'\n[[plugin]]\nname = "
     "'a'\n"
     "module = 'b.so'\n",
     "f.toml:7:8: plugin.name: \"a\" is the name of another [[plugin]] already"},
    {"ThereAreTooManyPlugins",
     "plugin = [{name='a',module='a'}, {name='b',module='b'}, {name='c',module='c'}, {name='d',module='d'},\n"
     "  {name='e',module='e'}]\n[[listener]]\naddress = '127.0.0.1:1'\n",
     "f.toml:2:3: plugin: one plugin too many, expected at most 4"},
    {"ABillingTableHasNoPlugin", "[[listener]]\naddress = '127.0.0.1:1'\n[billing]\n",
     "f.toml:3:1: billing: no [[plugin]] reads this table, expected one with name = \"billing\""},
};

class BadProxyConfig : public testing::TestWithParam<Mistake> {};

TEST_P(BadProxyConfig, IsRefusedWithItsOwnMessage) {
  const auto config = read_proxy_config("f.toml", GetParam().text);
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error(), Errors{GetParam().message});
}

INSTANTIATE_TEST_SUITE_P(Mistakes, BadProxyConfig, testing::ValuesIn(mistakes),
                         [](const auto& mistake) { return mistake.param.name; });

TEST(BadProxyConfigs, AllMistakesOfAFileAreNamedInItsOrder) {
  const auto config = read_proxy_config("etc/p.toml",
                                        "[proxy]\nwrkers = 4\nidle_timeout = '0s'\nlog_level = 7\n"
                                        "[[listener]]\naddress = ':80'\n");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(
      config.error(),
      (Errors{"etc/p.toml:2:1: proxy.wrkers: unknown key, did you mean \"workers\"?",
              "etc/p.toml:3:16: proxy.idle_timeout: \"0s\" is too short, expected at least 1ms",
              "etc/p.toml:4:13: proxy.log_level: 7 is a whole number, expected one of \"debug\", \"info\", "
              "\"warning\", \"error\"",
              "etc/p.toml:6:11: listener.address: \":80\" is no address and port, expected one such as "
              "\"127.0.0.1:8080\" or \"[::1]:8080\""}));
}

TEST(BadProxyConfigs, ControlCharactersOfTheFileDoNotReachTheTerminal) {
  const auto config = read_proxy_config("f", "[[listener]]\naddress = \"\\u001b[2J\"\n");
  ASSERT_FALSE(config.ok());
  ASSERT_EQ(config.error().size(), 1u);
  EXPECT_EQ(config.error()[0].find('\x1b'), std::string::npos) << config.error()[0];
}

}  // namespace
}  // namespace payg::config
