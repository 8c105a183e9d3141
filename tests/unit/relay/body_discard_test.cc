#include "proxy/body_discard.h"

#include <gtest/gtest.h>

#include <string>

namespace payg::proxy {
namespace {

using Kind = http::BodyFraming::Kind;
using Progress = BodyDiscard::Progress;

Buffer bytes(std::string_view text) {
  Buffer buffer;
  buffer.append(text);
  return buffer;
}

TEST(BodyDiscard, LeavesTheNextRequestBehindALength) {
  BodyDiscard discard({.kind = Kind::length, .length = 5});
  Buffer received = bytes("12");
  EXPECT_EQ(discard.take_from(received), Progress::need_more);
  received = bytes("345GET");
  EXPECT_EQ(discard.take_from(received), Progress::done);
  EXPECT_EQ(received.view(), "GET");
}

TEST(BodyDiscard, LeavesTheNextRequestBehindTheLastChunk) {
  BodyDiscard discard({.kind = Kind::chunked});
  Buffer received = bytes("3\r\nabc\r\n0\r\n\r\nGET");
  EXPECT_EQ(discard.take_from(received), Progress::done);
  EXPECT_EQ(received.view(), "GET");
}

TEST(BodyDiscard, OfNoBodyIsDoneAtOnce) {
  BodyDiscard discard;
  Buffer received = bytes("GET");
  EXPECT_EQ(discard.take_from(received), Progress::done);
  EXPECT_EQ(received.view(), "GET");
}

TEST(BodyDiscard, GivesUpOnBrokenChunks) {
  BodyDiscard discard({.kind = Kind::chunked});
  Buffer received = bytes("xyz\r\n");
  EXPECT_EQ(discard.take_from(received), Progress::hopeless);
}

TEST(BodyDiscard, GivesUpOnAChunkedBodyWithoutEnd) {
  BodyDiscard discard({.kind = Kind::chunked});
  const std::string chunk = "1000\r\n" + std::string(0x1000, 'a') + "\r\n";
  Progress progress = Progress::need_more;
  for (int i = 0; i < 32 && progress == Progress::need_more; ++i) {
    Buffer received = bytes(chunk);
    progress = discard.take_from(received);
  }
  EXPECT_EQ(progress, Progress::hopeless);
}

TEST(BodyDiscard, IsNotWorthItForALongLength) {
  EXPECT_TRUE(BodyDiscard::is_worth_it({.kind = Kind::length, .length = BodyDiscard::most_bytes}));
  EXPECT_FALSE(BodyDiscard::is_worth_it({.kind = Kind::length, .length = BodyDiscard::most_bytes + 1}));
}

}  // namespace
}  // namespace payg::proxy
