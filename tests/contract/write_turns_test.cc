#include "billing/ledger/write_turns.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace payg::billing {
namespace {

TEST(WriteTurns, OfOneFileAreShared) {
  const auto one = WriteTurns::of("a.db");
  EXPECT_EQ(one, WriteTurns::of("a.db"));
  EXPECT_NE(one, WriteTurns::of("b.db"));
}

TEST(WriteTurns, BelongToOneAtATime) {
  const auto turns = WriteTurns::of("one.db");
  int inside = 0;  // guarded by the turn: a sanitizer sees when it is not
  int total = 0;
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        const WriteTurns::Turn turn(*turns);
        EXPECT_EQ(++inside, 1);
        ++total;
        --inside;
      }
    });
  }
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(total, 2000);
}

TEST(WriteTurns, ComeInTheOrderOfArrival) {
  const auto turns = WriteTurns::of("fair.db");
  std::vector<int> order;  // guarded by the turn
  std::vector<std::thread> writers;
  {
    const WriteTurns::Turn busy(*turns);
    for (int i = 0; i < 8; ++i) {
      writers.emplace_back([&order, &turns, i] {
        const WriteTurns::Turn turn(*turns);
        order.push_back(i);
      });
      while (turns->waiting() != static_cast<std::uint64_t>(i) + 1) std::this_thread::yield();
    }
  }
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(turns->waiting(), 0U);
}

}  // namespace
}  // namespace payg::billing
