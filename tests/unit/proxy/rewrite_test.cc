#include "proxy/http/rewrite.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/proxy/http_builders.h"

namespace payg::http {
namespace {

using namespace std::string_literals;
using Kind = BodyFraming::Kind;

struct RequestOptions {
  UpgradeHandling upgrade = UpgradeHandling::strip;
  Persistence persistence = Persistence::keep_alive;
};

std::string rewritten(std::string_view head, RequestOptions options = {}) {
  const test::ParsedRequest request(head);
  Target target;
  EXPECT_FALSE(parse_target(*request, target)) << head;
  const auto framing = request_framing(*request);
  EXPECT_TRUE(framing.ok()) << head;
  std::string out;
  append_request_head(out, *request,
                      {.target = target,
                       .framing = framing.ok() ? *framing : BodyFraming{},
                       .pseudonym = "payg-1",
                       .upgrade = options.upgrade,
                       .persistence = options.persistence});
  return out;
}

/// What is left of these field lines on their way to the origin.
std::string fields_left(std::string_view lines, RequestOptions options = {}) {
  const std::string before = "GET / HTTP/1.1\r\nHost: a\r\n";
  const std::string after = "Via: 1.1 payg-1\r\n\r\n";
  const std::string out =
      rewritten("GET http://a/ HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n", options);
  EXPECT_TRUE(out.starts_with(before) && out.ends_with(after)) << out;
  return out.substr(before.size(), out.size() - before.size() - after.size());
}

TEST(RequestRewrite, WritesTheOriginFormAndTheHostOfTheTarget) {
  EXPECT_EQ(
      rewritten("GET http://Right.example:81/a?b HTTP/1.1\r\nAccept: */*\r\nHost: wrong.example\r\n\r\n"),
      "GET /a?b HTTP/1.1\r\nHost: right.example:81\r\nAccept: */*\r\nVia: 1.1 payg-1\r\n\r\n");
  EXPECT_EQ(rewritten("OPTIONS http://[::1] HTTP/1.0\r\n\r\n"),
            "OPTIONS * HTTP/1.1\r\nHost: [::1]\r\nVia: 1.0 payg-1\r\n\r\n");
}

TEST(RequestRewrite, KeepsFieldsInTheirOrder) {
  EXPECT_EQ(fields_left("B: 1\r\na: 2\r\nB:3\r\nAuthorization: Basic x\r\nCookie:  c=d \r\n"),
            "B: 1\r\na: 2\r\nB: 3\r\nAuthorization: Basic x\r\nCookie: c=d\r\n");
}

TEST(RequestRewrite, DropsWhatIsHopByHop) {
  for (const char* line :
       {"Connection: close\r\n", "Connection: keep-alive\r\n", "Keep-Alive: timeout=5\r\n",
        "Proxy-Connection: keep-alive\r\n", "TE: trailers\r\n", "Trailer: X\r\n", "Upgrade: websocket\r\n",
        "Proxy-Authorization: Basic dTpw\r\n", "Proxy-Authenticate: Basic\r\n",
        "PROXY-AUTHORIZATION: x\r\nProxy-Authorization: y\r\n", "Connection: x\r\nX: y\r\n",
        "X: y\r\nConnection: a, X\r\n", "Connection: x\r\nConnection: Y\r\nX: 1\r\ny: 2\r\nX: 3\r\n",
        "Connection: close, connection\r\n", "Connection: accept\r\nAccept: */*\r\n", "Connection: ,,\r\n",
        "Connection:\r\n"})
    EXPECT_EQ(fields_left(line), "") << line;
}

TEST(RequestRewrite, LetsNobodyTakeFramingOrRoutingOutByListingIt) {
  EXPECT_EQ(fields_left("Connection: content-length\r\nContent-Length: 5\r\n"), "Content-Length: 5\r\n");
  EXPECT_EQ(fields_left("Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n"),
            "Transfer-Encoding: chunked\r\n");
  EXPECT_EQ(fields_left("Connection: host\r\n"), "");
  EXPECT_EQ(fields_left("Connection: via\r\nVia: 1.1 x\r\n"), "Via: 1.1 x\r\n");
  EXPECT_EQ(fields_left("Connection: expect\r\nExpect: 100-continue\r\n"), "Expect: 100-continue\r\n");
  EXPECT_EQ(fields_left("Connection: max-forwards\r\nMax-Forwards: 3\r\n"), "Max-Forwards: 3\r\n");
}

TEST(RequestRewrite, WritesFramingOnceAndNormalised) {
  EXPECT_EQ(fields_left("content-length: 0005\r\nX: y\r\n"), "X: y\r\nContent-Length: 5\r\n");
  EXPECT_EQ(fields_left("transfer-encoding: CHUNKED\r\n"), "Transfer-Encoding: chunked\r\n");
  EXPECT_EQ(fields_left("Content-Length: 0\r\n"), "Content-Length: 0\r\n");
}

TEST(RequestRewrite, PassesAnUpgradeOnWhenTold) {
  EXPECT_EQ(fields_left("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n",
                        {.upgrade = UpgradeHandling::pass_on}),
            "Upgrade: websocket\r\nSec-WebSocket-Key: k\r\nConnection: Upgrade\r\n");
}

TEST(RequestRewrite, ClosesTheConnectionWhenTold) {
  EXPECT_EQ(fields_left("Connection: keep-alive\r\n", {.persistence = Persistence::close}),
            "Connection: close\r\n");
}

TEST(RequestRewrite, ForwardsExpectFromHttp11Only) {
  EXPECT_EQ(fields_left("Expect: 100-continue\r\n"), "Expect: 100-continue\r\n");
  EXPECT_EQ(rewritten("PUT http://a/ HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"),
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nVia: 1.0 payg-1\r\n\r\n");
}

TEST(RequestRewrite, CountsMaxForwardsDownForTraceAndOptions) {
  const auto left = [](std::string_view method, std::string_view value) {
    const std::string out =
        rewritten(std::string(method) +
                  " http://a/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: " + std::string(value) + "\r\n\r\n");
    const auto at = out.find("Max-Forwards: ");
    return at == out.npos ? ""s : out.substr(at + 14, out.find('\r', at) - at - 14);
  };
  EXPECT_EQ(left("TRACE", "10"), "9");
  EXPECT_EQ(left("OPTIONS", "1"), "0");
  EXPECT_EQ(left("GET", "10"), "10");
  EXPECT_EQ(left("TRACE", "x"), "");
  EXPECT_EQ(left("TRACE", "99999999999999999999"), "");
}

TEST(RequestRewrite, CanBeParsedAgain) {
  const std::string out = rewritten(
      "POST http://example.com:81/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nX: "
      "y\r\n\r\n");
  const test::ParsedRequest again(out);
  EXPECT_EQ(again->target, "/x");
  EXPECT_EQ(again->fields.count(FieldName::host), 1u);
  EXPECT_EQ(request_framing(*again)->kind, Kind::chunked);
  EXPECT_TRUE(has_via(again->fields, "payg-1"));
}

struct ResponseOptions {
  Method method = Method::get;
  Version client = Version::http_1_1;
  UpgradeHandling upgrade = UpgradeHandling::strip;
  Persistence persistence = Persistence::keep_alive;
};

std::string forwarded(std::string_view head, ResponseOptions options = {}) {
  const test::ParsedResponse response(head);
  const auto framing = response_framing(*response, options.method);
  EXPECT_TRUE(framing.ok()) << head;
  std::string out;
  append_response_head(out, *response,
                       {.request_method = options.method,
                        .client_version = options.client,
                        .framing = framing_for_client(*framing, options.client),
                        .pseudonym = "payg-1",
                        .upgrade = options.upgrade,
                        .persistence = options.persistence});
  return out;
}

TEST(ResponseRewrite, KeepsEndToEndFields) {
  EXPECT_EQ(
      forwarded(
          "HTTP/1.0 404 Not here\r\nDate: d\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 05\r\n\r\n"),
      "HTTP/1.1 404 Not here\r\nDate: d\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 5\r\n"
      "Via: 1.0 payg-1\r\n\r\n");
}

TEST(ResponseRewrite, DropsWhatIsHopByHop) {
  for (const char* line :
       {"Connection: close\r\n", "Keep-Alive: timeout=5\r\n", "Proxy-Connection: close\r\n",
        "Proxy-Authenticate: Basic realm=\"phish\"\r\n", "Proxy-Authentication-Info: x\r\n", "Trailer: X\r\n",
        "Upgrade: h2c\r\n", "Connection: x\r\nX: y\r\n", "TE: x\r\n",
        "Connection: upgrade, connection\r\nUpgrade: h2c\r\n"})
    EXPECT_EQ(forwarded("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"s + line + "\r\n"),
              "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nVia: 1.1 payg-1\r\n\r\n")
        << line;
}

TEST(ResponseRewrite, LetsNoOriginTakeTheLengthOutByListingIt) {
  EXPECT_EQ(forwarded("HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 3\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nVia: 1.1 payg-1\r\n\r\n");
}

TEST(ResponseRewrite, ChunksABodyOfUnknownLengthForHttp11) {
  EXPECT_EQ(forwarded("HTTP/1.1 200 OK\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nVia: 1.1 payg-1\r\n\r\n");
  EXPECT_EQ(forwarded("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nVia: 1.1 payg-1\r\n\r\n");
}

TEST(ResponseRewrite, EndsABodyOfUnknownLengthWithTheConnectionForHttp10) {
  EXPECT_EQ(forwarded("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                      {.client = Version::http_1_0, .persistence = Persistence::close}),
            "HTTP/1.1 200 OK\r\nConnection: close\r\nVia: 1.1 payg-1\r\n\r\n");
}

TEST(ResponseRewrite, KeepsTheLengthOfAnAnswerToHeadAndOf304) {
  EXPECT_EQ(forwarded("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", {.method = Method::head}),
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nVia: 1.1 payg-1\r\n\r\n");
  EXPECT_EQ(forwarded("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nVia: 1.1 payg-1\r\n\r\n");
  EXPECT_EQ(forwarded("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", {.method = Method::head}),
            "HTTP/1.1 200 OK\r\nVia: 1.1 payg-1\r\n\r\n");
}

TEST(ResponseRewrite, DropsFramingWhereThereMayBeNone) {
  for (const auto* status : {"204 No Content", "103 Early Hints"})
    EXPECT_EQ(forwarded("HTTP/1.1 "s + status + "\r\nContent-Length: 5\r\nLink: x\r\n\r\n",
                        {.method = Method::head}),
              "HTTP/1.1 "s + status + "\r\nLink: x\r\nVia: 1.1 payg-1\r\n\r\n");
}

TEST(ResponseRewrite, SaysCloseOnTheFinalResponseOnly) {
  EXPECT_EQ(forwarded("HTTP/1.1 204 x\r\n\r\n", {.persistence = Persistence::close}),
            "HTTP/1.1 204 x\r\nConnection: close\r\nVia: 1.1 payg-1\r\n\r\n");
  EXPECT_EQ(forwarded("HTTP/1.1 100 Continue\r\n\r\n", {.persistence = Persistence::close}),
            "HTTP/1.1 100 Continue\r\nVia: 1.1 payg-1\r\n\r\n");
}

TEST(ResponseRewrite, PassesAnUpgradeOnWhenTold) {
  EXPECT_EQ(forwarded("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
                      {.upgrade = UpgradeHandling::pass_on}),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nVia: 1.1 "
            "payg-1\r\n\r\n");
}

}  // namespace
}  // namespace payg::http
