// PROXY_RULES, "PROXY protocol v1/v2": who is believed, and what becomes of a client's address.

#include <nlohmann/json.hpp>

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

using namespace std::string_literals;

constexpr auto text_header = "PROXY TCP4 192.0.2.7 127.0.0.1 4128 80\r\n";

std::string binary(char command, char family, const std::string& fields) {
  const auto length = static_cast<std::uint16_t>(fields.size());
  return "\r\n\r\n\0\r\nQUIT\n"s + command + family + static_cast<char>(length >> 8) +
         static_cast<char>(length) + fields;
}

const std::string v6_fields =
    "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x07"s + std::string(16, '\0') + "\x10\x20\x00\x50"s;

/// Behind a load balancer at 127.0.0.1, which is us.
class BehindAFront : public EitherProxy {
 protected:
  explicit BehindAFront(const std::string& front = "127.0.0.1/32", std::vector<std::string> lines = {})
      : EitherProxy(ProxySettings{.listener_lines = {"proxy_protocol_from = [\"" + front + "\"]"},
                                  .proxy_lines = with_log(std::move(lines))}) {}

  static std::vector<std::string> with_log(std::vector<std::string> lines) {
    lines.push_back("access_log = \"access.log\"");
    return lines;
  }

  /// `header` and what the client says first arrive together.
  RawClient connect_with(const std::string& header, std::size_t segment = 0) const {
    RawClient client(proxy_.address());
    if (GetParam() == Transport::tls) {
      client.start_tls({.first = header, .segment = segment});
    } else if (segment == 0) {
      client.send(header);
    } else {
      client.send_slowly(header);
    }
    return client;
  }
  /// Who the last connection came from, without his port; it has to be closed.
  std::string logged_client() const {
    std::string log;
    EXPECT_TRUE(
        eventually([&] { return (log = read_file(proxy_.folder() + "/access.log")).ends_with('\n'); }));
    const auto start = log.rfind('\n', log.size() - 2);
    const auto line = nlohmann::json::parse(log.substr(start == log.npos ? 0 : start + 1));
    const std::string client = line.at("client");
    return client.substr(0, client.rfind(':'));
  }
  /// What the origin sent is what matters; who asked stands in the access log.
  std::string client_seen(const std::string& header, std::size_t segment = 0) const {
    const Origin origin(scripts::answer_ok("served"));
    {
      RawClient client = connect_with(header, segment);
      client.send(get(origin));
      EXPECT_EQ(read_response(client).body.content, "served");
    }
    return logged_client();
  }
  /// Nothing but an end comes of this.
  void expect_closed(const std::string& raw) const {
    RawClient client(proxy_.address());
    client.send(raw);
    EXPECT_EQ(client.read_to_end(), "") << raw;
  }
};

