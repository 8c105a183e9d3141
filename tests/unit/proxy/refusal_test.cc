#include "proxy/http/refusal.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/http/framing.h"
#include "tests/unit/proxy/http_builders.h"

namespace payg::http {
namespace {

constexpr std::string_view browser_accept =
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

struct Answer {
  explicit Answer(std::string text) : bytes(std::move(text)) {
    const auto end = bytes.find("\r\n\r\n") + 4;
    head = bytes.substr(0, end);
    body = bytes.substr(end);
  }
  bool has(std::string_view line) const { return head.find(std::string(line) + "\r\n") != head.npos; }

  std::string bytes;
  std::string head;
  std::string body;
};

Answer answer(const Refusal& refusal, const RefusalAudience& audience = {}) {
  std::string out;
  append_refusal(out, refusal, audience);
  return Answer(out);
}

Refusal payment_required() {
  return {.status = Status::payment_required,
          .error = ProxyError::http_request_denied,
          .code = "payment_required",
          .detail = "your balance is empty",
          .url = "https://example.com/shop?a=1&b=2"};
}

TEST(Refusal, SaysEverythingInAProblemDocument) {
  EXPECT_EQ(answer(payment_required()).bytes,
            "HTTP/1.1 402 Payment Required\r\n"
            "Proxy-Status: payg-proxy; error=http_request_denied; details=\"your balance is empty\"\r\n"
            "Content-Type: application/problem+json\r\n"
            "Content-Length: 142\r\n"
            "Cache-Control: no-store\r\n"
            "Connection: close\r\n\r\n"
            "{\"title\":\"Payment Required\",\"status\":402,\"detail\":\"your balance is empty\","
            "\"code\":\"payment_required\",\"url\":\"https://example.com/shop?a=1&b=2\"}\n");
}

TEST(Refusal, IsAPageForABrowser) {
  const Answer page = answer(payment_required(), {.accept = browser_accept});
  EXPECT_TRUE(page.has("Content-Type: text/html; charset=utf-8"));
  EXPECT_NE(page.body.find("<a href=\"https://example.com/shop?a=1&amp;b=2\">"), std::string::npos)
      << page.body;
  EXPECT_NE(page.body.find("<h1>402 Payment Required</h1>"), std::string::npos) << page.body;
}

TEST(Refusal, HasALengthSoThatTheConnectionStaysUsable) {
  for (const std::string_view accept : {std::string_view(), browser_accept}) {
    const Answer refused =
        answer(payment_required(), {.accept = accept, .persistence = Persistence::keep_alive});
    EXPECT_TRUE(refused.has("Connection: keep-alive"));
    const test::ParsedResponse response(refused.head);
    EXPECT_EQ(response_framing(*response, Method::get)->length, refused.body.size());
  }
}

TEST(Refusal, OfHeadHasItsLengthButNoBody) {
  const Answer get = answer(payment_required());
  const Answer head = answer(payment_required(), {.method = Method::head});
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(head.head, get.head);
}

TEST(Refusal, AsksForCredentialsWith407Only) {
  const Answer refused = answer({.status = Status::proxy_authentication_required,
                                 .error = ProxyError::http_request_denied,
                                 .code = "bad_credentials",
                                 .detail = "who are you?",
                                 .url = {}});
  EXPECT_TRUE(refused.has("Proxy-Authenticate: Basic realm=\"payg-proxy\", charset=\"UTF-8\""));
  EXPECT_EQ(answer(payment_required()).head.find("Proxy-Authenticate"), std::string::npos);
}

TEST(Refusal, SaysWhenToComeBack) {
  Refusal refusal = payment_required();
  EXPECT_EQ(answer(refusal).head.find("Retry-After"), std::string::npos);
  refusal.retry_after = std::chrono::seconds(30);
  EXPECT_TRUE(answer(refusal).has("Retry-After: 30"));
}

TEST(Refusal, CarriesTheDateItIsTold) {
  using namespace std::chrono;
  const WallTime now{milliseconds(784111777'999)};
  EXPECT_TRUE(answer(payment_required(), {.now = now}).has("Date: Sun, 06 Nov 1994 08:49:37 GMT"));
  EXPECT_EQ(answer(payment_required()).head.find("Date"), std::string::npos);
}

TEST(Refusal, QuotesWhateverTheTextHolds) {
  Refusal refusal = payment_required();
  refusal.detail = "a\"b\\c\r\nSet-Cookie: x\x01<script>alert('&')</script>\xc3\xbc";
  const Answer json = answer(refusal);
  EXPECT_TRUE(
      json.has("Proxy-Status: payg-proxy; error=http_request_denied; "
               "details=\"a\\\"b\\\\c??Set-Cookie: x?<script>alert('&')</script>??\""));
  EXPECT_NE(json.body.find("\"a\\\"b\\\\c\\u000d\\u000aSet-Cookie: x\\u0001<script>"), std::string::npos)
      << json.body;
  const Answer page = answer(refusal, {.accept = browser_accept});
  EXPECT_EQ(page.body.find("<script>"), std::string::npos);
  EXPECT_NE(page.body.find("&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;??"), std::string::npos)
      << page.body;
}

TEST(Refusal, LinksNothingButWebPages) {
  Refusal refusal = payment_required();
  refusal.url = "javascript:alert(1)";
  EXPECT_EQ(answer(refusal, {.accept = browser_accept}).body.find("javascript"), std::string::npos);
}

TEST(Refusal, WithoutACodeHasTheErrorsName) {
  const Refusal refusal{
      .status = Status::bad_gateway, .error = ProxyError::dns_error, .code = {}, .detail = {}, .url = {}};
  const Answer refused = answer(refusal);
  EXPECT_TRUE(refused.has("Proxy-Status: payg-proxy; error=dns_error"));
  EXPECT_EQ(refused.body,
            "{\"title\":\"Bad Gateway\",\"status\":502,\"detail\":\"\",\"code\":\"dns_error\"}\n");
}

TEST(Refusal, OfAViolationIsTheClientsOrTheOriginsFault) {
  EXPECT_EQ(refusal_of({Status::uri_too_long, "x"}).error, ProxyError::http_request_error);
  EXPECT_EQ(refusal_of({Status::bad_gateway, "x"}).error, ProxyError::http_protocol_error);
}

TEST(Accept, PrefersHtmlWhenItIsRatedHigher) {
  for (const std::string_view accept :
       {browser_accept, std::string_view("text/html"), std::string_view("TEXT/*"),
        std::string_view("application/json;q=0.5, text/html;q=0.501"),
        std::string_view("*/*;q=0.1, text/html;level=1;Q=0.2"),
        std::string_view("application/json;q=0, */*")})
    EXPECT_TRUE(prefers_html(accept)) << accept;
  for (const std::string_view accept :
       {"", "*/*", "application/json", "text/html;q=0", "text/html;q=0.000", "text/html, application/json",
        "text/plain", "text/html;q=0.3, */*;q=0.4, application/*;q=0.5", "text/html;q=x", "text/html;q=2",
        ",,", ";q=1"})
    EXPECT_FALSE(prefers_html(accept)) << accept;
}

TEST(TunnelEstablished, HasNeitherLengthNorEncoding) {
  std::string out;
  append_tunnel_established(out, "payg-1");
  const test::ParsedResponse response(out);
  EXPECT_EQ(response->status, 200u);
  EXPECT_EQ(response->fields.size(), 1u);
  EXPECT_TRUE(has_via(response->fields, "payg-1"));
}

TEST(OwnOptions, HasAnEmptyBody) {
  std::string out;
  append_own_options(out, Persistence::keep_alive);
  const test::ParsedResponse response(out);
  EXPECT_EQ(response->status, 200u);
  EXPECT_EQ(*response_framing(*response, Method::options), (BodyFraming{.kind = BodyFraming::Kind::length}));
  EXPECT_TRUE(allows_keep_alive(*response));
}

}  // namespace
}  // namespace payg::http
