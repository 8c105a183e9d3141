// PROXY_RULES, "Request head": what a strict reviewer tries on the first lines of a request.

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

struct BadRequest {
  const char* name;
  std::string raw;  // "{origin}" stands for the origin
  int status;
};

void PrintTo(const BadRequest& bad, std::ostream* out) {
  *out << bad.name;
}

class ARefusedHead : public BothProxy, public testing::WithParamInterface<BadRequest> {};

TEST_P(ARefusedHead, GetsItsStatusAndReachesNobody) {
  const Origin origin(scripts::answer_ok());
  for (const Transport transport : both_transports) {
    SCOPED_TRACE(testing::PrintToString(transport));
    const HttpResponse response = ask(transport, at(origin, GetParam().raw));
    EXPECT_EQ(response.status, GetParam().status) << response.head.raw << response.body.content;
    EXPECT_TRUE(response.head.has("Proxy-Status")) << response.head.raw;
    EXPECT_TRUE(response.head.has("Content-Length")) << response.head.raw;
    EXPECT_TRUE(response.body.complete);
  }
  EXPECT_EQ(origin.connections(), 0);
}

std::string request(const std::string& line, const std::string& fields = "Host: {origin}\r\n") {
  return line + "\r\n" + fields + "\r\n";
}
std::string with_fields(const std::string& fields) {
  return request("GET http://{origin}/ HTTP/1.1", "Host: {origin}\r\n" + fields);
}
std::string with_host(const std::string& fields) {
  return request("GET http://{origin}/ HTTP/1.1", fields);
}

std::string many_fields(int count) {
  std::string fields;
  for (int i = 0; i < count; ++i) fields += "X-Field-" + std::to_string(i) + ": v\r\n";
  return fields;
}

const std::string nul(1, '\0');