INSTANTIATE_TEST_SUITE_P(By, BehindAFront, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(BehindAFront, TheHeaderOfVersion1SaysWhoTheClientIs) {
  EXPECT_EQ(client_seen(text_header), "192.0.2.7");
}

TEST_P(BehindAFront, TheHeaderOfVersion2SaysWhoTheClientIs) {
  EXPECT_EQ(client_seen(binary('\x21', '\x21', v6_fields)), "[2001:db8::7]");
}

TEST_P(BehindAFront, WhatStandsBehindTheAddressesIsSkipped) {
  EXPECT_EQ(client_seen(binary('\x21', '\x21', v6_fields + "\x04\x07\x00"s + std::string(1792, 'x'))),
            "[2001:db8::7]");
}

TEST_P(BehindAFront, TheHeaderMayArriveOneByteAtATime) {
  EXPECT_EQ(client_seen(text_header, 1), "192.0.2.7");
}

TEST_P(BehindAFront, TheBinaryHeaderMayArriveOneByteAtATime) {
  EXPECT_EQ(client_seen(binary('\x21', '\x21', v6_fields), 1), "[2001:db8::7]");
}

TEST_P(BehindAFront, WhoIsNotNamedIsWhoConnected) {
  for (const std::string& header :
       {"PROXY UNKNOWN\r\n"s, "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"s, binary('\x20', '\x00', ""),
        binary('\x20', '\x21', v6_fields), binary('\x21', '\x00', "")})
    EXPECT_EQ(client_seen(header), "127.0.0.1") << header;
}

TEST_P(BehindAFront, WithoutAHeaderNothingIsSaid) {
  const Origin origin(scripts::answer_ok());
  expect_closed(get(origin));
  expect_closed("\x05\x01\x00"s);
  expect_closed("\x16\x03\x01\x00\x05hello"s);
  EXPECT_EQ(origin.connections(), 0);
}

TEST_P(BehindAFront, AHeaderThatIsWrongIsTheEnd) {
  for (const std::string& header :
       {"PROXY TCP4 192.0.2.7 127.0.0.1 4128\r\n"s, "PROXY TCP4 192.0.2.7 127.0.0.1 4128 65536\r\n"s,
        "PROXY UNKNOWN "s + std::string(200, 'x'), "PROXY UNKNOWN\n"s, "\r\n\r\nGET"s,
        binary('\x31', '\x21', v6_fields), binary('\x21', '\x51', v6_fields), binary('\x21', '\x21', "short"),
        binary('\x21', '\x21', std::string(2049, 'x')).substr(0, 16)})
    expect_closed(header);
}

TEST_P(BehindAFront, SecondHeaderIsWhatAClientSays) {
  RawClient client = connect_with(text_header);
  client.send("PROXY TCP4 203.0.113.9 127.0.0.1 1 2\r\n\r\n");
  EXPECT_EQ(read_response(client).status, 400);
  client.close();
  EXPECT_EQ(logged_client(), "192.0.2.7");
}

/// The front is somebody else.
class BesideAFront : public BehindAFront {
 protected:
  BesideAFront() : BehindAFront("192.0.2.0/24") {}
};

INSTANTIATE_TEST_SUITE_P(By, BesideAFront, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(BesideAFront, AHeaderIsNeverLookedFor) {
  {
    RawClient client(proxy_.address());
    client.send(text_header + "\r\n"s);
    EXPECT_EQ(read_response(client).status, 400);
  }
  EXPECT_EQ(logged_client(), "127.0.0.1");
}

TEST_P(BesideAFront, ClientsConnectAsEver) {
  EXPECT_EQ(client_seen(""), "127.0.0.1");
}

class BehindASlowFront : public BehindAFront {
 protected:
  BehindASlowFront() : BehindAFront("127.0.0.1", {"handshake_timeout = \"300ms\""}) {}
};

INSTANTIATE_TEST_SUITE_P(By, BehindASlowFront, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(BehindASlowFront, AHeaderThatDoesNotBecomeWholeIsGivenUp) {
  expect_closed("PROXY TCP4 192.0.2.7");
  expect_closed(binary('\x21', '\x21', v6_fields).substr(0, 20));
}

// ---- how many from one address

class CrowdBehindAFront : public BehindAFront {
 protected:
  CrowdBehindAFront() : BehindAFront("127.0.0.1", {"max_connections_per_client_address = 1"}) {}

  int status_of(const std::string& client, RawClient& connection) const {
    connection = connect_with("PROXY TCP6 " + client + " ::1 4128 80\r\n");
    connection.send("OPTIONS http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\nMax-Forwards: 0\r\n\r\n");
    return read_response(connection).status;
  }
};

INSTANTIATE_TEST_SUITE_P(By, CrowdBehindAFront, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(CrowdBehindAFront, IsCountedByTheNetworksOfItsClientsAndNotByTheFront) {
  RawClient first(proxy_.address()), second(proxy_.address()), third(proxy_.address());
  EXPECT_EQ(status_of("2001:db8:0:1::1", first), 200);
  EXPECT_EQ(status_of("2001:db8:0:1:ffff::1", second), 429) << "the same /64";
  EXPECT_EQ(status_of("2001:db8:0:2::1", third), 200) << "another one";
}

}  // namespace
}  // namespace payg::test
