#include "proxy/socks/socks5_client.h"

#include <gtest/gtest.h>

namespace payg::socks {
namespace {

using namespace std::string_view_literals;

proxy::TargetHost host_named(std::string_view text) {
  proxy::TargetHost host;
  EXPECT_NE(proxy::classify_host(text, host), proxy::HostKind::invalid);
  return host;
}

std::string connect_to(std::string_view host, std::uint16_t port) {
  std::string bytes;
  append_connect(bytes, host_named(host), port);
  return bytes;
}

TEST(SocksClient, OffersCredentialsOnlyWhenItHasSome) {
  EXPECT_EQ(client_greeting(HasCredentials::no), "\x05\x01\x00"sv);
  EXPECT_EQ(client_greeting(HasCredentials::yes), "\x05\x02\x00\x02"sv);
}

TEST(SocksClient, TakesOnlyAMethodThatItOffered) {
  auto method = Method::unacceptable;
  EXPECT_EQ(parse_method("\x05\x00"sv, HasCredentials::no, method).consumed, 2u);
  EXPECT_EQ(method, Method::no_credentials);
  EXPECT_EQ(parse_method("\x05\x02"sv, HasCredentials::yes, method).state, ParseState::complete);
  EXPECT_EQ(method, Method::user_name_password);
  for (const auto answer : {"\x05\x02"sv, "\x05\x01"sv, "\x05\xff"sv}) {
    EXPECT_EQ(parse_method(answer, HasCredentials::no, method).state, ParseState::complete);
    EXPECT_EQ(method, Method::unacceptable);
  }
}

TEST(SocksClient, SaysItsCredentialsAndHearsWhetherTheyAreRight) {
  std::string bytes;
  append_credentials(bytes, "us", "secret");
  EXPECT_EQ(bytes, "\x01\x02us\x06secret"sv);
  auto status = CredentialsStatus::failure;
  EXPECT_EQ(parse_credentials_status("\x01\x00"sv, status).state, ParseState::complete);
  EXPECT_EQ(status, CredentialsStatus::success);
  EXPECT_EQ(parse_credentials_status("\x01\x07"sv, status).state, ParseState::complete);
  EXPECT_EQ(status, CredentialsStatus::failure);
}

TEST(SocksClient, AsksForANameAsANameAndForAnAddressAsAnAddress) {
  EXPECT_EQ(connect_to("example.com", 443),
            "\x05\x01\x00\x03\x0b"
            "example.com\x01\xbb"sv);
  EXPECT_EQ(connect_to("192.0.2.1", 80), "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"sv);
  EXPECT_EQ(connect_to("2001:db8::1", 1),
            "\x05\x01\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01"sv);
}

TEST(SocksClient, ReadsAReplyToItsEndByteByByteWhateverIsBound) {
  const std::string replies[] = {
      std::string("\x05\x00\x00\x01\x7f\x00\x00\x01\x10\x00"sv),
      std::string("\x05\x00\x00\x03\x03"
                  "abc\x10\x00"sv),
      std::string("\x05\x00\x00\x04"sv) + std::string(18, '\x01'),
  };
  for (const auto& reply : replies) {
    std::uint8_t code = 99;
    for (std::size_t size = 0; size < reply.size(); ++size) {
      EXPECT_EQ(parse_reply(reply.substr(0, size), code).state, ParseState::incomplete) << size;
    }
    const auto answer = parse_reply(reply + "banner", code);
    EXPECT_EQ(answer.state, ParseState::complete);
    EXPECT_EQ(answer.consumed, reply.size()) << "what follows are the target's bytes";
    EXPECT_EQ(code, 0);
  }
}

TEST(SocksClient, NeedsOnlyTheCodeOfARefusal) {
  std::uint8_t code = 0;
  EXPECT_EQ(parse_reply("\x05\x05"sv, code).state, ParseState::complete);
  EXPECT_EQ(code, 5);
}

TEST(SocksClient, RefusesWhatIsNotSocks5) {
  auto method = Method::unacceptable;
  auto status = CredentialsStatus::failure;
  std::uint8_t code = 0;
  EXPECT_EQ(parse_method("H", HasCredentials::no, method).state, ParseState::refused);
  EXPECT_EQ(parse_method("\x04"sv, HasCredentials::no, method).state, ParseState::refused);
  EXPECT_EQ(parse_credentials_status("\x02"sv, status).state, ParseState::refused);
  EXPECT_EQ(parse_reply("\x00"sv, code).state, ParseState::refused);
  EXPECT_EQ(parse_reply("\x05\x00\x00\x02"sv, code).state, ParseState::refused) << "nobody knows its end";
}

}  // namespace
}  // namespace payg::socks