INSTANTIATE_TEST_SUITE_P(
    Host, ARefusedHead,
    testing::Values(BadRequest{"Missing", with_host(""), 400},
                    BadRequest{"Repeated", with_host("Host: {origin}\r\nHost: {origin}\r\n"), 400},
                    BadRequest{"RepeatedInAnotherCase", with_host("Host: {origin}\r\nhost: b\r\n"), 400},
                    BadRequest{"WithSpace", with_host("Host: a b\r\n"), 400},
                    BadRequest{"WithPath", with_host("Host: a/b\r\n"), 400},
                    BadRequest{"WithUserinfo", with_host("Host: user@a\r\n"), 400},
                    BadRequest{"List", with_host("Host: a, b\r\n"), 400},
                    BadRequest{"WithBadPort", with_host("Host: a:port\r\n"), 400}),
    [](const auto& test) { return std::string(test.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Target, ARefusedHead,
    testing::Values(BadRequest{"Userinfo", request("GET http://user@{origin}/ HTTP/1.1"), 400},
                    BadRequest{"UserinfoWithPassword", request("GET http://u:p@{origin}/ HTTP/1.1"), 400},
                    BadRequest{"EmptyUserinfo", request("GET http://@{origin}/ HTTP/1.1"), 400},
                    BadRequest{"Fragment", request("GET http://{origin}/#top HTTP/1.1"), 400},
                    BadRequest{"OriginForm", request("GET / HTTP/1.1"), 400},
                    BadRequest{"AsteriskWithGet", request("GET * HTTP/1.1"), 400},
                    BadRequest{"NoHost", request("GET http:///path HTTP/1.1"), 400},
                    BadRequest{"OnlyAPort", request("GET http://:80/ HTTP/1.1"), 400},
                    BadRequest{"Https", request("GET https://{origin}/ HTTP/1.1"), 501},
                    BadRequest{"Ftp", request("GET ftp://{origin}/ HTTP/1.1"), 501},
                    BadRequest{"PortZero", request("GET http://127.0.0.1:0/ HTTP/1.1"), 400},
                    BadRequest{"PortAbove65535", request("GET http://127.0.0.1:65536/ HTTP/1.1"), 400},
                    BadRequest{"PortFarAbove", request("GET http://127.0.0.1:4294967376/ HTTP/1.1"), 400},
                    BadRequest{"PortWithSign", request("GET http://127.0.0.1:+80/ HTTP/1.1"), 400},
                    BadRequest{"PortWithLetters", request("GET http://127.0.0.1:80a/ HTTP/1.1"), 400},
                    BadRequest{"OpenBracket", request("GET http://[::1/ HTTP/1.1"), 400},
                    BadRequest{"NoAddressInBrackets", request("GET http://[name]:80/ HTTP/1.1"), 400},
                    BadRequest{"Ipv4InBrackets", request("GET http://[127.0.0.1]:80/ HTTP/1.1"), 400},
                    BadRequest{"ZoneId", request("GET http://[fe80::1%25lo]/ HTTP/1.1"), 400},
                    BadRequest{"Ipv6WithoutBrackets", request("GET http://::1/ HTTP/1.1"), 400},
                    BadRequest{"ControlByte",
                               request("GET http://{origin}/a\x01"
                                       "b HTTP/1.1"),
                               400},
                    BadRequest{"LongerThan8KiB",
                               request("GET http://{origin}/" + std::string(8 * 1024, 'a') + " HTTP/1.1"),
                               414}),
    [](const auto& test) { return std::string(test.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Version, ARefusedHead,
    testing::Values(BadRequest{"Http09", "GET http://{origin}/\r\n\r\n", 400},
                    BadRequest{"Http20", request("GET http://{origin}/ HTTP/2.0"), 505},
                    BadRequest{"LowerCase", request("GET http://{origin}/ http/1.1"), 400},
                    BadRequest{"NoMinor", request("GET http://{origin}/ HTTP/1"), 400},
                    BadRequest{"TwoDigits", request("GET http://{origin}/ HTTP/1.10"), 400},
                    BadRequest{"OtherName", request("GET http://{origin}/ HTTQ/1.1"), 400}),
    [](const auto& test) { return std::string(test.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Line, ARefusedHead,
    testing::Values(BadRequest{"TwoSpacesBehindTheMethod", request("GET  http://{origin}/ HTTP/1.1"), 400},
                    BadRequest{"TwoSpacesBeforeTheVersion", request("GET http://{origin}/  HTTP/1.1"), 400},
                    BadRequest{"TabsForSpaces", request("GET\thttp://{origin}/\tHTTP/1.1"), 400},
                    BadRequest{"SpaceBeforeTheMethod", request(" GET http://{origin}/ HTTP/1.1"), 400},
                    BadRequest{"SpaceAtTheEnd", request("GET http://{origin}/ HTTP/1.1 "), 400},
                    BadRequest{"SpaceInTheTarget", request("GET http://{origin}/a b HTTP/1.1"), 400},
                    BadRequest{"MethodIsNoToken", request("G(T http://{origin}/ HTTP/1.1"), 400}),
    [](const auto& test) { return std::string(test.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Fields, ARefusedHead,
    testing::Values(
        BadRequest{"SpaceBeforeTheColon", with_fields("X-A : v\r\n"), 400},
        BadRequest{"TabBeforeTheColon", with_fields("X-A\t: v\r\n"), 400},
        BadRequest{"EmptyName", with_fields(": v\r\n"), 400},
        BadRequest{"NoColon", with_fields("X-A\r\n"), 400},
        BadRequest{"NameIsNoToken", with_fields("X(A): v\r\n"), 400},
        BadRequest{"ObsFold", with_fields("X-A: v\r\n folded\r\n"), 400},
        BadRequest{"ObsFoldWithTab", with_fields("X-A: v\r\n\tfolded\r\n"), 400},
        BadRequest{"FirstFieldFolded", with_host(" Host: {origin}\r\n"), 400},
        BadRequest{"BareCr", with_fields("X-A: a\rb\r\n"), 400},
        BadRequest{"BareLf", with_fields("X-A: a\nX-B: b\r\n"), 400},
        BadRequest{"AllLinesEndInLfOnly", "GET http://{origin}/ HTTP/1.1\nHost: {origin}\n\n", 400},
        BadRequest{"NulInAValue", with_fields("X-A: a" + nul + "b\r\n"), 400},
        BadRequest{"NulInAName", with_fields("X" + nul + "A: b\r\n"), 400},
        BadRequest{"BlockOverTheLimit", with_fields("X-A: " + std::string(65 * 1024, 'a') + "\r\n"), 431},
        BadRequest{"MoreThan128Fields", with_fields(many_fields(128)), 431}),
    [](const auto& test) { return std::string(test.param.name); });

class RequestHead : public EitherProxy {};
INSTANTIATE_TEST_SUITE_P(By, RequestHead, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(RequestHead, InAbsoluteFormIsForwardedForEveryMethod) {
  const Origin origin(scripts::answer_ok());
  for (const std::string method :
       {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "x-own"}) {
    const bool sends_body = method == "POST" || method == "PUT" || method == "PATCH";
    const auto response = ask(at(origin, method + " http://{origin}/p?q=1 HTTP/1.1\r\nHost: {origin}\r\n" +
                                             (sends_body ? "Content-Length: 2\r\n\r\nhi" : "\r\n")),
                              method);
    EXPECT_EQ(response.status, 200) << method << "\n" << response.head.raw;
    const auto seen = origin.requests();
    ASSERT_FALSE(seen.empty()) << method;
    EXPECT_EQ(seen.back().head.start_line, method + " /p?q=1 HTTP/1.1");
    EXPECT_EQ(seen.back().body.content, sends_body ? "hi" : "");
  }
}

TEST_P(RequestHead, GetsItsHostFromTheTargetAndNotFromTheClient) {
  const Origin origin(scripts::answer_ok());
  const auto response = ask(at(origin, "GET http://{origin}/ HTTP/1.1\r\nHost: other.example\r\n\r\n"));
  EXPECT_EQ(response.status, 200);
  const auto seen = origin.wait_for_requests(1);
  EXPECT_EQ(seen[0].head.count("Host"), 1U);
  EXPECT_EQ(seen[0].head.field("Host"), origin.authority());
}

TEST_P(RequestHead, OfHttp10NeedsNoHostAndGetsOne) {
  const Origin origin(scripts::answer_ok());
  const auto response = ask(at(origin, "GET http://{origin}/ HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(origin.wait_for_requests(1)[0].head.field("Host"), origin.authority());
}

TEST_P(RequestHead, OfHttp12IsTakenAs11OrRefusedAsAVersion) {
  const Origin origin(scripts::answer_ok());
  const auto response = ask(at(origin, "GET http://{origin}/ HTTP/1.2\r\nHost: {origin}\r\n\r\n"));
  if (response.status == 200) {
    EXPECT_EQ(origin.wait_for_requests(1)[0].head.start_line, "GET / HTTP/1.1");
  } else {
    EXPECT_EQ(response.status, 505);
    EXPECT_EQ(origin.connections(), 0);
  }
}

TEST_P(RequestHead, WithoutAPathAsksForTheRoot) {
  const Origin origin(scripts::answer_ok());
  EXPECT_EQ(ask(at(origin, "GET http://{origin} HTTP/1.1\r\nHost: {origin}\r\n\r\n")).status, 200);
  EXPECT_EQ(ask(at(origin, "GET http://{origin}?a=b HTTP/1.1\r\nHost: {origin}\r\n\r\n")).status, 200);
  const auto seen = origin.wait_for_requests(2);
  EXPECT_EQ(seen[0].head.start_line, "GET / HTTP/1.1");
  EXPECT_EQ(seen[1].head.start_line, "GET /?a=b HTTP/1.1");
}

TEST_P(RequestHead, OptionsWithoutAPathAsksForTheServerAsAWhole) {
  const Origin origin(scripts::answer_ok());
  EXPECT_EQ(ask(at(origin, "OPTIONS http://{origin} HTTP/1.1\r\nHost: {origin}\r\n\r\n")).status, 200);
  EXPECT_EQ(origin.wait_for_requests(1)[0].head.start_line, "OPTIONS * HTTP/1.1");
}

TEST_P(RequestHead, NamesItsSchemeInAnyCase) {
  const Origin origin(scripts::answer_ok());
  EXPECT_EQ(ask(at(origin, "GET HTTP://{origin}/ HTTP/1.1\r\nHost: {origin}\r\n\r\n")).status, 200);
  EXPECT_EQ(origin.wait_for_requests(1).size(), 1U);
}

TEST_P(RequestHead, MayNameAnIpv6Literal) {
  const Origin origin(scripts::answer_ok("six"), "[::1]:0");
  const auto response = ask(get(origin));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body.content, "six");
  EXPECT_EQ(origin.wait_for_requests(1)[0].head.field("Host"), origin.authority());
}

TEST_P(RequestHead, MayArriveOneByteAtATime) {
  const Origin origin(scripts::answer_ok());
  RawClient client = connect();
  client.send_slowly(get(origin, "X-Slow: yes\r\n"));
  EXPECT_EQ(read_response(client).status, 200);
  EXPECT_EQ(origin.wait_for_requests(1)[0].head.field("X-Slow"), "yes");
}

TEST_P(RequestHead, UpToItsLimitsIsForwardedWhole) {
  const Origin origin(scripts::answer_ok());
  const std::string path = "/" + std::string(7 * 1024, 'a');
  EXPECT_EQ(ask(get(origin, many_fields(120), path)).status, 200);
  EXPECT_EQ(ask(get(origin, "X-Big: " + std::string(60 * 1024, 'b') + "\r\n")).status, 200);
  const auto seen = origin.wait_for_requests(2);
  EXPECT_EQ(seen[0].head.start_line, "GET " + path + " HTTP/1.1");
  EXPECT_EQ(seen[0].head.field("X-Field-119"), "v");
  EXPECT_EQ(seen[1].head.field("X-Big")->size(), 60U * 1024U);
}

TEST_P(RequestHead, ThatIsRefusedSmugglesNothingBehindIt) {
  const Origin origin(scripts::answer_ok());
  RawClient client = connect();
  client.send(at(origin, "GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\nX-A : v\r\n\r\n") + get(origin));
  client.finish_sending();
  EXPECT_EQ(read_response(client).status, 400);
  EXPECT_EQ(client.read_to_end(), "") << "what follows a head that was not understood is not a request";
  EXPECT_EQ(origin.connections(), 0);
}

}  // namespace
}  // namespace payg::test
