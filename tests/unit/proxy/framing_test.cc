#include "proxy/http/framing.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/proxy/http_builders.h"

namespace payg::http {
namespace {

using namespace std::string_literals;
using Kind = BodyFraming::Kind;
using test::request_with;
using test::response_with;

constexpr BodyFraming none{};
constexpr BodyFraming chunked{.kind = Kind::chunked};
constexpr BodyFraming until_close{.kind = Kind::until_close};
constexpr BodyFraming length(std::uint64_t bytes) {
  return {.kind = Kind::length, .length = bytes};
}

TEST(RequestFraming, IsToldByOneFieldOrByNone) {
  for (const auto& [lines, framing] :
       {std::pair{"", none},
        {"Content-Length: 0\r\n", length(0)},
        {"Content-Length: 5\r\n", length(5)},
        {"Content-Length: \t5 \r\n", length(5)},
        {"Content-Length: 0005\r\n", length(5)},
        {"content-length: 9223372036854775807\r\n", length(9223372036854775807u)},
        {"Transfer-Encoding: chunked\r\n", chunked},
        {"Transfer-Encoding: Chunked \r\n", chunked},
        {"TRANSFER-ENCODING:\tCHUNKED\r\n", chunked},
        {"Connection: content-length\r\nContent-Length: 5\r\n", length(5)},
        {"Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", chunked}}) {
    const auto request = request_with(lines);
    const auto found = request_framing(*request);
    ASSERT_TRUE(found.ok()) << lines << found.error().detail;
    EXPECT_EQ(*found, framing) << lines;
  }
}

constexpr const char* ambiguous_framings[] = {
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
    "Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
    "Content-Length: 5\r\nContent-Length: 6\r\n",
    "Content-Length: 5\r\nContent-Length: 5\r\n",
    "Content-Length: 5, 5\r\n",
    "Content-Length: 5,6\r\n",
    "Content-Length: +5\r\n",
    "Content-Length: -1\r\n",
    "Content-Length: -0\r\n",
    "Content-Length: 0x10\r\n",
    "Content-Length:\r\n",
    "Content-Length:  \r\n",
    "Content-Length: 5 5\r\n",
    "Content-Length: 5;\r\n",
    "Content-Length: 5.0\r\n",
    "Content-Length: 1e3\r\n",
    "Content-Length: five\r\n",
    "Content-Length: \xd9\xa5\r\n",
    "Content-Length: 9223372036854775808\r\n",
    "Content-Length: 18446744073709551616\r\n",
    "Content-Length: 18446744073709551621\r\n",
    "Content-Length: 99999999999999999999999999999999999999\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: chunked, gzip\r\n",
    "Transfer-Encoding: ,chunked\r\n",
    "Transfer-Encoding: chunked,\r\n",
    "Transfer-Encoding: chunked, chunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Transfer-Encoding:\r\n",
    "Transfer-Encoding: chunked;q=1\r\n",
    "Transfer-Encoding: \"chunked\"\r\n",
    "Transfer-Encoding: xchunked\r\n",
    "Transfer-Encoding: \x0b"
    "chunked\r\n",
};

TEST(RequestFraming, IsRefusedWhenTwoPartiesCouldReadItInTwoWays) {
  for (const std::string lines : ambiguous_framings) {
    if (lines.find('\x0b') != lines.npos) {
      RequestHead out;
      EXPECT_EQ(RequestParser().parse("GET http://a/ HTTP/1.1\r\n" + lines + "\r\n", out).state,
                ParseState::refused);
    } else {
      const auto request = request_with(lines);
      const auto found = request_framing(*request);
      ASSERT_FALSE(found.ok()) << lines;
      EXPECT_EQ(found.error().status, Status::bad_request) << lines;
    }
  }
}

TEST(RequestFraming, OfHttp10KnowsNoTransferEncoding) {
  const test::ParsedRequest request("POST http://a/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_FALSE(request_framing(*request).ok());
}

TEST(RequestFraming, OfConnectAndTraceIsNoBody) {
  for (const std::string method : {"CONNECT a:1", "TRACE http://a/"}) {
    const auto found = [&method](std::string_view lines) {
      const test::ParsedRequest request(method + " HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n");
      return request_framing(*request);
    };
    EXPECT_EQ(*found(""), none);
    EXPECT_EQ(*found("Content-Length: 0\r\n"), none);
    EXPECT_FALSE(found("Content-Length: 1\r\n").ok());
    EXPECT_FALSE(found("Transfer-Encoding: chunked\r\n").ok());
  }
}

TEST(ResponseFraming, IsToldByOneFieldOrByTheClose) {
  EXPECT_EQ(*response_framing(*response_with("Content-Length: 5\r\n"), Method::get), length(5));
  EXPECT_EQ(*response_framing(*response_with("Transfer-Encoding: chunked\r\n"), Method::get), chunked);
  EXPECT_EQ(*response_framing(*response_with(""), Method::get), until_close);
  EXPECT_EQ(*response_framing(*test::ParsedResponse("HTTP/1.0 200 OK\r\n\r\n"), Method::post), until_close);
}

TEST(ResponseFraming, IsNoBodyWhereThereIsNone) {
  for (const auto* fields : {"", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"}) {
    EXPECT_EQ(*response_framing(*response_with(fields), Method::head), none);
    EXPECT_EQ(*response_framing(*response_with(fields), Method::connect), none);
    for (const auto* status : {"100", "101", "103", "199", "204", "304"}) {
      const test::ParsedResponse response("HTTP/1.1 "s + status + " x\r\n" + fields + "\r\n");
      EXPECT_EQ(*response_framing(*response, Method::get), none) << status;
    }
  }
}

TEST(ResponseFraming, OfARefusedConnectHasABody) {
  EXPECT_EQ(*response_framing(*test::ParsedResponse("HTTP/1.1 403 no\r\nContent-Length: 5\r\n\r\n"),
                              Method::connect),
            length(5));
}

TEST(ResponseFraming, IsBadGatewayWhenTwoPartiesCouldReadItInTwoWays) {
  for (const std::string lines : ambiguous_framings) {
    if (lines.find('\x0b') != lines.npos) {
      ResponseHead out;
      EXPECT_EQ(ResponseParser().parse("HTTP/1.1 200 OK\r\n" + lines + "\r\n", out).state,
                ParseState::refused);
    } else {
      const auto response = response_with(lines);
      const auto found = response_framing(*response, Method::get);
      ASSERT_FALSE(found.ok()) << lines;
      EXPECT_EQ(found.error().status, Status::bad_gateway) << lines;
    }
  }
  const test::ParsedResponse old("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_FALSE(response_framing(*old, Method::get).ok());
}

TEST(FramingForClient, ChunksForHttp11AndClosesForHttp10) {
  for (const Version version : {Version::http_1_0, Version::http_1_1}) {
    EXPECT_EQ(framing_for_client(none, version), none);
    EXPECT_EQ(framing_for_client(length(7), version), length(7));
  }
  for (const auto& received : {chunked, until_close}) {
    EXPECT_EQ(framing_for_client(received, Version::http_1_1), chunked);
    EXPECT_EQ(framing_for_client(received, Version::http_1_0), until_close);
  }
}

TEST(ChunkHead, IsTheSizeInHexadecimal) {
  std::array<char, 18> bytes;
  EXPECT_EQ(chunk_head(1, bytes), "1\r\n");
  EXPECT_EQ(chunk_head(16384, bytes), "4000\r\n");
  EXPECT_EQ(chunk_head(~std::uint64_t{0}, bytes), "ffffffffffffffff\r\n");
}

}  // namespace
}  // namespace payg::http
