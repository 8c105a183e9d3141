#include "proxy/buffer.h"

#include <gtest/gtest.h>

#include <string>

namespace payg::proxy {
namespace {

TEST(Buffer, HoldsNoMemoryWhenItIsEmpty) {
  Buffer buffer;
  buffer.append("abc");
  buffer.consume(3);
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.view().data(), nullptr);
}

TEST(Buffer, KeepsItsBytesInOrderThroughGrowthAndConsumption) {
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 2000; ++i) {
    const std::string piece(static_cast<std::size_t>(i % 37), static_cast<char>('a' + i % 26));
    buffer.append(piece);
    expected += piece;
    if (i % 3 == 0) {
      const std::size_t part = expected.size() / 2;
      buffer.consume(part);
      expected.erase(0, part);
    }
    ASSERT_EQ(buffer.view(), expected);
  }
}

TEST(Buffer, GivesAtLeastTheRoomThatWasAskedFor) {
  Buffer buffer;
  buffer.append("x");
  EXPECT_GE(buffer.writable(100'000).size(), 100'000U);
  EXPECT_EQ(buffer.view(), "x");
}

TEST(Buffer, ThatWasMovedFromIsEmptyAndUsable) {
  Buffer from;
  from.append("abc");
  Buffer to = std::move(from);
  EXPECT_EQ(to.view(), "abc");
  EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move): this is what is tested
  from.append("de");
  EXPECT_EQ(from.view(), "de");
}

}  // namespace
}  // namespace payg::proxy
