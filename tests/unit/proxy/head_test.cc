#include "proxy/http/head.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/proxy/arrivals.h"
#include "tests/unit/proxy/http_builders.h"

namespace payg::http {
namespace {

using namespace std::string_literals;
using test::request_with;
using test::response_with;

template <class Head>
struct Parsed {
  ParseOutcome outcome;
  Head head;
  test::Received received;
};

/// Parses `bytes` as they come in; goes on until the parser has made up its mind or nothing is left.
template <class Parser, class Head>
void parse_arriving(std::string_view bytes, const std::vector<std::size_t>& sizes, Parsed<Head>& out) {
  Parser parser;
  for (const std::size_t size : sizes) {
    out.outcome = parser.parse(out.received.first(bytes, size), out.head);
    if (out.outcome.state != ParseState::incomplete) return;
  }
}

void expect_refused(std::string_view bytes, Status status) {
  std::string_view detail;
  for (const auto& sizes : test::arrivals(bytes.size())) {
    Parsed<RequestHead> parsed;
    parse_arriving<RequestParser>(bytes, sizes, parsed);
    ASSERT_EQ(parsed.outcome.state, ParseState::refused) << bytes.substr(0, 200);
    ASSERT_EQ(parsed.outcome.violation.status, status)
        << bytes.substr(0, 200) << parsed.outcome.violation.detail;
    if (detail.empty()) detail = parsed.outcome.violation.detail;
    ASSERT_EQ(parsed.outcome.violation.detail, detail) << bytes.substr(0, 200);
    ASSERT_FALSE(detail.empty());
  }
}

std::string head(std::string_view request_line, std::string_view fields) {
  return std::string(request_line) + "\r\n" + std::string(fields) + "\r\n";
}

TEST(RequestParser, ReadsAHeadHoweverItIsCut) {
  const std::string bytes =
      "POST http://example.com/a?b HTTP/1.1\r\nHost: example.com\r\nX-Empty:\r\nX-Space: \t a b \t \r\n\r\n";
  for (const auto& sizes : test::arrivals(bytes.size())) {
    Parsed<RequestHead> parsed;
    parse_arriving<RequestParser>(bytes, sizes, parsed);
    ASSERT_EQ(parsed.outcome.state, ParseState::complete);
    EXPECT_EQ(parsed.outcome.consumed, bytes.size());
    EXPECT_EQ(parsed.head.method, Method::post);
    EXPECT_EQ(parsed.head.target, "http://example.com/a?b");
    EXPECT_EQ(parsed.head.version, Version::http_1_1);
    ASSERT_EQ(parsed.head.fields.size(), 3u);
    EXPECT_EQ(parsed.head.fields.begin()[0].id, FieldName::host);
    EXPECT_EQ(parsed.head.fields.begin()[1].value, "");
    EXPECT_EQ(parsed.head.fields.begin()[2].name, "X-Space");
    EXPECT_EQ(parsed.head.fields.begin()[2].value, "a b");
  }
}

TEST(RequestParser, IsIncompleteUntilTheLastByte) {
  const std::string bytes = head("GET http://a/ HTTP/1.1", "Host: a\r\n");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    RequestHead out;
    EXPECT_EQ(RequestParser().parse(bytes.substr(0, size), out).state, ParseState::incomplete) << size;
  }
}

TEST(RequestParser, LeavesWhatFollowsTheHead) {
  const std::string first = head("GET http://a/1 HTTP/1.1", "Host: a\r\n");
  const std::string both = first + head("GET http://a/2 HTTP/1.1", "Host: a\r\n");
  RequestParser parser;
  RequestHead out;
  const auto outcome = parser.parse(both, out);
  ASSERT_EQ(outcome.state, ParseState::complete);
  EXPECT_EQ(outcome.consumed, first.size());
  EXPECT_EQ(out.target, "http://a/1");
  ASSERT_EQ(parser.parse(std::string_view(both).substr(outcome.consumed), out).state, ParseState::complete);
  EXPECT_EQ(out.target, "http://a/2");
}

TEST(RequestParser, SkipsAFewEmptyLinesBeforeTheRequestLine) {
  const std::string request = head("GET http://a/ HTTP/1.1", "Host: a\r\n");
  const std::string bytes = "\r\n\r\n\r\n\r\n" + request;
  for (const auto& sizes : test::arrivals(bytes.size())) {
    Parsed<RequestHead> parsed;
    parse_arriving<RequestParser>(bytes, sizes, parsed);
    ASSERT_EQ(parsed.outcome.state, ParseState::complete);
    EXPECT_EQ(parsed.outcome.consumed, bytes.size());
    EXPECT_EQ(parsed.head.target, "http://a/");
  }
  expect_refused("\r\n\r\n\r\n\r\n\r\n" + request, Status::bad_request);
}

TEST(RequestParser, ReadsVersions) {
  for (const auto& [text, version] : {std::pair{"HTTP/1.0", Version::http_1_0},
                                      {"HTTP/1.1", Version::http_1_1},
                                      {"HTTP/1.2", Version::http_1_1},
                                      {"HTTP/1.9", Version::http_1_1}}) {
    const test::ParsedRequest request("GET http://a/ "s + text + "\r\n\r\n");
    EXPECT_EQ(request->version, version) << text;
  }
}

TEST(RequestParser, RefusesOtherVersions) {
  for (const char* version : {"HTTP/2.0", "HTTP/3.0", "HTTP/9.9"})
    expect_refused(head("GET http://a/ "s + version, "Host: a\r\n"), Status::http_version_not_supported);
  for (const char* version :
       {"HTTP/0.9", "http/1.1", "Http/1.1", "HTTP/1", "HTTP/1.", "HTTP/1.10", "HTTP/11", "HTTP/01.1",
        "HTTP/x.1", "HTTP/1.x", "HTTP/+1.1", "HTTPS/1.1", "HTTP 1.1", "SIP/2.0"})
    expect_refused(head("GET http://a/ "s + version, "Host: a\r\n"), Status::bad_request);
  expect_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Status::http_version_not_supported);
}

