#include "proxy/parent_talk.h"

#include <gtest/gtest.h>

namespace payg::proxy {
namespace {

using namespace std::string_view_literals;
using Progress = ParentTalk::Progress;

enum class Credentials { without, with };

Exit exit_of(config::ExitKind kind, Credentials credentials = Credentials::without) {
  config::ExitConfig config;
  config.name = "parent";
  config.kind = kind;
  config.address = "parent.example:1080";
  if (credentials == Credentials::with) {
    config.username = "us";
    config.password = "secret";
  }
  return Exit(config);
}

/// A talk that is fed one byte at a time.
class Talk {
 public:
  Talk(const Exit& exit, std::string_view host)
      : target_(parse_host_and_port(std::string(host) + ":80").host),
        talk_(exit, host.empty() ? nullptr : &target_, 80, {.pseudonym = "payg-1"}) {}
  explicit Talk(const Exit& exit) : talk_(exit, nullptr, 0, {.pseudonym = "payg-1"}) {}

  std::string said() { return std::exchange(talk_.unsent(), {}); }
  Progress hear(std::string_view bytes) {
    Progress progress = Progress::needs_more;
    while (!bytes.empty() && progress == Progress::needs_more) {
      received_.append(bytes.substr(0, 1));
      bytes.remove_prefix(1);
      progress = talk_.read(received_);
    }
    received_.append(bytes);
    return progress;
  }
  ParentTalk& talk() { return talk_; }
  std::string_view left() const { return received_.view(); }

 private:
  TargetHost target_;
  ParentTalk talk_;
  Buffer received_;
};

TEST(ParentTalk, AsksAnHttpParentAtOnce) {
  const Exit exit = exit_of(config::ExitKind::http, Credentials::with);
  Talk talk(exit, "192.0.2.1");
  EXPECT_TRUE(talk.talk().has_asked());
  EXPECT_EQ(talk.said(),
            "CONNECT 192.0.2.1:80 HTTP/1.1\r\nHost: 192.0.2.1:80\r\n"
            "Proxy-Authorization: Basic dXM6c2VjcmV0\r\nVia: 1.1 payg-1\r\n\r\n");
  EXPECT_EQ(talk.hear("HTTP/1.1 200 OK\r\n\r\nbanner"), Progress::open);
  EXPECT_EQ(talk.left(), "banner");
}

TEST(ParentTalk, WritesAnIpv6TargetInBrackets) {
  const Exit exit = exit_of(config::ExitKind::http);
  Talk talk(exit, "[2001:db8::1]");
  EXPECT_TRUE(talk.said().starts_with("CONNECT [2001:db8::1]:80 HTTP/1.1\r\n"));
}

TEST(ParentTalk, GreetsASocksParentFirst) {
  const Exit exit = exit_of(config::ExitKind::socks5, Credentials::with);
  Talk talk(exit, "example.com");
  EXPECT_EQ(talk.said(), "\x05\x02\x00\x02"sv);
  EXPECT_FALSE(talk.talk().has_asked());
  EXPECT_EQ(talk.hear("\x05\x02"sv), Progress::needs_more);
  EXPECT_EQ(talk.said(), "\x01\x02us\x06secret"sv);
  EXPECT_EQ(talk.hear("\x01\x00"sv), Progress::needs_more);
  EXPECT_TRUE(talk.talk().has_asked());
  EXPECT_EQ(talk.said(),
            "\x05\x01\x00\x03\x0b"
            "example.com\x00\x50"sv);
  EXPECT_EQ(talk.hear("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
                      "banner"sv),
            Progress::open);
  EXPECT_EQ(talk.left(), "banner");
}

TEST(ParentTalk, KeepsItsCredentialsFromASocksParentThatWantsNone) {
  const Exit exit = exit_of(config::ExitKind::socks5, Credentials::with);
  Talk talk(exit, "192.0.2.1");
  talk.said();
  EXPECT_EQ(talk.hear("\x05\x00"sv), Progress::needs_more);
  EXPECT_EQ(talk.said(), "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"sv);
}

TEST(ParentTalk, WithoutATargetEndsBehindTheGreeting) {
  const Exit socks = exit_of(config::ExitKind::socks5, Credentials::with);
  Talk greeting(socks);
  EXPECT_EQ(greeting.hear("\x05\x02\x01\x00"sv), Progress::open);
  const Exit http = exit_of(config::ExitKind::http);
  Talk silent(http);
  EXPECT_EQ(silent.said(), "");
}

struct Failure {
  config::ExitKind kind;
  std::string_view answer;
  DialFailure failure;
  Blame blame;
};

TEST(ParentTalk, TellsItsParentsFailuresFromItsTargets) {
  using Kind = config::ExitKind;
  const Failure failures[] = {
      {Kind::http, "HTTP/1.1 502 Bad Gateway\r\n\r\n", DialFailure::unreachable, Blame::target},
      {Kind::http, "HTTP/1.1 504 Gateway Timeout\r\n\r\n", DialFailure::timed_out, Blame::target},
      {Kind::http, "HTTP/1.1 403 Forbidden\r\n\r\n", DialFailure::forbidden, Blame::target},
      {Kind::http, "HTTP/1.1 407 X\r\n\r\n", DialFailure::exit_failed, Blame::exit},
      {Kind::http, "HTTP/1.1 429 X\r\n\r\n", DialFailure::exit_failed, Blame::exit},
      {Kind::http, "HELLO\r\n\r\n", DialFailure::exit_failed, Blame::exit},
      {Kind::socks5, "\x05\xff"sv, DialFailure::exit_failed, Blame::exit},
      {Kind::socks5, "\x05\x02\x01\x01"sv, DialFailure::exit_failed, Blame::exit},
      {Kind::socks5, "HTTP/1.1 400"sv, DialFailure::exit_failed, Blame::exit},
      {Kind::socks5, "\x05\x00\x05\x01"sv, DialFailure::unreachable, Blame::target},
      {Kind::socks5, "\x05\x00\x05\x02"sv, DialFailure::forbidden, Blame::target},
      {Kind::socks5, "\x05\x00\x05\x03"sv, DialFailure::unreachable, Blame::target},
      {Kind::socks5, "\x05\x00\x05\x04"sv, DialFailure::unreachable, Blame::target},
      {Kind::socks5, "\x05\x00\x05\x05"sv, DialFailure::refused, Blame::target},
      {Kind::socks5, "\x05\x00\x05\x06"sv, DialFailure::timed_out, Blame::target},
      {Kind::socks5, "\x05\x00\x05\x07"sv, DialFailure::exit_failed, Blame::exit},
      {Kind::socks5, "\x05\x00\x05\x08"sv, DialFailure::unreachable, Blame::target},
      {Kind::socks5, "\x05\x00\x00"sv, DialFailure::exit_failed, Blame::exit},
  };
  for (const auto& expected : failures) {
    const Exit exit = exit_of(expected.kind, Credentials::with);
    Talk talk(exit, "192.0.2.1");
    ASSERT_EQ(talk.hear(expected.answer), Progress::failed) << expected.answer;
    EXPECT_EQ(talk.talk().failure().failure, expected.failure) << expected.answer;
    EXPECT_EQ(talk.talk().failure().blame, expected.blame) << expected.answer;
    EXPECT_EQ(talk.talk().failure().why.find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace payg::proxy
