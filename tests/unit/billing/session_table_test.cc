#include "billing/session_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "billing/slot_index.h"
#include "tests/support/fake_clock.h"

namespace payg::billing {
namespace {

constexpr UserId alice{7};
constexpr MonotonicTime now = test::FakeClock::start;

TEST(SessionTable, JoiningTwiceIsOneStay) {
  SessionTable table(10, 1);
  const auto first = table.join(alice, "blue", {}), second = table.join(alice, "blue", {});
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->session, second->session);
  EXPECT_EQ(first->traffic, second->traffic);
  EXPECT_EQ(table.size(), 1U);
}

TEST(SessionTable, NobodyJoinsOnTheSpotBeforeAConnectionIsEstablished) {
  SessionTable table(10, 1);
  const auto seat = table.join(alice, "", {});
  EXPECT_FALSE(table.join_live(alice, "", {}));
  EXPECT_EQ(table.opened(seat->session, "direct", now), SessionTable::Opened::first);
  EXPECT_TRUE(table.join_live(alice, "", {}));
  EXPECT_FALSE(table.join_live(alice, "other", {}));
}

TEST(SessionTable, BeingGivenTheSameSessionAgainAddsNothing) {
  SessionTable table(10, 1);
  const auto seat = table.join(alice, "", {});
  table.opened(seat->session, "direct", now);
  const auto again = table.join_live(alice, "", seat->session);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->session, seat->session);
  EXPECT_EQ(table.find(seat->session)->presence.pending(), 0U);
}

TEST(SessionTable, RefusesMoreStaysThanThereMayBe) {
  SessionTable table(2, 1);
  EXPECT_TRUE(table.join(UserId{1}, "", {}));
  const auto second = table.join(UserId{2}, "", {});
  EXPECT_FALSE(table.join(UserId{3}, "", {}));
  EXPECT_TRUE(table.join(UserId{1}, "", {})) << "a stay that is there may be joined";
  table.abandoned(second->session);
  EXPECT_TRUE(table.join(UserId{3}, "", {}));
}

TEST(SessionTable, AHandleIsNeverUsedAgain) {
  SessionTable table(10, 1);
  std::set<plugin::SessionHandle> seen;
  for (int i = 0; i < 1'000; ++i) {
    const auto session = table.join(alice, "", {})->session;
    EXPECT_TRUE(session);
    EXPECT_TRUE(seen.insert(session).second);
    table.abandoned(session);
    EXPECT_EQ(table.find(session), nullptr);
    EXPECT_EQ(table.size(), 0U);
  }
}

TEST(SessionTable, TheBillerFindsOnlyWhatNoWorkerMayFree) {
  SessionTable table(10, 1);
  const auto seat = table.join(alice, "", {});
  EXPECT_EQ(table.find(seat->session), nullptr) << "not established";
  table.opened(seat->session, "direct", now);
  table.closed(seat->session, now);
  Session* session = table.find(seat->session);
  ASSERT_NE(session, nullptr) << "metered, though nobody is connected";
  table.join_live(alice, "", {});
  table.close(*session);
  table.release(*session);
  EXPECT_EQ(table.size(), 1U) << "somebody is attached";
  EXPECT_EQ(table.find(seat->session), nullptr);
  table.abandoned(seat->session);
  EXPECT_EQ(table.size(), 0U);
}

TEST(SessionTable, AMeteredSessionIsFoundByItsIdWithItsTraffic) {
  SessionTable table(10, 1);
  const auto seat = table.join(alice, "", {});
  table.opened(seat->session, "direct", now);
  Session* session = table.find(seat->session);
  table.meter(*session, now);
  seat->traffic->up_bytes = 5;
  const auto live = table.find(session->id);
  ASSERT_TRUE(live);
  EXPECT_EQ(live->connections, 1U);
  EXPECT_EQ(live->up_bytes, 5U);
  EXPECT_FALSE(table.find(SessionId{99}));
}