TEST(RequestParser, RefusesAnHttp09LineBeforeAnotherByteComes) {
  RequestHead out;
  EXPECT_EQ(RequestParser().parse("GET http://a/\r\n", out).state, ParseState::refused);
}

TEST(RequestParser, RefusesARequestLineThatIsNotThreeWords) {
  for (const char* line : {"GET", "GET ", "GET http://a/", "GET  http://a/ HTTP/1.1",
                           "GET http://a/  HTTP/1.1", "GET http://a/ HTTP/1.1 ", " GET http://a/ HTTP/1.1",
                           "GET\thttp://a/\tHTTP/1.1", "GET\thttp://a/ HTTP/1.1", "GET http://a/\tHTTP/1.1",
                           "GET http://a/ HTTP/1.1\t", "GET http://a/ b HTTP/1.1", "G(T http://a/ HTTP/1.1",
                           "G\x01T http://a/ HTTP/1.1", "GET http://a/\xc3\xbc HTTP/1.1",
                           "GET http://a/\x7f HTTP/1.1", "GET  HTTP/1.1", "\x16\x03\x01 a HTTP/1.1"})
    expect_refused(head(line, "Host: a\r\n"), Status::bad_request);
}

TEST(RequestParser, RefusesWhatIsNoHttpAtItsFirstByte) {
  RequestHead out;
  for (const char* bytes : {"\x16\x03\x01", "\x80", " ", "("}) {
    EXPECT_EQ(RequestParser().parse(bytes, out).state, ParseState::refused) << bytes;
  }
}

TEST(RequestParser, RefusesItForTheSameReasonWhenMoreCameWithIt) {
  for (const std::string rest : {"", "GET http://a/\r\n", "\n", "GET http://a/ HTTP/2.0\r\n\r\n"})
    expect_refused("\x16" + rest, Status::bad_request);
  expect_refused("\x16" + std::string(max_target_bytes * 2, 'a'), Status::bad_request);
}

TEST(RequestParser, RefusesAMethodLongerThanAny) {
  expect_refused(head(std::string(33, 'M') + " http://a/ HTTP/1.1", "Host: a\r\n"), Status::not_implemented);
}

TEST(RequestParser, RefusesMalformedFieldLines) {
  for (const auto& fields :
       {"Host : a\r\n"s, "Host\t: a\r\n"s, " Host: a\r\n"s, "Host: a\r\n folded: b\r\n"s,
        "Host: a\r\n\tfolded\r\n"s, ": a\r\n"s, "Host\r\n"s, "Ho st: a\r\n"s, "Ho\"st: a\r\n"s,
        "H\xc3\xb6st: a\r\n"s, "Host: a\rb\r\n"s, "Host: a\r\r\n"s, "Host: a\0b\r\n"s, "Ho\0st: a\r\n"s,
        "Host: a\x01\r\n"s, "Host: a\x7f\r\n"s, "\rHost: a\r\n"s, "Host: a\r\n \r\n"s})
    expect_refused(head("GET http://a/ HTTP/1.1", fields), Status::bad_request);
}

