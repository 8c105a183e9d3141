// PROXY_RULES, "Framing", for requests: where a body ends is known or refused, never guessed.

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

struct Framed {
  const char* name;
  std::string fields;
  std::string body;
};

void PrintTo(const Framed& framed, std::ostream* out) {
  *out << framed.name;
}

template <class Param>
std::string name_of_case(const testing::TestParamInfo<Param>& test) {
  return test.param.name;
}

class AFramingThatIsWrong : public BothProxy, public testing::WithParamInterface<Framed> {};

TEST_P(AFramingThatIsWrong, IsRefusedAndReachesNobody) {
  for (const Transport transport : both_transports) {
    SCOPED_TRACE(testing::PrintToString(transport));
    const Origin origin(scripts::answer_ok());
    RawClient client = connect(transport);
    client.send(post(origin, GetParam().fields, GetParam().body) + get(origin));
    client.finish_sending();
    EXPECT_EQ(read_response(client).status, 400);
    EXPECT_EQ(client.read_to_end(), "") << "nothing behind it can be told from its body";
    EXPECT_EQ(origin.connections(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    ContentLength, AFramingThatIsWrong,
    testing::Values(Framed{"RepeatedAndDifferent", "Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"},
                    Framed{"List", "Content-Length: 5, 5\r\n", "hello"},
                    Framed{"PlusSign", "Content-Length: +5\r\n", "hello"},
                    Framed{"MinusSign", "Content-Length: -1\r\n", ""},
                    Framed{"Hexadecimal", "Content-Length: 0x10\r\n", "0123456789abcdef"},
                    Framed{"Empty", "Content-Length:\r\n", ""},
                    Framed{"InnerSpace", "Content-Length: 1 0\r\n", "0123456789"},
                    Framed{"Fraction", "Content-Length: 5.0\r\n", "hello"},
                    Framed{"Above63Bits", "Content-Length: 9223372036854775808\r\n", ""},
                    Framed{"Above64Bits", "Content-Length: 18446744073709551621\r\n", "hello"},
                    Framed{"FarAbove64Bits", "Content-Length: 99999999999999999999999999\r\n", ""}),
    name_of_case<Framed>);

INSTANTIATE_TEST_SUITE_P(
    BothWays, AFramingThatIsWrong,
    testing::Values(
        Framed{"LengthThenChunked", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"},
        Framed{"ChunkedThenLength", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"},
        Framed{"LengthHiddenByConnection",
               "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: content-length\r\n",
               "0\r\n\r\n"}),
    name_of_case<Framed>);

/// Encodings that may be handled or refused; what must not be is a third thing.
class ATransferEncoding : public BothProxy, public testing::WithParamInterface<Framed> {};

TEST_P(ATransferEncoding, IsHandledOrRefusedAndNeverGuessed) {
  for (const Transport transport : both_transports) {
    SCOPED_TRACE(testing::PrintToString(transport));
    const Origin origin(scripts::answer_ok());
    RawClient client = connect(transport);
    client.send(post(origin, GetParam().fields, GetParam().body));
    client.finish_sending();
    const auto response = read_final_response(client);
    if (response.status == 200) {
      const auto seen = origin.wait_for_requests(1);
      EXPECT_EQ(seen[0].body.content, "hello") << seen[0].head.raw;
      EXPECT_TRUE(seen[0].body.complete);
    } else {
      EXPECT_TRUE(response.status == 400 || response.status == 501) << response.head.raw;
      EXPECT_EQ(origin.requests().size(), 0U);
    }
  }
}

const std::string hello_in_chunks = "5\r\nhello\r\n0\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    Of, ATransferEncoding,
    testing::Values(
        Framed{"AnotherCase", "Transfer-Encoding: Chunked\r\n", hello_in_chunks},
        Framed{"LeadingComma", "Transfer-Encoding: ,chunked\r\n", hello_in_chunks},
        Framed{"ChunkedTwiceInOneLine", "Transfer-Encoding: chunked, chunked\r\n", hello_in_chunks},
        Framed{"TwoLines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", hello_in_chunks},
        Framed{"WithParameter", "Transfer-Encoding: chunked;a=b\r\n", hello_in_chunks},
        Framed{"VerticalTabBefore",
               "Transfer-Encoding: \x0b"
               "chunked\r\n",
               hello_in_chunks}),
    name_of_case<Framed>);

/// Codings that we do not know, or that are not the last: no handling is possible.
class AnUnknownTransferEncoding : public BothProxy, public testing::WithParamInterface<Framed> {};

TEST_P(AnUnknownTransferEncoding, IsRefusedAndReachesNobody) {
  for (const Transport transport : both_transports) {
    SCOPED_TRACE(testing::PrintToString(transport));
    const Origin origin(scripts::answer_ok());
    const auto response = ask(transport, post(origin, GetParam().fields, GetParam().body));
    EXPECT_TRUE(response.status == 400 || response.status == 501) << response.head.raw;
    EXPECT_EQ(origin.requests().size(), 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Of, AnUnknownTransferEncoding,
    testing::Values(Framed{"GzipThenChunked", "Transfer-Encoding: gzip, chunked\r\n", hello_in_chunks},
                    Framed{"ChunkedIsNotTheLast", "Transfer-Encoding: chunked, gzip\r\n", hello_in_chunks},
                    Framed{"Identity", "Transfer-Encoding: identity\r\n", ""},
                    Framed{"NotQuiteChunked", "Transfer-Encoding: xchunked\r\n", hello_in_chunks},
                    Framed{"Quoted", "Transfer-Encoding: \"chunked\"\r\n", hello_in_chunks},
                    Framed{"Empty", "Transfer-Encoding:\r\n", ""}),
    name_of_case<Framed>);

struct BadChunks {
  const char* name;
  std::string body;
};

void PrintTo(const BadChunks& bad, std::ostream* out) {
  *out << bad.name;
}

class AChunkThatIsWrong : public BothProxy, public testing::WithParamInterface<BadChunks> {};

TEST_P(AChunkThatIsWrong, EndsTheRequestAndNeverLooksComplete) {
  for (const Transport transport : both_transports) {
    SCOPED_TRACE(testing::PrintToString(transport));
    const Origin origin(scripts::answer_ok("should not be seen"));
    RawClient client = connect(transport);
    client.send(post(origin, "Transfer-Encoding: chunked\r\n", GetParam().body) + get(origin));
    client.finish_sending();
    const std::string answer = client.read_to_end();
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 400 ")) << answer;
    for (const auto& seen : origin.requests()) {
      EXPECT_TRUE(seen.head.start_line.starts_with("POST ")) << "a second request was made of its body";
      EXPECT_FALSE(seen.body.complete) << seen.body.raw;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Of, AChunkThatIsWrong,
    testing::Values(
        BadChunks{"SizeWithPrefix", "0x5\r\nhello\r\n0\r\n\r\n"},
        BadChunks{"SizeWithPlus", "+5\r\nhello\r\n0\r\n\r\n"},
        BadChunks{"SizeMinusZero", "5\r\nhello\r\n-0\r\n\r\n"},
        BadChunks{"SizeEmpty", "\r\nhello\r\n0\r\n\r\n"},
        BadChunks{"SizeOnlyAnExtension", ";a=b\r\nhello\r\n0\r\n\r\n"},
        BadChunks{"SizeWithLeadingSpace", " 5\r\nhello\r\n0\r\n\r\n"},
        BadChunks{"SizeOfSeventeenDigits", "00000000000000005\r\nhello\r\n0\r\n\r\n"},
        BadChunks{"SizeThatOverflows", "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"},
        BadChunks{"SizeOfAllBits", "FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"},
        BadChunks{"SizeLineEndsInLf", "5\nhello\r\n0\r\n\r\n"},
        BadChunks{"DataEndsInLf", "5\r\nhello\n0\r\n\r\n"},
        BadChunks{"DataWithoutItsCrlf", "5\r\nhello0\r\n\r\n"},
        BadChunks{"DataLongerThanItsSize", "4\r\nhello\r\n0\r\n\r\n"},
        BadChunks{"BareCrInTheExtension", "5;a\rb\r\nhello\r\n0\r\n\r\n"},
        BadChunks{"LfInTheExtension", "5;a\nb\r\nhello\r\n0\r\n\r\n"},
        BadChunks{"ExtensionWithoutEnd", "5;" + std::string(100'000, 'x') + "\r\nhello\r\n0\r\n\r\n"},
        BadChunks{"TrailersWithoutEnd", "5\r\nhello\r\n0\r\nX-T: " + std::string(200'000, 'x') + "\r\n\r\n"}),
    name_of_case<BadChunks>);

class RequestBody : public EitherProxy {};
INSTANTIATE_TEST_SUITE_P(By, RequestBody, testing::ValuesIn(both_transports), name_of_transport);

TEST_P(RequestBody, InChunksArrivesWithTheSameContent) {
  const Origin origin(scripts::answer_ok());
  const auto response =
      ask(post(origin, "Transfer-Encoding: chunked\r\n",
               "5\r\nhello\r\n1;name=value\r\n \r\n00005\r\nworld\r\n0\r\nX-Trailer: t\r\n\r\n"));
  EXPECT_EQ(response.status, 200);
  const auto seen = origin.wait_for_requests(1)[0];
  EXPECT_EQ(seen.body.content, "hello world");
  EXPECT_EQ(seen.head.count("Transfer-Encoding") + seen.head.count("Content-Length"), 1U) << seen.head.raw;
}

TEST_P(RequestBody, InChunksMayArriveOneByteAtATime) {
  const Origin origin(scripts::answer_ok());
  RawClient client = connect();
  client.send_slowly(post(origin, "Transfer-Encoding: chunked\r\n", "5;x\r\nhello\r\n0\r\nA: b\r\n\r\n"));
  EXPECT_EQ(read_response(client).status, 200);
  EXPECT_EQ(origin.wait_for_requests(1)[0].body.content, "hello");
}

TEST_P(RequestBody, OfAKnownLengthIsStreamedWhole) {
  const Origin origin(scripts::answer_ok());
  constexpr std::size_t size = 8 * 1024 * 1024;
  RawClient client = connect();
  client.send(post(origin, "Content-Length: " + std::to_string(size) + "\r\n", ""));
  client.send(Pattern::bytes(0, size));
  EXPECT_EQ(read_response(client).status, 200);
  PatternCheck check;
  check.feed(origin.wait_for_requests(1)[0].body.content);
  EXPECT_EQ(check.good_bytes(), size);
}

TEST_P(RequestBody, InManyLargeChunksIsStreamedWhole) {
  const Origin origin(scripts::answer_ok());
  RawClient client = connect();
  client.send(post(origin, "Transfer-Encoding: chunked\r\n", ""));
  std::size_t sent = 0;
  for (int i = 0; i < 64; ++i) {
    client.send("1FFFF\r\n" + Pattern::bytes(sent, 0x1FFFF) + "\r\n");
    sent += 0x1FFFF;
  }
  client.send("0\r\n\r\n");
  EXPECT_EQ(read_response(client).status, 200);
  PatternCheck check;
  check.feed(origin.wait_for_requests(1)[0].body.content);
  EXPECT_EQ(check.good_bytes(), sent);
}

TEST_P(RequestBody, ReachesTheOriginBeforeItIsWhole) {
  Signal half_arrived;
  const Origin origin([&](OriginConnection& connection) {
    connection.read_request_head();
    connection.stream().read_exactly(5);
    half_arrived.set();
    connection.stream().read_exactly(5);
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    connection.stream().read_to_end();
  });
  RawClient client = connect();
  client.send(post(origin, "Content-Length: 10\r\n", "hello"));
  half_arrived.wait();
  client.send("world");
  EXPECT_EQ(read_response(client).status, 200);
}

TEST_P(RequestBody, ThatEndsTooEarlyNeverLooksComplete) {
  const Origin origin(scripts::answer_ok());
  {
    RawClient client = connect();
    client.send(post(origin, "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"));
    ASSERT_TRUE(eventually([&] { return origin.connections() == 1; }));
  }
  EXPECT_FALSE(origin.wait_for_requests(1)[0].body.complete);
}

TEST_P(RequestBody, RepeatedWithTheSameLengthIsSentWithOneOrRefused) {
  const Origin origin(scripts::answer_ok());
  const auto response = ask(post(origin, "Content-Length: 5\r\nContent-Length: 5\r\n", "hello"));
  if (response.status == 200) {
    EXPECT_EQ(origin.wait_for_requests(1)[0].head.count("Content-Length"), 1U);
  } else {
    EXPECT_EQ(response.status, 400);
    EXPECT_EQ(origin.connections(), 0);
  }
}

TEST_P(RequestBody, InChunksFromHttp10IsHandledOrRefused) {
  const Origin origin(scripts::answer_ok());
  const auto response = ask(
      at(origin, "POST http://{origin}/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + hello_in_chunks));
  if (response.status == 200) {
    EXPECT_EQ(origin.wait_for_requests(1)[0].body.content, "hello");
  } else {
    EXPECT_EQ(response.status, 400);
    EXPECT_EQ(origin.connections(), 0);
  }
}

}  // namespace
}  // namespace payg::test
