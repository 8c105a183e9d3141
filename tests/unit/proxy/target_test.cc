#include "proxy/http/target.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/proxy/http_builders.h"

namespace payg::http {
namespace {

using namespace std::string_literals;

test::ParsedRequest request_for(std::string_view method, std::string_view target) {
  return test::ParsedRequest(std::string(method) + " " + std::string(target) +
                             " HTTP/1.1\r\nHost: a\r\n\r\n");
}

struct Expected {
  const char* target;
  const char* host;
  std::uint16_t port;
  const char* origin_form;
  const char* host_field;
};

TEST(Target, IsReadFromTheAbsoluteForm) {
  for (const Expected& expected : {
           Expected{"http://example.com/", "example.com", 80, "/", "example.com"},
           {"http://example.com", "example.com", 80, "/", "example.com"},
           {"HTTP://EXAMPLE.com/A?B", "example.com", 80, "/A?B", "example.com"},
           {"http://example.com?q", "example.com", 80, "/?q", "example.com"},
           {"http://example.com?", "example.com", 80, "/?", "example.com"},
           {"http://example.com:8080/x", "example.com", 8080, "/x", "example.com:8080"},
           {"http://example.com:80/x", "example.com", 80, "/x", "example.com"},
           {"http://example.com:/x", "example.com", 80, "/x", "example.com"},
           {"http://example.com:00081/", "example.com", 81, "/", "example.com:81"},
           {"http://example.com:65535/", "example.com", 65535, "/", "example.com:65535"},
           {"http://example.com./", "example.com", 80, "/", "example.com"},
           {"http://my_host-1/", "my_host-1", 80, "/", "my_host-1"},
           {"http://192.0.2.1/", "192.0.2.1", 80, "/", "192.0.2.1"},
           {"http://[2001:DB8::1]/", "2001:db8::1", 80, "/", "[2001:db8::1]"},
           {"http://[::1]:81/", "::1", 81, "/", "[::1]:81"},
           {"http://[::1]:/", "::1", 80, "/", "[::1]"},
           {"http://[::ffff:7f00:1]/", "::ffff:127.0.0.1", 80, "/", "[::ffff:127.0.0.1]"},
           {"http://a/b@c:d//e|{}^\"", "a", 80, "/b@c:d//e|{}^\"", "a"},
           {"http://a/http://b/", "a", 80, "/http://b/", "a"},
       }) {
    const auto request = request_for("GET", expected.target);
    Target target;
    const auto violation = parse_target(*request, target);
    ASSERT_FALSE(violation) << expected.target << ": " << violation->detail;
    EXPECT_EQ(target.host.text, expected.host) << expected.target;
    EXPECT_EQ(target.port, expected.port) << expected.target;
    std::string text;
    append_origin_form(text, target, Method::get);
    EXPECT_EQ(text, expected.origin_form) << expected.target;
    text.clear();
    append_host(text, target);
    EXPECT_EQ(text, expected.host_field) << expected.target;
  }
}

TEST(Target, OfOptionsWithoutAPathIsTheWholeServer) {
  for (const auto& [text, form] : {std::pair{"http://a", "*"}, {"http://a/", "/"}, {"http://a?x", "/?x"}}) {
    const auto request = request_for("OPTIONS", text);
    Target target;
    ASSERT_FALSE(parse_target(*request, target));
    std::string out;
    append_origin_form(out, target, request->method);
    EXPECT_EQ(out, form);
  }
}

TEST(Target, IsRefusedWhenItIsNotWhatAProxyTakes) {
  for (const char* target : {"/",
                             "/path",
                             "*",
                             "example.com",
                             "example.com:80",
                             "//example.com/",
                             "http:/a/",
                             "http:a",
                             "http:",
                             "://a/",
                             "http://",
                             "http:///",
                             "http://:80/",
                             "http://?",
                             "http://user@a/",
                             "http://user:password@a/",
                             "http://@a/",
                             "http://a@/",
                             "http://a/#fragment",
                             "http://a#",
                             "http://a:0/",
                             "http://a:65536/",
                             "http://a:99999/",
                             "http://a:4294967376/",
                             "http://a:000080/",
                             "http://a:-80/",
                             "http://a:+80/",
                             "http://a:0x50/",
                             "http://a:80:80/",
                             "http://a:http/",
                             "http://::1/",
                             "http://2001:db8::1/",
                             "http://1::2:80/",
                             "http://[::1/",
                             "http://::1]/",
                             "http://[]/",
                             "http://[::1]x/",
                             "http://[::1]x:80/",
                             "http://x[::1]/",
                             "http://[[::1]]/",
                             "http://[192.0.2.1]/",
                             "http://[example.com]/",
                             "http://[fe80::1%25eth0]/",
                             "http://[fe80::1%eth0]/",
                             "http://[v1.x]/",
                             "http://[::1]:0/",
                             "http://127.1/",
                             "http://2130706433/",
                             "http://0x7f.1/",
                             "http://0x7f000001/",
                             "http://1.2.3.4./",
                             "http://1.2.3.04/",
                             "http://1.2.3/",
                             "http://256.1.1.1/",
                             "http://1.2.3.4.5/",
                             "http://a.1/",
                             "http://a..b/",
                             "http://.a/",
                             "http://a../",
                             "http://./",
                             "http://a%2eb/",
                             "http://a,b/",
                             "http://a\\b/",
                             "http://a!b/",
                             "http://a;b/",
                             "http://a'b/"}) {
    const auto request = request_for("GET", target);
    Target out;
    const auto violation = parse_target(*request, out);
    ASSERT_TRUE(violation) << target;
    EXPECT_EQ(violation->status, Status::bad_request) << target;
  }
}

TEST(Target, OfAnotherSchemeIsNotImplemented) {
  for (const char* text :
       {"https://example.com/", "HTTPS://example.com/", "ftp://example.com/", "ws://a/", "x+y-z.1://a/"}) {
    const auto request = request_for("GET", text);
    Target target;
    const auto violation = parse_target(*request, target);
    ASSERT_TRUE(violation) << text;
    EXPECT_EQ(violation->status, Status::not_implemented) << text;
  }
}

TEST(Target, OfConnectIsAnAuthorityWithAPort) {
  for (const auto& [text, host, port] : {std::tuple{"example.com:443", "example.com", 443},
                                         {"EXAMPLE.COM:443", "example.com", 443},
                                         {"[::1]:1", "::1", 1},
                                         {"192.0.2.1:65535", "192.0.2.1", 65535}}) {
    const auto request = request_for("CONNECT", text);
    Target target;
    ASSERT_FALSE(parse_target(*request, target)) << text;
    EXPECT_EQ(target.host.text, host);
    EXPECT_EQ(target.port, port);
    EXPECT_TRUE(target.path_and_query.empty());
  }
}

TEST(Target, OfConnectIsRefusedInEveryOtherForm) {
  for (const char* text : {"example.com", "example.com:", "example.com:0", "example.com:65536",
                           "http://example.com:443", "http://example.com:443/", "example.com:443/", "/", "*",
                           ":443", "user@example.com:443", "[::1]", "::1:443", "example.com:443#x",
                           "example.com:443?x", "127.1:443", "[example.com]:443", "example.com:https"}) {
    const auto request = request_for("CONNECT", text);
    Target target;
    const auto violation = parse_target(*request, target);
    ASSERT_TRUE(violation) << text;
    EXPECT_EQ(violation->status, Status::bad_request) << text;
  }
}

std::optional<Violation> target_violation(std::string_view head) {
  const test::ParsedRequest request(head);
  Target target;
  return parse_target(*request, target);
}

TEST(HostField, MayDifferFromTheTargetWhichDecides) {
  const test::ParsedRequest request("GET http://right.example/ HTTP/1.1\r\nHost: wrong.example:81\r\n\r\n");
  Target target;
  ASSERT_FALSE(parse_target(*request, target));
  EXPECT_EQ(target.host.text, "right.example");
  EXPECT_EQ(target.port, 80);
}

TEST(HostField, MayBeMissingInHttp10Only) {
  EXPECT_FALSE(target_violation("GET http://a/ HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(target_violation("GET http://a/ HTTP/1.1\r\n\r\n"));
  EXPECT_TRUE(target_violation("CONNECT a:1 HTTP/1.1\r\n\r\n"));
}

TEST(HostField, MayNotBeRepeated) {
  EXPECT_TRUE(target_violation("GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"));
  EXPECT_TRUE(target_violation("GET http://a/ HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n"));
}

TEST(HostField, MustBeWellFormed) {
  for (const char* value : {"a", "a:80", "a:", "[::1]", "[::1]:8080", "192.0.2.1:1"})
    EXPECT_FALSE(target_violation("GET http://a/ HTTP/1.1\r\nHost: "s + value + "\r\n\r\n")) << value;
  for (const char* value :
       {"", "a b", "a, b", "a/b", "http://a", "u@a", "a:b", "a:0", "a:65536", "::1", "[::1", "[a]", "a\tb"})
    EXPECT_TRUE(target_violation("GET http://a/ HTTP/1.1\r\nHost: "s + value + "\r\n\r\n")) << value;
}

}  // namespace
}  // namespace payg::http