TEST(SessionTable, IdsArePositiveAndDifferentInTwoTables) {
  std::set<SessionId> ids;
  for (const std::uint64_t seed : {1, 2}) {
    SessionTable table(1'000, seed);
    for (std::uint64_t user = 1; user <= 500; ++user) {
      const auto seat = table.join(UserId{user}, "", {});
      table.opened(seat->session, "direct", now);
      Session* session = table.find(seat->session);
      table.meter(*session, now);
      EXPECT_GT(static_cast<std::int64_t>(session->id.value), 0);
      EXPECT_TRUE(ids.insert(session->id).second);
    }
  }
}

TEST(SessionTable, ASessionIsShownByItsIdFromItsFirstConnectionOn) {
  SessionTable table(10, 1);
  const auto seat = table.join(alice, "", {});
  EXPECT_EQ(seat->traffic->shown_as, 0U) << "nobody is connected yet";
  table.opened(seat->session, "direct", now);
  const std::uint64_t shown = seat->traffic->shown_as;
  EXPECT_NE(shown, 0U) << "before the biller has heard of it";
  Session* session = table.find(seat->session);
  table.meter(*session, now);
  EXPECT_EQ(session->id.value, shown);
  table.join_live(alice, "", {});
  table.opened(seat->session, "direct", now + std::chrono::seconds(1));
  table.closed(seat->session, now);
  ASSERT_EQ(table.end_idle(*session).next, SessionTable::AfterIdle::Next::came_back);
  const std::uint64_t shown_then = seat->traffic->shown_as;
  EXPECT_NE(shown_then, shown) << "it is another session from here on";
  table.meter(*session, now);
  EXPECT_EQ(session->id.value, shown_then);
}

/// What a table ought to say, by hand.
class MeteredModel {
 public:
  explicit MeteredModel(SessionTable& table) : table_(table) {}

  void begin(UserId user, const std::string& label) {
    const auto seat = table_.join(user, label, {});
    table_.opened(seat->session, "direct", now);
    Session* session = table_.find(seat->session);
    table_.meter(*session, now);
    of_[user].insert(session);
  }
  void end_one_of(UserId user) {
    Session* const session = *of_[user].begin();
    of_[user].erase(session);
    table_.closed(session->handle, now);
    table_.close(*session);
    table_.release(*session);
  }
  bool has_any(UserId user) { return !of_[user].empty(); }
  std::set<Session*> all() const {
    std::set<Session*> sessions;
    for (const auto& [user, his] : of_) sessions.insert(his.begin(), his.end());
    return sessions;
  }
  const std::set<Session*>& of(UserId user) { return of_[user]; }

 private:
  SessionTable& table_;
  std::map<UserId, std::set<Session*>> of_;
};

std::set<Session*> found(SessionTable& table, std::optional<UserId> user) {
  const auto sessions = table.metered_sessions(user);
  const std::set<Session*> each(sessions.begin(), sessions.end());
  EXPECT_EQ(each.size(), sessions.size()) << "none twice";
  return each;
}

TEST(SessionTable, TheMeteredSessionsOfAUserAreFoundThroughManyChanges) {
  SessionTable table(10'000, 1);
  MeteredModel model(table);
  std::mt19937 random(42);
  // Few of them have many sessions, and a shard holds several of them.
  std::uniform_int_distribution<std::uint64_t> any_user(1, 200);
  for (int i = 0; i < 5'000; ++i) {
    const UserId user{std::min(any_user(random), any_user(random))};
    if (model.has_any(user) && random() % 5 < 2) {
      model.end_one_of(user);
    } else {
      model.begin(user, std::to_string(i));
    }
    ASSERT_EQ(found(table, user), model.of(user));
  }
  EXPECT_EQ(found(table, std::nullopt), model.all());
}

TEST(SessionTable, AStayThatIsNotMeteredIsNoneOfTheMeteredSessions) {
  SessionTable table(10, 1);
  table.join(alice, "waiting", {});
  const auto seat = table.join(alice, "idle", {});
  table.opened(seat->session, "direct", now);
  Session* session = table.find(seat->session);
  table.meter(*session, now);
  EXPECT_EQ(table.metered_sessions(alice), std::vector{session});
  table.join_live(alice, "idle", {});
  table.closed(seat->session, now);
  table.end_idle(*session);
  EXPECT_TRUE(table.metered_sessions(alice).empty());
  EXPECT_TRUE(table.metered_sessions(std::nullopt).empty());
}

TEST(SlotIndex, FindsWhatIsThereAndNothingElseThroughManyChanges) {
  SlotIndex index;
  std::set<SlotIndex::Slot> model;
  std::mt19937 random(42);
  std::uniform_int_distribution<SlotIndex::Slot> any_slot(0, 499);
  const auto hash_of = [](SlotIndex::Slot slot) {
    return std::size_t{slot / 3};
  };  // collides, and runs together
  for (int i = 0; i < 20'000; ++i) {
    const SlotIndex::Slot slot = any_slot(random);
    if (model.insert(slot).second) {
      index.insert(slot, hash_of);
    } else {
      model.erase(slot);
      index.erase(slot, hash_of);
    }
    const SlotIndex::Slot probe = any_slot(random);
    const auto found = index.find(hash_of(probe), [&](SlotIndex::Slot s) { return s == probe; });
    ASSERT_EQ(found.has_value(), model.contains(probe));
  }
}

/// Comes and goes, as connections of one worker do.
void come_and_go(SessionTable& table, std::uint64_t seed, int times, std::atomic<int>& firsts) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < times; ++i) {
    const UserId user{random() % 8 + 1};
    auto seat = table.join_live(user, "", {});
    if (!seat) seat = table.join(user, "", {});
    if (!seat) continue;
    if (random() % 4 == 0) {
      table.abandoned(seat->session);
      continue;
    }
    if (table.opened(seat->session, "direct", now) == SessionTable::Opened::first) ++firsts;
    seat->traffic->up_bytes.fetch_add(1, std::memory_order_relaxed);
    table.closed(seat->session, now);
  }
}

TEST(SessionTable, WorkersComeAndGoTogether) {
  SessionTable table(1'000, 1);
  std::atomic<int> firsts{0};
  std::vector<std::thread> workers;
  for (std::uint64_t seed = 1; seed <= 4; ++seed)
    workers.emplace_back([&table, &firsts, seed] { come_and_go(table, seed, 20'000, firsts); });
  for (auto& worker : workers) worker.join();
  // Each user's stay starts once, and nobody has ended it.
  EXPECT_EQ(firsts, 8);
  EXPECT_EQ(table.size(), 8U);
}

}  // namespace
}  // namespace payg::billing