TEST(RequestParser, RefusesBareLineFeedsEverywhere) {
  for (const char* bytes :
       {"GET http://a/ HTTP/1.1\nHost: a\r\n\r\n", "GET http://a/ HTTP/1.1\r\nHost: a\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\n\n", "\nGET http://a/ HTTP/1.1\r\n\r\n",
        "GET http://a/ HTTP/1.1\n\n", "GET http://a/ HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"})
    expect_refused(bytes, Status::bad_request);
}

TEST(RequestParser, AcceptsATargetOfEightKibibytesAndNoMore) {
  const std::string start = "http://a/";
  const std::string longest = start + std::string(max_target_bytes - start.size(), 'x');
  EXPECT_EQ(test::ParsedRequest(head("GET " + longest + " HTTP/1.1", ""))->target.size(), max_target_bytes);
  expect_refused(head("GET " + longest + "x HTTP/1.1", ""), Status::uri_too_long);
  expect_refused(head("GET " + longest + std::string(60000, 'x') + " HTTP/1.1", ""), Status::uri_too_long);
  expect_refused(std::string(max_target_bytes + 1000, 'G'), Status::uri_too_long);
}

TEST(RequestParser, Accepts128FieldsAndNoMore) {
  std::string fields;
  for (std::size_t i = 0; i < max_fields; ++i) fields += "X: y\r\n";
  EXPECT_EQ(test::ParsedRequest(head("GET http://a/ HTTP/1.1", fields))->fields.size(), max_fields);
  expect_refused(head("GET http://a/ HTTP/1.1", fields + "X: y\r\n"),
                 Status::request_header_fields_too_large);
}

TEST(RequestParser, AcceptsAHeadOf64KibibytesAndNoMore) {
  const std::string start = "GET http://a/ HTTP/1.1\r\nX: ";
  const std::string fitting = start + std::string(max_head_bytes - start.size() - 4, 'x') + "\r\n\r\n";
  EXPECT_EQ(test::ParsedRequest(fitting)->fields.size(), 1u);
  const std::string larger = start + std::string(max_head_bytes - start.size() - 3, 'x') + "\r\n\r\n";
  expect_refused(larger, Status::request_header_fields_too_large);
  expect_refused(start + std::string(2 * max_head_bytes, 'x'), Status::request_header_fields_too_large);
}

TEST(RequestParser, RefusesAConnectionThatListsMoreThanItsLimit) {
  std::string list = "x0";
  for (std::size_t i = 1; i < ConnectionOptions::max_listed; ++i) list += ",x" + std::to_string(i);
  EXPECT_TRUE(request_with("Connection: " + list + ", close\r\n")->connection.close);
  expect_refused(head("GET http://a/ HTTP/1.1", "Connection: " + list + ",more\r\n"), Status::bad_request);
}

TEST(RequestParser, IsReadyForAnotherHeadAfterARefusal) {
  RequestParser parser;
  RequestHead out;
  ASSERT_EQ(parser.parse("nonsense\r\n", out).state, ParseState::refused);
  EXPECT_EQ(parser.parse("GET http://a/ HTTP/1.1\r\n\r\n", out).state, ParseState::complete);
}

TEST(RequestParser, TellsTheMethodsApart) {
  for (const auto& [text, method] : {std::pair{"GET", Method::get},
                                     {"HEAD", Method::head},
                                     {"POST", Method::post},
                                     {"PUT", Method::put},
                                     {"DELETE", Method::delete_resource},
                                     {"CONNECT", Method::connect},
                                     {"OPTIONS", Method::options},
                                     {"TRACE", Method::trace},
                                     {"PATCH", Method::other},
                                     {"get", Method::other},
                                     {"M-SEARCH", Method::other}}) {
    const test::ParsedRequest request(std::string(text) + " http://a/ HTTP/1.1\r\n\r\n");
    EXPECT_EQ(request->method, method) << text;
    EXPECT_EQ(request->method_text, text);
  }
}

