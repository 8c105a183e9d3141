#include "proxy/hold_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_clock.h"

namespace payg::proxy {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

/// A connection that is attached to some sessions and notes how often it was released.
class FakeConnection final : public Holdable {
 public:
  explicit FakeConnection(std::vector<plugin::SessionTraffic*> sessions) : sessions_(std::move(sessions)) {}
  int released = 0;

 private:
  bool may_move(MonotonicTime now) const noexcept override { return now <= relay_until(sessions_); }
  void on_released() noexcept override { ++released; }
  std::vector<plugin::SessionTraffic*> sessions_;
};

class HoldListTest : public testing::Test {
 protected:
  void permit_until(plugin::SessionTraffic& session, MonotonicTime moment) { session.relay_until = moment; }
  void end_now(plugin::SessionTraffic& session) { permit_until(session, clock.now() - milliseconds(1)); }
  /// Another connection whose leave comes: when it is released, the list has looked at everybody.
  void let_it_look() {
    plugin::SessionTraffic permitted;
    FakeConnection witness({&permitted});
    holds.hold(witness);
    while (witness.released == 0) event_base_loop(loop.base(), EVLOOP_ONCE);
  }
  double metric(const std::string& name) const {
    const auto metrics = to_metrics({&counters});
    const auto found =
        std::find_if(metrics.begin(), metrics.end(), [&](const auto& each) { return each.name == name; });
    return found == metrics.end() ? -1 : found->value;
  }

  EventLoop loop;
  test::FakeClock clock;
  Counters counters;
  HoldList holds{loop.base(), clock, counters};
  plugin::SessionTraffic one, other;
};

TEST_F(HoldListTest, ReleasesAConnectionOnceAndOnlyWhenItsSessionPermits) {
  FakeConnection connection({&one});
  end_now(one);
  holds.hold(connection);
  let_it_look();
  EXPECT_TRUE(connection.held());
  EXPECT_EQ(connection.released, 0);
  permit_until(one, clock.now() + hours(1));
  let_it_look();
  let_it_look();
  EXPECT_FALSE(connection.held());
  EXPECT_EQ(connection.released, 1);
}

TEST_F(HoldListTest, ReleasesWhenAllOfTheSessionsPermitAndNotBefore) {
  FakeConnection connection({&one, &other});
  end_now(one);
  end_now(other);
  holds.hold(connection);
  permit_until(one, MonotonicTime::max());
  let_it_look();
  EXPECT_TRUE(connection.held());
  permit_until(other, MonotonicTime::max());
  let_it_look();
  EXPECT_FALSE(connection.held());
}

TEST_F(HoldListTest, PermitsTheLastMomentItself) {
  FakeConnection connection({&one});
  permit_until(one, clock.now());
  holds.hold(connection);
  let_it_look();
  EXPECT_EQ(connection.released, 1);
}

TEST_F(HoldListTest, SaysNothingToAConnectionThatWasLetGo) {
  FakeConnection connection({&one});
  end_now(one);
  holds.hold(connection);
  holds.let_go(connection);
  holds.let_go(connection);
  permit_until(one, MonotonicTime::max());
  let_it_look();
  EXPECT_EQ(connection.released, 0);
}

TEST_F(HoldListTest, KeepsTheOthersWhenSomeOfManyGo) {
  std::array<FakeConnection, 5> of_one{FakeConnection({&one}), FakeConnection({&one}), FakeConnection({&one}),
                                       FakeConnection({&one}), FakeConnection({&one})};
  std::array<FakeConnection, 3> of_other{FakeConnection({&other}), FakeConnection({&other}),
                                         FakeConnection({&other})};
  end_now(one);
  end_now(other);
  for (std::size_t i = 0; i < of_one.size(); ++i) {
    holds.hold(of_one[i]);
    if (i < of_other.size()) holds.hold(of_other[i]);
  }
  holds.let_go(of_one[2]);
  permit_until(other, MonotonicTime::max());
  let_it_look();
  for (const auto& each : of_other) EXPECT_EQ(each.released, 1);
  permit_until(one, MonotonicTime::max());
  let_it_look();
  for (std::size_t i = 0; i < of_one.size(); ++i) EXPECT_EQ(of_one[i].released, i == 2 ? 0 : 1) << i;
}

/// One of several that share a pace: behind the look that has released it, takes what room there is, and is
/// held again.
class Sharing final : public Holdable {
 public:
  Sharing(std::string name, int& room, HoldList& holds, std::vector<Sharing*>& released)
      : name_(std::move(name)), room_(room), holds_(holds), released_(released) {}
  ~Sharing() { holds_.let_go(*this); }

  void run(std::vector<std::string>& turns) {
    if (room_ > 0) {
      --room_;
      turns.push_back(name_ + (order() == Order::usual ? " usual" : " reversed"));
      had_its_turn();
    }
    holds_.hold(*this);
  }

 private:
  bool may_move(MonotonicTime) const noexcept override { return room_ > 0; }
  void on_released() noexcept override { released_.push_back(this); }

  const std::string name_;
  int& room_;
  HoldList& holds_;
  std::vector<Sharing*>& released_;
};

TEST_F(HoldListTest, WhoHasMovedStandsBehindThoseWhoFoundNoRoom) {
  int room = 0;
  std::vector<Sharing*> released;
  Sharing a("a", room, holds, released), b("b", room, holds, released), c("c", room, holds, released);
  for (Sharing* each : {&a, &b, &c}) holds.hold(*each);
  std::vector<std::string> turns;
  for (const int room_for : {1, 1, 1, 1, 2}) {
    room = room_for;
    let_it_look();
    EXPECT_EQ(released.size(), 3U) << "all, as long as there is room";
    for (Sharing* each : std::exchange(released, {})) each->run(turns);
    EXPECT_EQ(room, 0);
  }
  EXPECT_EQ(turns, (std::vector<std::string>{"a reversed", "b reversed", "c reversed", "a usual", "b usual",
                                             "c usual"}));
}

TEST_F(HoldListTest, ShowsHowManyAreHeldAndHowManyEverWere) {
  FakeConnection first({&one}), second({&one});
  end_now(one);
  holds.hold(first);
  holds.hold(first);
  holds.hold(second);
  EXPECT_EQ(metric("payg_proxy_connections_held"), 2);
  EXPECT_EQ(metric("payg_proxy_holds_total"), 2);
  holds.let_go(first);
  EXPECT_EQ(metric("payg_proxy_connections_held"), 1);
  permit_until(one, MonotonicTime::max());
  let_it_look();
  EXPECT_EQ(metric("payg_proxy_connections_held"), 0);
  EXPECT_EQ(metric("payg_proxy_holds_total"), 3) << "with the one that let it look";
}

}  // namespace
}  // namespace payg::proxy
