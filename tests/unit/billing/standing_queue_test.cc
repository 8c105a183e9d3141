#include "billing/standing_queue.h"

#include <gtest/gtest.h>

namespace payg::billing {
namespace {

using Names = std::vector<std::string>;

LedgerResult<std::vector<std::optional<Standing>>> nobody(std::size_t count) {
  return std::vector<std::optional<Standing>>(count);
}

StandingQueue::Asker counting(int& calls) {
  return [&calls](const StandingQueue::Answer&) { ++calls; };
}

void deliver(const std::vector<StandingQueue::Delivery>& deliveries) {
  for (const auto& delivery : deliveries)
    for (const auto& asker : delivery.askers) asker(delivery.answer);
}

TEST(StandingQueue, ManyWhoAskForOneNameAreOneRead) {
  StandingQueue queue(100, 10);
  int calls = 0;
  for (int i = 0; i < 30; ++i) EXPECT_EQ(queue.ask("alice", counting(calls)), StandingQueue::Outcome::queued);
  EXPECT_EQ(queue.take_batch(), Names{"alice"});
  deliver(queue.on_answer(nobody(1)));
  EXPECT_EQ(calls, 30);
}

TEST(StandingQueue, WhoAsksWhileABatchIsUnderWayIsReadForAgain) {
  StandingQueue queue(100, 10);
  int early = 0, late = 0;
  queue.ask("alice", counting(early));
  queue.take_batch();
  queue.ask("alice", counting(late));
  EXPECT_TRUE(queue.take_batch().empty());
  deliver(queue.on_answer(nobody(1)));
  EXPECT_EQ(early, 1);
  EXPECT_EQ(late, 0);
  EXPECT_EQ(queue.take_batch(), Names{"alice"});
}

TEST(StandingQueue, RefusesWhenTooManyWaitAndTakesAgainWhenTheyAreAnswered) {
  StandingQueue queue(2, 10);
  int calls = 0;
  queue.ask("a", counting(calls));
  queue.ask("b", counting(calls));
  EXPECT_EQ(queue.ask("c", counting(calls)), StandingQueue::Outcome::full);
  queue.take_batch();
  deliver(queue.on_answer(nobody(2)));
  EXPECT_EQ(queue.ask("c", counting(calls)), StandingQueue::Outcome::queued);
}

TEST(StandingQueue, ReadsNoMoreNamesAtOnceThanItMay) {
  StandingQueue queue(100, 2);
  int calls = 0;
  for (const char* name : {"a", "b", "c"}) queue.ask(name, counting(calls));
  EXPECT_EQ(queue.take_batch().size(), 2U);
  deliver(queue.on_answer(nobody(2)));
  EXPECT_EQ(queue.take_batch().size(), 1U);
}

TEST(StandingQueue, ReadsNamesInTheOrderInWhichTheyCameHoweverManyWait) {
  StandingQueue queue(10'000, 7);
  int calls = 0;
  Names asked, read;
  for (int i = 0; i < 100; ++i) {
    asked.push_back("user" + std::to_string(i));
    queue.ask(asked.back(), counting(calls));
    if (i % 3 == 0)
      queue.ask(asked[static_cast<std::size_t>(i / 2)], counting(calls));  // waits already, or again
  }
  for (Names batch = queue.take_batch(); !batch.empty(); batch = queue.take_batch()) {
    read.insert(read.end(), batch.begin(), batch.end());
    deliver(queue.on_answer(nobody(batch.size())));
  }
  EXPECT_EQ(read, asked);
  EXPECT_EQ(calls, 134);
}

TEST(StandingQueue, AnErrorReachesEveryAsker) {
  StandingQueue queue(100, 10);
  int errors = 0;
  const auto asker = [&errors](const StandingQueue::Answer& answer) { errors += answer.ok() ? 0 : 1; };
  queue.ask("a", asker);
  queue.ask("b", asker);
  queue.take_batch();
  deliver(queue.on_answer(LedgerError{LedgerError::Code::unavailable, "away"}));
  EXPECT_EQ(errors, 2);
}

}  // namespace
}  // namespace payg::billing