TEST(FieldNames, AreToldWhateverTheirCase) {
  for (const auto& [text, id] : {std::pair{"host", FieldName::host},
                                 {"HOST", FieldName::host},
                                 {"Hosts", FieldName::other},
                                 {"Most", FieldName::other},
                                 {"tE", FieldName::te},
                                 {"Transfer-Encoding", FieldName::transfer_encoding},
                                 {"Transfer_Encoding", FieldName::other},
                                 {"content-LENGTH", FieldName::content_length},
                                 {"Keep-Alive", FieldName::keep_alive},
                                 {"Connection", FieldName::connection},
                                 {"Xonnection", FieldName::other},
                                 {"Proxy-Connection", FieldName::proxy_connection},
                                 {"Proxy-Authorization", FieldName::proxy_authorization},
                                 {"Proxy-Authenticate", FieldName::proxy_authenticate},
                                 {"Proxy-Authentication-Info", FieldName::proxy_authentication_info},
                                 {"Upgrade", FieldName::upgrade},
                                 {"Trailer", FieldName::trailer},
                                 {"Accept", FieldName::accept},
                                 {"Expect", FieldName::expect},
                                 {"Via", FieldName::via},
                                 {"Max-Forwards", FieldName::max_forwards},
                                 {"", FieldName::other}})
    EXPECT_EQ(classify_field_name(text), id) << text;
}

TEST(ResponseParser, ReadsAHeadHoweverItIsCut) {
  const std::string bytes = "HTTP/1.0 404 Not Found\r\nServer : x\r\nContent-Length: 5\r\n\r\n";
  for (const auto& sizes : test::arrivals(bytes.size())) {
    Parsed<ResponseHead> parsed;
    parse_arriving<ResponseParser>(bytes, sizes, parsed);
    ASSERT_EQ(parsed.outcome.state, ParseState::complete);
    EXPECT_EQ(parsed.outcome.consumed, bytes.size());
    EXPECT_EQ(parsed.head.status, 404u);
    EXPECT_EQ(parsed.head.reason, "Not Found");
    EXPECT_EQ(parsed.head.version, Version::http_1_0);
    EXPECT_EQ(parsed.head.fields.begin()[0].name, "Server") << "a space before the colon is taken away";
    EXPECT_EQ(parsed.head.fields.begin()[1].id, FieldName::content_length);
  }
}

TEST(ResponseParser, AcceptsAStatusLineWithoutAReason) {
  EXPECT_EQ(test::ParsedResponse("HTTP/1.1 200\r\n\r\n")->reason, "");
  EXPECT_EQ(test::ParsedResponse("HTTP/1.1 200 \r\n\r\n")->reason, "");
}

TEST(ResponseParser, ReadsAnInterimResponseAndThenTheFinalOne) {
  const std::string bytes = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
  ResponseParser parser;
  ResponseHead out;
  const auto interim = parser.parse(bytes, out);
  ASSERT_EQ(interim.state, ParseState::complete);
  EXPECT_EQ(out.status, 100u);
  ASSERT_EQ(parser.parse(std::string_view(bytes).substr(interim.consumed), out).state, ParseState::complete);
  EXPECT_EQ(out.status, 200u);
}

TEST(ResponseParser, RefusesMalformedHeadsAsBadGateway) {
  for (const auto& bytes :
       {"HTTP/2.0 200 OK\r\n\r\n"s, "ICY 200 OK\r\n\r\n"s, "http/1.1 200 OK\r\n\r\n"s,
        "HTTP/1.1 20 OK\r\n\r\n"s, "HTTP/1.1 2000 OK\r\n\r\n"s, "HTTP/1.1 099 x\r\n\r\n"s,
        "HTTP/1.1 600 x\r\n\r\n"s, "HTTP/1.1  200 OK\r\n\r\n"s, "HTTP/1.1 +20 OK\r\n\r\n"s,
        "HTTP/1.1 200 O\x01K\r\n\r\n"s, "HTTP/1.1 200 OK\n\n"s, "\r\nHTTP/1.1 200 OK\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"s, "HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nA\r\n\r\n"s, "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\n : d\r\n\r\n"s}) {
    for (const auto& sizes : test::arrivals(bytes.size())) {
      Parsed<ResponseHead> parsed;
      parse_arriving<ResponseParser>(bytes, sizes, parsed);
      ASSERT_EQ(parsed.outcome.state, ParseState::refused) << bytes;
      ASSERT_EQ(parsed.outcome.violation.status, Status::bad_gateway) << bytes;
    }
  }
}

