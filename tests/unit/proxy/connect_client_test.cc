#include "proxy/http/connect_client.h"

#include <gtest/gtest.h>

#include "proxy/http/basic_credentials.h"

namespace payg::http {
namespace {

struct Read {
  ParseState state;
  std::size_t consumed;
  ConnectAnswer answer;
};

/// The answer as it comes in pieces of `piece` bytes.
Read read(const std::string& bytes, std::size_t piece = 1) {
  ConnectAnswerParser parser;
  ConnectAnswer answer;
  for (std::size_t end = piece; end < bytes.size() + piece; end += piece) {
    const auto outcome = parser.parse(std::string_view(bytes).substr(0, end), answer);
    if (outcome.state != ParseState::incomplete) return {outcome.state, outcome.consumed, answer};
  }
  return {ParseState::incomplete, 0, answer};
}

Read read_answer(const std::string& status, const std::string& fields = {}) {
  return read("HTTP/1.1 " + status + "\r\n" + fields + "\r\n");
}

TEST(ConnectRequest, HasTheAuthorityTheCredentialsAndVia) {
  std::string bytes;
  append_connect_request(
      bytes, {.authority = "[::1]:443", .username = "us", .password = "p:w", .pseudonym = "payg-1"});
  EXPECT_EQ(bytes,
            "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nProxy-Authorization: Basic dXM6cDp3\r\n"
            "Via: 1.1 payg-1\r\n\r\n");
}

TEST(ConnectRequest, HasNoCredentialsWhenThereAreNone) {
  std::string bytes;
  append_connect_request(bytes, {.authority = "a:1", .username = {}, .password = {}, .pseudonym = "payg-1"});
  EXPECT_EQ(bytes, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nVia: 1.1 payg-1\r\n\r\n");
}

TEST(ConnectRequest, HasCredentialsOfEveryLengthThatTheServersSideReads) {
  for (std::size_t length = 1; length < 12; ++length) {
    std::string bytes;
    append_basic_credentials(bytes, std::string(length, '~'), "pass\xff");
    const auto read_back = parse_basic_credentials(bytes);
    ASSERT_TRUE(read_back) << bytes;
    EXPECT_EQ(read_back->name, std::string(length, '~'));
    EXPECT_EQ(read_back->password, "pass\xff");
  }
}

TEST(ConnectAnswer, OpensByAnySuccessAndLeavesWhatFollows) {
  const std::string head = "HTTP/1.1 200 Connection established\r\nVia: 1.1 x\r\n\r\n";
  for (const std::size_t piece : {1u, 7u, 1000u}) {
    const auto got = read(head + "SSH-2.0-", piece);
    EXPECT_EQ(got.state, ParseState::complete);
    EXPECT_EQ(got.consumed, head.size());
    EXPECT_EQ(got.answer.verdict, ConnectVerdict::open);
  }
  EXPECT_EQ(read("HTTP/1.0 200\r\n\r\n").answer.verdict, ConnectVerdict::open);
  EXPECT_EQ(read_answer("204 No Content").answer.verdict, ConnectVerdict::open);
}

TEST(ConnectAnswer, ThatSucceedsHasNoBodyWhateverItClaims) {
  const auto got = read_answer("200 OK", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n");
  EXPECT_EQ(got.state, ParseState::complete);
  EXPECT_EQ(got.answer.verdict, ConnectVerdict::open);
}

TEST(ConnectAnswer, IsReadBehindInterimOnes) {
  const std::string interim = "HTTP/1.1 100 Continue\r\n\r\n";
  const std::string final = "HTTP/1.1 200 OK\r\n\r\n";
  for (const std::size_t piece : {1u, 1000u}) {
    const auto got = read(interim + interim + final + "x", piece);
    EXPECT_EQ(got.state, ParseState::complete);
    EXPECT_EQ(got.consumed, 2 * interim.size() + final.size());
  }
  std::string many;
  for (int i = 0; i < 9; ++i) many += interim;
  EXPECT_EQ(read(many + final).state, ParseState::refused);
  EXPECT_EQ(read_answer("101 Switching Protocols").state, ParseState::refused);
}

TEST(ConnectAnswer, ThatIsNoHttpOrTooLongIsRefused) {
  EXPECT_EQ(read("SSH-2.0-OpenSSH\r\n\r\n").state, ParseState::refused);
  EXPECT_EQ(read("\x05\r\n\r\n").state, ParseState::refused);
  EXPECT_EQ(read_answer("200 OK", "X: " + std::string(max_connect_answer_bytes, 'x') + "\r\n").state,
            ParseState::refused);
  EXPECT_EQ(read("HTTP/1.1 200 " + std::string(max_connect_answer_bytes, 'x'), 4096).state,
            ParseState::refused)
      << "also when its end never comes";
}

TEST(ConnectAnswer, SaysWhatBecameOfTheTarget) {
  const std::pair<const char*, ConnectVerdict> answers[] = {
      {"403 Forbidden", ConnectVerdict::forbidden},
      {"404 Not Found", ConnectVerdict::unresolved},
      {"500 Unable to connect", ConnectVerdict::unreachable},
      {"502 Bad Gateway", ConnectVerdict::unreachable},
      {"503 Service Unavailable", ConnectVerdict::unreachable},
      {"504 Gateway Timeout", ConnectVerdict::timed_out},
      {"407 Proxy Authentication Required", ConnectVerdict::wants_credentials},
      {"400 Bad Request", ConnectVerdict::not_served},
      {"402 Payment Required", ConnectVerdict::not_served},
      {"405 Method Not Allowed", ConnectVerdict::not_served},
      {"429 Too Many Requests", ConnectVerdict::not_served},
      {"302 Found", ConnectVerdict::not_served},
  };
  for (const auto& [status, verdict] : answers)
    EXPECT_EQ(read_answer(status).answer.verdict, verdict) << status;
}

TEST(ConnectAnswer, SaysMoreByItsProxyStatus) {
  const std::pair<const char*, ConnectVerdict> answers[] = {
      {"payg-proxy; error=connection_refused; details=\"x\"", ConnectVerdict::refused},
      {"a;error=dns_error", ConnectVerdict::unresolved},
      {"a; error=connection_timeout", ConnectVerdict::timed_out},
      {"a; error=destination_ip_prohibited, b; error=dns_error", ConnectVerdict::forbidden},
      {"a; error=proxy_internal_error", ConnectVerdict::not_served},
      {"a; error=destination_unavailable", ConnectVerdict::not_served},
      {"a; details=\"no error\"", ConnectVerdict::unreachable},
      {"a; error=of_another_kind", ConnectVerdict::unreachable},
  };
  for (const auto& [value, verdict] : answers) {
    EXPECT_EQ(read_answer("503 X", "proxy-status: " + std::string(value) + "\r\n").answer.verdict, verdict)
        << value;
  }
  EXPECT_EQ(judge_connect(403, "a; error=http_request_denied"), ConnectVerdict::forbidden)
      << "what a user asks for takes no exit down";
  EXPECT_EQ(judge_connect(403, "a; error=proxy_loop_detected"), ConnectVerdict::not_served)
      << "a parent that leads back here does";
}

}  // namespace
}  // namespace payg::http
