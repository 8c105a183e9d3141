#include "proxy/socks/socks5.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/proxy/arrivals.h"

namespace payg::socks {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

/// Calls `parse(bytes so far)` as the bytes come in, until it has made up its mind.
template <class Parse>
ParseOutcome arriving(std::string_view bytes, const std::vector<std::size_t>& sizes, test::Received& received,
                      Parse parse) {
  ParseOutcome outcome;
  for (const std::size_t size : sizes) {
    outcome = parse(received.first(bytes, size));
    if (outcome.state != ParseState::incomplete) break;
  }
  return outcome;
}

/// However the bytes come in, they are refused with this answer, and not before `needed` of them are there.
template <class Parse>
void expect_refused(std::string_view bytes, std::string_view answer, std::size_t needed, Parse parse) {
  for (const auto& sizes : test::arrivals(bytes.size())) {
    test::Received received;
    const auto outcome = arriving(bytes, sizes, received, parse);
    ASSERT_EQ(outcome.state, ParseState::refused) << testing::PrintToString(bytes);
    EXPECT_EQ(outcome.answer, answer) << testing::PrintToString(bytes);
    EXPECT_FALSE(outcome.detail.empty());
  }
  for (std::size_t size = 0; size < needed; ++size) {
    test::Received received;
    EXPECT_EQ(parse(received.first(bytes, size)).state, ParseState::incomplete) << size;
  }
}

const auto greeting_parse = [](std::string_view bytes) {
  Greeting out;
  return parse_greeting(bytes, out);
};
const auto credentials_parse = [](std::string_view bytes) {
  Credentials out;
  return parse_credentials(bytes, out);
};
const auto request_parse = [](std::string_view bytes) {
  Request out;
  return parse_request(bytes, out);
};

struct GreetingCase {
  std::string bytes;
  bool no_credentials;
  bool user_name_password;
};

TEST(Socks5Greeting, IsReadHoweverItIsCut) {
  std::string all_methods = "\x05\xff"s;
  for (int method = 0; method < 255; ++method) all_methods += static_cast<char>(method);
  const std::string gssapi_only = "\x05\xff"s + std::string(255, '\x01');
  for (const auto& expected :
       {GreetingCase{"\x05\x01\x00"s, true, false}, GreetingCase{"\x05\x01\x02"s, false, true},
        GreetingCase{"\x05\x02\x00\x02"s, true, true}, GreetingCase{"\x05\x02\x02\x01"s, false, true},
        GreetingCase{"\x05\x00"s, false, false}, GreetingCase{all_methods, true, true},
        GreetingCase{gssapi_only, false, false}}) {
    const std::string bytes = expected.bytes + "next";
    for (const auto& sizes : test::arrivals(bytes.size())) {
      test::Received received;
      Greeting out;
      const auto outcome =
          arriving(bytes, sizes, received, [&](auto there) { return parse_greeting(there, out); });
      ASSERT_EQ(outcome.state, ParseState::complete);
      EXPECT_EQ(outcome.consumed, expected.bytes.size());
      EXPECT_EQ(out.offers_no_credentials, expected.no_credentials);
      EXPECT_EQ(out.offers_user_name_password, expected.user_name_password);
    }
  }
}

TEST(Socks5Greeting, OfAnotherProtocolIsRefusedWithoutAWord) {
  for (const auto bytes : {"GET / HTTP/1.1"sv, "\x06\x01\x00"sv, "\x00"sv, "\x16\x03\x01"sv})
    expect_refused(bytes, "", 1, greeting_parse);
}

TEST(Socks5Greeting, OfSocks4IsRefusedInItsOwnTongueWhenItIsThereAsAWhole) {
  const auto rejected = "\x00\x5b\x00\x00\x00\x00\x00\x00"sv;
  const auto v4 = "\x04\x01\x00\x50\x7f\x00\x00\x01user\x00"sv;
  expect_refused(v4, rejected, v4.size(), greeting_parse);
  const auto v4a =
      "\x04\x01\x00\x50\x00\x00\x00\x01user\x00"
      "example.com\x00"sv;
  expect_refused(v4a, rejected, v4a.size(), greeting_parse);
  const auto nobody = "\x04\x02\x00\x50\x7f\x00\x00\x01\x00"sv;
  expect_refused(nobody, rejected, nobody.size(), greeting_parse);
  expect_refused("\x04\x01\x00\x50\x7f\x00\x00\x01"s + std::string(300, 'u'), rejected, 200, greeting_parse);
}

TEST(Socks5Method, IsToldInTwoBytes) {
  EXPECT_EQ(method_selection(Method::no_credentials), "\x05\x00"sv);
  EXPECT_EQ(method_selection(Method::user_name_password), "\x05\x02"sv);
  EXPECT_EQ(method_selection(Method::unacceptable), "\x05\xff"sv);
}

std::string credentials_bytes(const std::string& name, const std::string& password) {
  return "\x01"s + static_cast<char>(name.size()) + name + static_cast<char>(password.size()) + password;
}

TEST(Socks5Credentials, AreReadHoweverTheyAreCut) {
  const std::string longest(255, 'x');
  for (const auto& [name, password] : {std::pair{"user"s, "pass"s},
                                       {""s, ""s},
                                       {"user"s, ""s},
                                       {""s, "pass"s},
                                       {longest, longest},
                                       {"\0\r\n\xff"s, "a:b"s}}) {
    const std::string message = credentials_bytes(name, password);
    const std::string bytes = message + "next";
    for (const auto& sizes : test::arrivals(bytes.size())) {
      test::Received received;
      Credentials out;
      const auto outcome =
          arriving(bytes, sizes, received, [&](auto there) { return parse_credentials(there, out); });
      ASSERT_EQ(outcome.state, ParseState::complete);
      EXPECT_EQ(outcome.consumed, message.size());
      EXPECT_EQ(out.name, name);
      EXPECT_EQ(out.password, password);
    }
    for (std::size_t size = 0; size < message.size(); ++size)
      EXPECT_EQ(credentials_parse(message.substr(0, size)).state, ParseState::incomplete);
  }
}

TEST(Socks5Credentials, OfAnotherVersionAreAFailure) {
  for (const auto bytes : {"\x00\x01u\x01p"sv, "\x02\x01u\x01p"sv, "\x05\x01u\x01p"sv})
    expect_refused(bytes, "\x01\x01"sv, 1, credentials_parse);
}

TEST(Socks5Credentials, AreAnsweredInTwoBytes) {
  EXPECT_EQ(credentials_reply(CredentialsStatus::success), "\x01\x00"sv);
  EXPECT_EQ(credentials_reply(CredentialsStatus::failure), "\x01\x01"sv);
}

const auto ipv4_address = "\x01\x7f\x00\x00\x01"s;
const auto ipv6_address = "\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"s;

std::string domain(const std::string& name) {
  return "\x03"s + static_cast<char>(name.size()) + name;
}

std::string request_bytes(const std::string& address, const std::string& port = "\x01\xbb"s,
                          const std::string& beginning = "\x05\x01\x00"s) {
  return beginning + address + port;
}

struct RequestCase {
  std::string address;
  std::string text;
  bool is_address;
};

TEST(Socks5Request, IsReadHoweverItIsCut) {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  for (const auto& expected :
       {RequestCase{ipv4_address, "127.0.0.1", true}, RequestCase{ipv6_address, "2001:db8::1", true},
        RequestCase{domain("Example.COM"), "example.com", false},
        RequestCase{domain("example.com."), "example.com", false},
        RequestCase{domain("127.0.0.1"), "127.0.0.1", true}, RequestCase{domain("::1"), "::1", true},
        RequestCase{domain("::FFFF:7f00:1"), "::ffff:127.0.0.1", true},
        RequestCase{domain(longest), longest, false}}) {
    const std::string message = request_bytes(expected.address);
    const std::string bytes = message + "early data";
    for (const auto& sizes : test::arrivals(bytes.size())) {
      test::Received received;
      Request out;
      const auto outcome =
          arriving(bytes, sizes, received, [&](auto there) { return parse_request(there, out); });
      ASSERT_EQ(outcome.state, ParseState::complete) << expected.text << outcome.detail;
      EXPECT_EQ(outcome.consumed, message.size());
      EXPECT_EQ(out.host.text, expected.text);
      EXPECT_EQ(out.host.address.has_value(), expected.is_address);
      EXPECT_EQ(out.port, 443);
    }
    for (std::size_t size = 0; size < message.size(); ++size)
      EXPECT_EQ(request_parse(message.substr(0, size)).state, ParseState::incomplete);
  }
}

void expect_refused(const std::string& bytes, Reply reply, std::size_t needed) {
  expect_refused(bytes, unbound_reply(reply), needed, request_parse);
}

TEST(Socks5Request, ToAssociateSaysNothingButWhereTheClientSendsFrom) {
  for (const auto& address : {ipv4_address, ipv6_address, domain("my-pc"), domain("")}) {
    const std::string bytes = request_bytes(address, "\x12\x34"s, "\x05\x03\x00"s);
    Request out;
    out.host.text = "what was there before";
    const auto outcome = parse_request(bytes + "behind it", out);
    ASSERT_EQ(outcome.state, ParseState::complete) << outcome.detail;
    EXPECT_EQ(outcome.consumed, bytes.size());
    EXPECT_EQ(out.command, Command::udp_associate);
    EXPECT_EQ(out.host.text, "");
    EXPECT_EQ(out.port, 0);
    const bool is_address = address == ipv4_address || address == ipv6_address;
    EXPECT_EQ(out.client.has_value(), is_address);
    if (is_address) {
      EXPECT_EQ(out.client->port(), 0x1234);
    }
  }
  Request out;
  EXPECT_EQ(parse_request(request_bytes(ipv4_address, "\x00\x00"s, "\x05\x03\x00"s), out).state,
            ParseState::complete);
}

TEST(Socks5Datagram, IsReadWhole) {
  const auto head = "\x00\x00\x00"s;
  Datagram out;
  const std::string v4 = request_bytes(ipv4_address, "\x00\x35"s, head) + "payload";
  ASSERT_TRUE(parse_datagram(v4, out));
  EXPECT_EQ(out.host.text, "127.0.0.1");
  EXPECT_EQ(out.port, 53);
  EXPECT_EQ(out.payload, "payload");
  const std::string name = request_bytes(domain("Example.com."), "\x00\x35"s, head);
  ASSERT_TRUE(parse_datagram(name, out));
  EXPECT_EQ(out.host.text, "example.com");
  EXPECT_FALSE(out.host.address);
  EXPECT_EQ(out.payload, "");
  ASSERT_TRUE(parse_datagram(request_bytes(ipv6_address, "\x00\x35"s, head) + "6", out));
  EXPECT_EQ(out.host.text, "2001:db8::1");
}

TEST(Socks5Datagram, OfWhichAByteIsWrongIsNone) {
  const std::string good = request_bytes(ipv4_address, "\x00\x35"s, "\x00\x00\x00"s);
  Datagram out;
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(parse_datagram(good.substr(0, size), out));
  for (const auto& beginning : {"\x01\x00\x00"s, "\x00\x01\x00"s, "\x00\x00\x01"s, "\x00\x00\x80"s})
    EXPECT_FALSE(parse_datagram(request_bytes(ipv4_address, "\x00\x35"s, beginning), out));
  const auto head = "\x00\x00\x00"s;
  EXPECT_FALSE(parse_datagram(request_bytes(ipv4_address, "\x00\x00"s, head), out)) << "port 0";
  EXPECT_FALSE(parse_datagram(request_bytes("\x02 12345678", "\x00\x35"s, head), out));
  EXPECT_FALSE(parse_datagram(request_bytes(domain(""), "\x00\x35"s, head), out));
  EXPECT_FALSE(parse_datagram(request_bytes(domain("127.1"), "\x00\x35"s, head), out));
}

TEST(Socks5Datagram, ThatComesBackNamesItsSource) {
  const auto source = SocketAddress::parse("192.0.2.7:258").value();
  EXPECT_EQ(DatagramHead(source).view(), "\x00\x00\x00\x01\xc0\x00\x02\x07\x01\x02"sv);
  const auto source6 = SocketAddress::parse("[2001:db8::1]:258").value();
  EXPECT_EQ(DatagramHead(source6).view(), "\x00\x00\x00"s + ipv6_address + "\x01\x02");
}

TEST(Socks5Request, IsRefusedWhenItIsNeitherConnectNorUdpAssociate) {
  for (const char command : {'\x00', '\x02', '\x04', '\xff'}) {
    const std::string bytes = request_bytes(ipv4_address, "\x00\x50"s, "\x05"s + command + "\x00"s);
    expect_refused(bytes, Reply::command_not_supported, bytes.size());
  }
}

TEST(Socks5Request, IsRefusedWhenItsAddressTypeIsUnknown) {
  for (const char type : {'\x00', '\x02', '\x05', '\xff'})
    expect_refused(request_bytes(std::string(1, type) + "1234"), Reply::address_type_not_supported, 4);
}

TEST(Socks5Request, IsRefusedWhenAByteIsWrong) {
  expect_refused(request_bytes(ipv4_address, "\x00\x50"s, "\x04\x01\x00"s), Reply::general_failure, 1);
  for (const auto& bytes :
       {request_bytes(ipv4_address, "\x00\x50"s, "\x05\x01\x01"s),
        request_bytes(ipv6_address, "\x00\x50"s, "\x05\x01\xff"s), request_bytes(ipv4_address, "\x00\x00"s),
        request_bytes(domain("a"), "\x00\x00"s)})
    expect_refused(bytes, Reply::general_failure, bytes.size());
}

TEST(Socks5Request, IsRefusedWhenItsDomainIsNone) {
  for (const auto& name : {""s, "127.1"s, "2130706433"s, "0x7f.1"s, "1.2.3.4."s, "[::1]"s, "[example.com]"s,
                           "a b"s, "a\0b"s, "a..b"s, "example.com:80"s, "http://a"s, std::string(255, 'a')}) {
    const std::string bytes = request_bytes(domain(name));
    expect_refused(bytes, Reply::general_failure, bytes.size());
  }
}

TEST(Socks5Reply, TellsWhatIsBound) {
  const auto bound = [](const char* text) { return SocketAddress::parse(text).value(); };
  EXPECT_EQ(ReplyBytes(Reply::succeeded, bound("192.0.2.1:443")).view(),
            "\x05\x00\x00\x01\xc0\x00\x02\x01\x01\xbb"sv);
  EXPECT_EQ(ReplyBytes(Reply::succeeded, bound("[2001:db8::1]:65535")).view(),
            "\x05\x00\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\xff\xff"sv);
  EXPECT_EQ(ReplyBytes(Reply::succeeded, bound("[::ffff:192.0.2.1]:80")).view(),
            "\x05\x00\x00\x01\xc0\x00\x02\x01\x00\x50"sv);
}

TEST(Socks5Reply, OfEachKindHasItsCode) {
  for (char code = 0; code <= 8; ++code)
    EXPECT_EQ(unbound_reply(static_cast<Reply>(code)), "\x05"s + code + "\x00\x01\x00\x00\x00\x00\x00\x00"s);
}

}  // namespace
}  // namespace payg::socks