TEST(KeepAlive, IsForHttp11ClientsThatDoNotSayClose) {
  EXPECT_TRUE(allows_keep_alive(*request_with("")));
  EXPECT_TRUE(allows_keep_alive(*request_with("Proxy-Connection: Keep-Alive\r\n")));
  EXPECT_FALSE(allows_keep_alive(*request_with("Connection: close\r\n")));
  EXPECT_FALSE(allows_keep_alive(*request_with("Connection: x, CLOSE\r\n")));
  EXPECT_FALSE(allows_keep_alive(*request_with("Connection: keep-alive\r\nConnection: close\r\n")));
  EXPECT_FALSE(allows_keep_alive(*request_with("Proxy-Connection: close\r\n")));
  EXPECT_FALSE(
      allows_keep_alive(*test::ParsedRequest("GET http://a/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")));
}

TEST(KeepAlive, IsForOriginsThatOfferIt) {
  EXPECT_TRUE(allows_keep_alive(*response_with("")));
  EXPECT_FALSE(allows_keep_alive(*response_with("Connection: close\r\n")));
  EXPECT_FALSE(allows_keep_alive(*test::ParsedResponse("HTTP/1.0 200 OK\r\n\r\n")));
  EXPECT_TRUE(allows_keep_alive(*test::ParsedResponse("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n")));
}

TEST(Expect, IsHeardFromHttp11Only) {
  EXPECT_TRUE(expects_continue(*request_with("Expect: 100-Continue\r\n")));
  EXPECT_FALSE(expects_continue(*request_with("Expect: other\r\n")));
  EXPECT_FALSE(expects_continue(*request_with("")));
  EXPECT_FALSE(
      expects_continue(*test::ParsedRequest("PUT http://a/ HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")));
}

TEST(Upgrade, NeedsConnectionToListIt) {
  EXPECT_TRUE(wants_upgrade(*request_with("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n")));
  EXPECT_FALSE(wants_upgrade(*request_with("Upgrade: websocket\r\n")));
  EXPECT_FALSE(wants_upgrade(*request_with("Connection: Upgrade\r\n")));
  EXPECT_FALSE(wants_upgrade(*request_with("Connection: Upgrade\r\nUpgrade: h2c\r\n")));
  EXPECT_FALSE(wants_upgrade(*request_with("Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n")));
  EXPECT_FALSE(wants_upgrade(
      *test::ParsedRequest("GET http://a/ HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")));
}

TEST(MaxForwards, IsUsedUpAtZeroForTraceAndOptionsOnly) {
  EXPECT_TRUE(forwards_used_up(*test::ParsedRequest("TRACE http://a/ HTTP/1.1\r\nMax-Forwards: 0\r\n\r\n")));
  EXPECT_TRUE(
      forwards_used_up(*test::ParsedRequest("OPTIONS http://a/ HTTP/1.1\r\nMax-Forwards: 00\r\n\r\n")));
  EXPECT_FALSE(
      forwards_used_up(*test::ParsedRequest("OPTIONS http://a/ HTTP/1.1\r\nMax-Forwards: 1\r\n\r\n")));
  EXPECT_FALSE(forwards_used_up(*test::ParsedRequest("GET http://a/ HTTP/1.1\r\nMax-Forwards: 0\r\n\r\n")));
  EXPECT_FALSE(forwards_used_up(*test::ParsedRequest("OPTIONS http://a/ HTTP/1.1\r\n\r\n")));
}

TEST(Via, TellsALoopThroughOurselves) {
  EXPECT_TRUE(has_via(request_with("Via: 1.1 payg-1\r\n")->fields, "payg-1"));
  EXPECT_TRUE(has_via(request_with("Via: 1.0 fred, 1.1 PAYG-1 (comment)\r\n")->fields, "payg-1"));
  EXPECT_TRUE(has_via(request_with("Via: 1.1 x\r\nVia: HTTP/1.1  payg-1\r\n")->fields, "payg-1"));
  EXPECT_FALSE(has_via(request_with("Via: 1.1 payg-10\r\n")->fields, "payg-1"));
  EXPECT_FALSE(has_via(request_with("Via: payg-1\r\n")->fields, "payg-1"));
  EXPECT_FALSE(has_via(request_with("")->fields, "payg-1"));
}

}  // namespace
}  // namespace payg::http
