#include "proxy/proxy_protocol.h"

#include <gtest/gtest.h>

#include <string>

namespace payg::proxy {
namespace {

using namespace std::string_literals;
using State = ProxyHeader::State;

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string binary(char command, char family, const std::string& fields) {
  const auto length = static_cast<std::uint16_t>(fields.size());
  return signature + command + family + static_cast<char>(length >> 8) + static_cast<char>(length) + fields;
}

const std::string v4_fields = "\xc0\x00\x02\x01\x7f\x00\x00\x01\x10\x20\x00\x50"s;
const std::string v6_fields =
    "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01"s + std::string(16, '\0') + "\x10\x20\x00\x50"s;

std::string client_of(const std::string& bytes) {
  const ProxyHeader header = parse_proxy_header(bytes);
  if (header.state != State::complete) return header.state == State::malformed ? "malformed" : "incomplete";
  EXPECT_EQ(header.bytes, bytes.size());
  return header.client ? header.client->to_string() : "whoever connected";
}

TEST(ProxyProtocol, OfVersion1NamesTheClient) {
  EXPECT_EQ(client_of("PROXY TCP4 192.0.2.1 127.0.0.1 4128 80\r\n"), "192.0.2.1:4128");
  EXPECT_EQ(client_of("PROXY TCP6 2001:db8::1 ::1 4128 80\r\n"), "[2001:db8::1]:4128");
  EXPECT_EQ(client_of("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
            "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
  EXPECT_EQ(client_of("PROXY TCP6 ::ffff:192.0.2.1 ::1 4128 80\r\n"), "192.0.2.1:4128");
}

TEST(ProxyProtocol, OfVersion1MayNotKnowTheClient) {
  EXPECT_EQ(client_of("PROXY UNKNOWN\r\n"), "whoever connected");
  EXPECT_EQ(client_of("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), "whoever connected");
}

TEST(ProxyProtocol, OfVersion1IsReadToTheLetter) {
  for (const std::string line :
       {"PROXY TCP4 192.0.2.1 127.0.0.1 4128\r\n", "PROXY TCP4 192.0.2.1 127.0.0.1 4128 80 \r\n",
        "PROXY  TCP4 192.0.2.1 127.0.0.1 4128 80\r\n", "PROXY TCP4 192.0.2.1 127.0.0.1 65536 80\r\n",
        "PROXY TCP4 192.0.2.1 127.0.0.1 04128 80\r\n", "PROXY TCP4 192.0.2.1 127.0.0.1 +1 80\r\n",
        "PROXY TCP4 192.0.2.1 127.0.0.1  80\r\n", "PROXY TCP4 192.0.2 127.0.0.1 4128 80\r\n",
        "PROXY TCP4 2001:db8::1 ::1 4128 80\r\n", "PROXY TCP6 192.0.2.1 127.0.0.1 4128 80\r\n",
        "PROXY TCP5 192.0.2.1 127.0.0.1 4128 80\r\n", "PROXY TCP4 192.0.2.1 127.0.0.1 4128 80\n",
        "PROXY TCP4 192.0.2.1 127.0.0.1 4128 80\r\r\n", "PROXY \r\n", "proxy UNKNOWN\r\n",
        "GET / HTTP/1.1\r\n"})
    EXPECT_EQ(client_of(line), "malformed") << line;
}

TEST(ProxyProtocol, OfVersion1HasAtMost107Bytes) {
  const std::string start = "PROXY UNKNOWN ";
  EXPECT_EQ(client_of(start + std::string(105 - start.size(), 'x') + "\r\n"), "whoever connected");
  EXPECT_EQ(client_of(start + std::string(106 - start.size(), 'x') + "\r\n"), "malformed");
  EXPECT_EQ(client_of(start + std::string(106 - start.size(), 'x')), "incomplete");
  EXPECT_EQ(client_of(start + std::string(107 - start.size(), 'x')), "malformed");
}

TEST(ProxyProtocol, OfVersion2NamesTheClient) {
  EXPECT_EQ(client_of(binary('\x21', '\x11', v4_fields)), "192.0.2.1:4128");
  EXPECT_EQ(client_of(binary('\x21', '\x21', v6_fields)), "[2001:db8::1]:4128");
}

TEST(ProxyProtocol, OfVersion2SkipsWhatStandsBehindTheAddresses) {
  EXPECT_EQ(client_of(binary('\x21', '\x11', v4_fields + "\x04\x00\x03" + "abc")), "192.0.2.1:4128");
}

TEST(ProxyProtocol, OfVersion2MayNotSpeakOfTheClient) {
  EXPECT_EQ(client_of(binary('\x20', '\x00', "")), "whoever connected") << "LOCAL";
  EXPECT_EQ(client_of(binary('\x20', '\x11', v4_fields)), "whoever connected") << "LOCAL, with addresses";
  EXPECT_EQ(client_of(binary('\x20', '\x77', "x")), "whoever connected") << "LOCAL, whatever the family";
  EXPECT_EQ(client_of(binary('\x21', '\x00', "")), "whoever connected") << "unspecified";
  EXPECT_EQ(client_of(binary('\x21', '\x12', v4_fields)), "whoever connected") << "UDP";
  EXPECT_EQ(client_of(binary('\x21', '\x31', std::string(216, '/'))), "whoever connected") << "Unix socket";
}

TEST(ProxyProtocol, OfVersion2ThatIsWrongIsMalformed) {
  EXPECT_EQ(client_of(binary('\x11', '\x11', v4_fields)), "malformed") << "version";
  EXPECT_EQ(client_of(binary('\x22', '\x11', v4_fields)), "malformed") << "command";
  EXPECT_EQ(client_of(binary('\x21', '\x41', v4_fields)), "malformed") << "family";
  EXPECT_EQ(client_of(binary('\x21', '\x13', v4_fields)), "malformed") << "transport";
  EXPECT_EQ(client_of(binary('\x21', '\x11', v4_fields.substr(1))), "malformed") << "too short for IPv4";
  EXPECT_EQ(client_of(binary('\x21', '\x21', v6_fields.substr(1))), "malformed") << "too short for IPv6";
}

TEST(ProxyProtocol, OfVersion2HasAtMost2048BytesBehindItsFixedPart) {
  const std::string padding(ProxyHeader::most_binary_bytes - v4_fields.size(), 'x');
  EXPECT_EQ(client_of(binary('\x21', '\x11', v4_fields + padding)), "192.0.2.1:4128");
  const std::string too_long = binary('\x21', '\x11', v4_fields + padding + "x");
  EXPECT_EQ(client_of(too_long.substr(0, 16)), "malformed") << "as soon as it says so";
}

TEST(ProxyProtocol, IsIncompleteUntilItsLastByte) {
  for (const std::string& whole : {"PROXY TCP4 192.0.2.1 127.0.0.1 4128 80\r\n"s,
                                   binary('\x21', '\x21', v6_fields + "\x04\x00\x01x"s)}) {
    for (std::size_t length = 0; length < whole.size(); ++length)
      EXPECT_EQ(client_of(whole.substr(0, length)), "incomplete") << length;
    const ProxyHeader header = parse_proxy_header(whole + "behind it");
    EXPECT_EQ(header.state, State::complete);
    EXPECT_EQ(header.bytes, whole.size());
  }
}

TEST(ProxyProtocol, ThatCannotBeOneAnyMoreIsMalformedAtOnce) {
  for (const std::string& start :
       {"\x05"s, "G"s, "PROXX"s, "\r\n\r\nX"s, "\r\n\r\n\0\r\nQUIT\n\x30"s.substr(0, 4) + "y"})
    EXPECT_EQ(client_of(start), "malformed") << start;
}

}  // namespace
}  // namespace payg::proxy
