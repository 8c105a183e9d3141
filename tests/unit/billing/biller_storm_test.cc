// Chance plays clients, ledger and clock against the biller, from seeds that reproduce it; what must hold
// whatever happens is checked at the end of each run.

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/billing/meter_rig.h"

namespace payg::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t users = 5;

class Storm {
 public:
  explicit Storm(unsigned seed) : random_(seed) {
    for (std::uint64_t user = 1; user <= users; ++user) pay(UserId{user});
  }

  void blow(int steps) {
    for (int i = 0; i < steps; ++i) {
      happen(pick(10));
      rig.run_for(std::chrono::milliseconds(pick(40'000)));
    }
  }

  void calm_down() {
    till.mood = MapTill::Mood::answering;
    till.locked.clear();
    while (!open_.empty()) leave();
    while (!dialling_.empty()) give_up();
    rig.run_dry();
  }

  MapTill till;
  MeterRig rig{till};
  std::map<UserId, Credits> paid;

 private:
  unsigned pick(unsigned below) { return std::uniform_int_distribution<unsigned>(0, below - 1)(random_); }
  UserId any_user() { return UserId{1 + pick(users)}; }
  plugin::SessionHandle take_any(std::vector<plugin::SessionHandle>& from) {
    std::swap(from[pick(static_cast<unsigned>(from.size()))], from.back());
    const auto taken = from.back();
    from.pop_back();
    return taken;
  }

  void happen(unsigned what) {
    if (what <= 2) return dialling_.push_back(rig.admit(any_user(), pick(2) == 0 ? "" : "blue"));
    if (what <= 5) return arrive();
    if (what == 6) return leave();
    if (what == 7) return give_up();
    if (what == 8) return pay(any_user());
    constexpr MapTill::Mood moods[] = {MapTill::Mood::answering, MapTill::Mood::away,
                                       MapTill::Mood::losing_answers};
    till.mood = moods[pick(3)];
    if (pick(2) == 0) till.locked.clear();
    if (pick(2) == 0) till.locked.insert(any_user());
    if (pick(8) == 0) rig.biller.end_user(any_user(), EndReason::requested, rig.moment());
  }
  void arrive() {
    if (dialling_.empty()) return;
    open_.push_back(take_any(dialling_));
    rig.establish(open_.back());
  }
  void leave() {
    if (!open_.empty()) rig.disconnect(take_any(open_));
  }
  void give_up() {
    if (!dialling_.empty()) rig.table.abandoned(take_any(dialling_));
  }
  void pay(UserId user) {
    const Credits amount = Credits::from_units(pick(400'000));
    paid[user] = *paid[user].plus(amount);
    till.balances[user] = *till.balances[user].plus(amount);
  }

  std::mt19937 random_;
  std::vector<plugin::SessionHandle> dialling_;
  std::vector<plugin::SessionHandle> open_;
};

class BillerStorm : public ::testing::TestWithParam<unsigned> {
 protected:
  BillerStorm() {
    storm.blow(400);
    storm.calm_down();
  }
  Storm storm{GetParam()};
};

TEST_P(BillerStorm, LeavesNothingBehind) {
  EXPECT_EQ(storm.rig.biller.unsettled(), 0U);
  EXPECT_EQ(storm.rig.biller.counters().sessions_live, 0U);
  EXPECT_EQ(storm.rig.biller.counters().charges_owed, 0U);
  EXPECT_EQ(storm.rig.table.size(), 0U);
}

TEST_P(BillerStorm, NumbersEachSessionsChargesWithoutAGap) {
  std::map<billing::SessionId, std::uint32_t> last;
  for (const auto& charge : storm.till.charges) EXPECT_EQ(charge.number, ++last[charge.session]);
  EXPECT_EQ(last.size(), storm.rig.biller.counters().sessions_started);
}

TEST_P(BillerStorm, BeginsEachIncrementWhereTheLastOneEnded) {
  std::map<billing::SessionId, WallTime> expected;
  for (const auto& charge : storm.till.charges) {
    const auto before = expected.find(charge.session);
    if (before != expected.end()) {
      EXPECT_EQ(charge.from, before->second);
    }
    expected[charge.session] = charge.from + storm.till.grants.at({charge.session, charge.number});
  }
}

TEST_P(BillerStorm, EndsEachSessionOnceAndForOneReason) {
  std::map<billing::SessionId, std::set<EndReason>> reasons;
  for (const auto& end : storm.till.ends) reasons[end.session].insert(end.why);  // some were sent again
  EXPECT_EQ(reasons.size(), storm.rig.biller.counters().sessions_started);
  for (const auto& [session, why] : reasons) EXPECT_EQ(why.size(), 1U) << session.value;
}

TEST_P(BillerStorm, TakesNobodyBelowZeroAndLosesNoUnit) {
  std::map<UserId, std::int64_t> spent;
  for (const auto& [key, amount] : storm.till.amounts) spent[key] += amount;
  for (const auto& [user, paid] : storm.paid) {
    EXPECT_GE(storm.till.balances[user], Credits{});
    EXPECT_EQ(storm.till.balances[user].units(), paid.units() - spent[user]);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, BillerStorm, ::testing::Range(1U, 13U));

}  // namespace
}  // namespace payg::test
