#include "proxy/http/chunked_decoder.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/proxy/arrivals.h"

namespace payg::http {
namespace {

using Event = ChunkedDecoder::Event;

struct Decoded {
  Event last = Event::need_more;
  std::string payload;
  std::size_t consumed = 0;
  std::string_view error;
};

/// Decodes `bytes` as they come in. The decoder is shown nothing twice.
Decoded decode(std::string_view bytes, const std::vector<std::size_t>& sizes) {
  ChunkedDecoder decoder;
  Decoded decoded;
  for (const std::size_t size : sizes) {
    while (decoded.consumed < size) {
      test::Received piece;
      const std::string_view input = piece.first(bytes.substr(decoded.consumed), size - decoded.consumed);
      const auto step = decoder.decode(input);
      decoded.last = step.event;
      decoded.consumed += step.consumed;
      decoded.payload += step.data;
      decoded.error = step.error;
      if (step.event == Event::end || step.event == Event::error) return decoded;
    }
  }
  return decoded;
}

void expect_payload(std::string_view bytes, std::string_view payload) {
  const std::string with_next = std::string(bytes) + "GET ";
  for (const auto& sizes : test::arrivals(with_next.size())) {
    const Decoded decoded = decode(with_next, sizes);
    ASSERT_EQ(decoded.last, Event::end) << bytes.substr(0, 100) << decoded.error;
    ASSERT_EQ(decoded.payload, payload) << bytes.substr(0, 100);
    ASSERT_EQ(decoded.consumed, bytes.size()) << bytes.substr(0, 100);
  }
}

void expect_error(std::string_view bytes) {
  const Decoded whole = decode(bytes, {bytes.size()});
  for (const auto& sizes : test::arrivals(bytes.size())) {
    const Decoded decoded = decode(bytes, sizes);
    ASSERT_EQ(decoded.last, Event::error) << bytes.substr(0, 100);
    ASSERT_FALSE(decoded.error.empty());
    ASSERT_EQ(decoded.error, whole.error) << bytes.substr(0, 100);
    ASSERT_EQ(decoded.payload, whole.payload) << bytes.substr(0, 100);
  }
}

TEST(ChunkedDecoder, TakesThePayloadOutHoweverItIsCut) {
  expect_payload("0\r\n\r\n", "");
  expect_payload("5\r\nhello\r\n0\r\n\r\n", "hello");
  expect_payload("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world");
  expect_payload("A\r\n0123456789\r\na\r\n\r\n\r\n\r\n\r\n\r\n\r\n000\r\n\r\n",
                 "0123456789\r\n\r\n\r\n\r\n\r\n");
  expect_payload("0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", "hello");
}

TEST(ChunkedDecoder, DropsExtensionsAndTrailers) {
  expect_payload("5;a=b;c=\"d e\"\r\nhello\r\n0;x\r\n\r\n", "hello");
  expect_payload("5 ;a\r\nhello\r\n5\t ; a = b\r\nworld\r\n0\r\n\r\n", "helloworld");
  expect_payload("0\r\nA: b\r\nContent-Length: 5\r\nEmpty:\r\n\r\n", "");
}

TEST(ChunkedDecoder, RefusesMalformedSizes) {
  for (const char* bytes :
       {"0x5\r\nhello\r\n", "+5\r\nhello\r\n", "-0\r\n\r\n", "-5\r\nhello\r\n", "\r\nhello\r\n", ";a\r\n",
        " 5\r\nhello\r\n", "5 \r\nhello\r\n", "5 5\r\nhello\r\n", "g\r\n", "5g\r\n", "5,\r\n",
        "00000000000000005\r\nhello\r\n", "8000000000000000\r\n", "ffffffffffffffff\r\n",
        "10000000000000000\r\n", "\xef\xbc\x95\r\nhello\r\n"})
    expect_error(bytes);
  expect_error(std::string("5\0\r\nhello\r\n", 11));
}

TEST(ChunkedDecoder, RefusesLinesThatDoNotEndInCrLf) {
  for (const char* bytes : {"5\nhello\r\n0\r\n\r\n", "5\r\rhello", "5\rhello", "5;a\nhello", "5;a\rb\r\n",
                            "0\r\n\n", "0\n\n", "0\r\n\rX", "0\r\nA: b\n\r\n", "0\r\nA: b\rC\r\n\r\n"})
    expect_error(bytes);
}

TEST(ChunkedDecoder, RefusesDataThatIsNotFollowedByCrLf) {
  for (const char* bytes : {"5\r\nhello0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0\r\n\r\n",
                            "5\r\nhello!\r\n0\r\n\r\n", "4\r\nhello\r\n0\r\n\r\n"})
    expect_error(bytes);
}

TEST(ChunkedDecoder, RefusesTrailersThatAreNoFields) {
  for (const char* bytes : {"0\r\n: b\r\n\r\n", "0\r\nno colon\r\n\r\n", "0\r\nname\r\n\r\n",
                            "0\r\nA : b\r\n\r\n", "0\r\n A: b\r\n\r\n", "0\r\nA: b\r\n folded\r\n\r\n",
                            "0\r\nA: \x01\r\n\r\n", "0\r\nGET / HTTP/1.1\r\n\r\n"})
    expect_error(bytes);
}

TEST(ChunkedDecoder, BoundsExtensionsAndTrailers) {
  const auto chunk = [](std::size_t extension_bytes) {
    return "1;" + std::string(extension_bytes, 'x') + "\r\na\r\n";
  };
  // The CR counts: the limit is on what is read before it is known to be over.
  expect_payload(chunk(ChunkedDecoder::max_extension_bytes - 1) + "0\r\n\r\n", "a");
  expect_error(chunk(ChunkedDecoder::max_extension_bytes) + "0\r\n\r\n");
  expect_payload(chunk(200) + chunk(200) + chunk(200) + "0\r\n\r\n", "aaa");
  std::string many;
  for (std::size_t i = 0; i <= ChunkedDecoder::max_extension_bytes_in_all / 200; ++i) many += chunk(200);
  expect_error(many + "0\r\n\r\n");
  const std::string trailer = "T: " + std::string(ChunkedDecoder::max_trailer_bytes - 7, 'x') + "\r\n\r\n";
  ASSERT_EQ(trailer.size(), ChunkedDecoder::max_trailer_bytes);
  expect_payload("0\r\n" + trailer, "");
  expect_error("0\r\nx" + trailer);
}

TEST(ChunkedDecoder, IsNotOverBeforeItsEnd) {
  const std::string bytes = "5\r\nhello\r\n0\r\nA: b\r\n\r\n";
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    const Decoded decoded = decode(std::string_view(bytes).substr(0, size), {size});
    EXPECT_NE(decoded.last, Event::end) << size;
    EXPECT_NE(decoded.last, Event::error) << size;
    EXPECT_EQ(decoded.consumed, size);
  }
}

TEST(ChunkedDecoder, HandsOutPayloadWithoutCopyingIt) {
  const std::string bytes = "5\r\nhello\r\n";
  ChunkedDecoder decoder;
  const auto step = decoder.decode(bytes);
  ASSERT_EQ(step.event, Event::data);
  EXPECT_EQ(step.data.data(), bytes.data() + 3);
}

TEST(ChunkedDecoder, StaysBrokenOnceItWas) {
  ChunkedDecoder decoder;
  ASSERT_EQ(decoder.decode("x").event, Event::error);
  EXPECT_EQ(decoder.decode("5\r\nhello\r\n0\r\n\r\n").event, Event::error);
}

}  // namespace
}  // namespace payg::http
