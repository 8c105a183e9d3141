#include "billing/node_keeper.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <future>

#include "tests/fakes/failing_ledger.h"
#include "tests/support/harness/patience.h"
#include "tests/support/harness/temp_folder.h"
#include "tests/support/one_minute.h"
#include "tests/unit/billing/logging_host.h"

namespace payg::test {
namespace {

using namespace billing;
using namespace std::chrono_literals;

/// What a test and its WatchedLedger tell each other.
struct Watch {
  std::function<void()> on_look = [] {};
  std::atomic<int> looks = 0;
  std::atomic<bool> is_read_only = false;
  /// The portions of usage there are to post, and how many looks there had been before each was posted.
  std::atomic<std::size_t> portions_left = 0;
  std::vector<int> posted_after;
};

/// Counts the looks, and refuses what a keeper writes while it is read-only.
class WatchedLedger final : public FailingLedger {
 public:
  WatchedLedger(std::unique_ptr<Ledger> ledger, Watch& watch)
      : FailingLedger(std::move(ledger), std::make_shared<LedgerFaults>()), watch_(watch) {}

  LedgerResult<Changes> changes_since(std::string_view node, std::optional<ChangeMark> mark) override {
    watch_.on_look();
    ++watch_.looks;
    return FailingLedger::changes_since(node, mark);
  }
  LedgerResult<Done> renew_lease(const NodeRef& node, std::chrono::milliseconds lease) override {
    if (watch_.is_read_only) return read_only();
    return FailingLedger::renew_lease(node, lease);
  }
  LedgerResult<LostPortion> end_lost_sessions(const NodeSign& last_sign, WallTime at) override {
    if (watch_.is_read_only) return read_only();
    return FailingLedger::end_lost_sessions(last_sign, at);
  }
  LedgerResult<Posting> post_usage(std::string_view, WallTime, WallTime) override {
    watch_.posted_after.push_back(watch_.looks);
    return --watch_.portions_left > 0 ? Posting::more : Posting::done;
  }

 private:
  static LedgerError read_only() { return {LedgerError::Code::unavailable, "read-only"}; }
  Watch& watch_;
};

class Keeper : public testing::Test {
 protected:
  User add_user(const std::string& name, unsigned char token) {
    return ledger->create_user(name, "", {token}, host.clock().wall_now()).value();
  }

  /// A session of the node's that is open, with a minute that is not posted.
  void charge_on(const NodeRef& node, const User& user) {
    EXPECT_TRUE(ledger->adjust(user.id, *Credits::parse("1"), "start", "", host.clock().wall_now()).ok());
    const std::array minute = {one_minute(user.id, SessionId{7}, 1, host.clock().wall_now())};
    EXPECT_EQ(ledger->charge(node, minute)->at(0).outcome, ChargeResult::Outcome::granted);
  }
  void charge_on_node_2(const User& user, std::chrono::milliseconds lease) {
    charge_on({"node-2", ledger->start_node("node-2", lease, host.clock().wall_now())->life}, user);
  }
  NodeSign sign_of(const std::string& node) {
    const auto changes = ledger->changes_since("nobody", std::nullopt);
    for (const NodeSign& sign : changes->nodes)
      if (sign.node == node) return sign;
    return {};
  }
  /// Nothing that anybody listens to but that it is ready, and out of service.
  NodeKeeper::Listener listener() {
    return {.on_ready = [this](const auto&) { ready.set(); },
            .on_users_changed = [](const auto&) {},
            .on_networks_read = [](const auto&, auto) {},
            .on_network_confirmed = [](const auto&) {},
            .on_user_confirmed = [](const User&) {},
            .on_session_ended = [](SessionId) {},
            .on_spool_settled = [](const auto&) {},
            .on_lease_extended = [this](auto lease) { extended = lease; },
            .on_superseded = [this] { superseded.set(); }};
  }
  LedgerFactory watched() {
    return [this] { return std::make_unique<WatchedLedger>(factory(), watch); };
  }
  std::int64_t beat_of(const std::string& node) { return sign_of(node).beat; }

  TempFolder folder;
  LedgerFactory factory = open_ledger("sqlite:" + folder.path() + "/payg.db").value();
  std::unique_ptr<Ledger> ledger = factory();
  LoggingHost host;
  LedgerHealth health{host};
  const NodeKeeper::Settings settings{.node = "node-1", .lease = 1h, .demo = {}, .spooled = {}};
  Watch watch;
  Signal ready, superseded;
  std::atomic<std::chrono::milliseconds> extended{};
};

TEST_F(Keeper, ConfirmsAChangeAtTheEndOfItsTimeHoweverLongALookTakes) {
  std::atomic<int> alice_confirmed = 0;
  Signal alice_was_confirmed, bob_was_confirmed;
  NodeKeeper keeper(factory, settings, health, host,
                    {.on_ready = [&](const auto&) { ready.set(); },
                     // Longer than any change is confirmed for.
                     .on_users_changed = [&](const auto&) { host.fake_clock.advance(1h); },
                     .on_networks_read = [](const auto&, auto) {},
                     .on_network_confirmed = [](const auto&) {},
                     .on_user_confirmed =
                         [&](const User& user) {
                           if (user.name == "bob") return bob_was_confirmed.set();
                           ++alice_confirmed;
                           alice_was_confirmed.set();
                         },
                     .on_session_ended = [](SessionId) {},
                     .on_spool_settled = [](const auto&) {},
                     .on_lease_extended = [](auto) {},
                     .on_superseded = [] {}});
  keeper.start();
  ready.wait();
  add_user("alice", 1);
  alice_was_confirmed.wait();
  add_user("bob", 2);
  bob_was_confirmed.wait();
  keeper.stop();
  EXPECT_EQ(alice_confirmed, 1) << "and then no more";
}

TEST_F(Keeper, ConfirmsAChangeOnceASecondHoweverOftenItLooks) {
  std::atomic<int> confirmed = 0;
  NodeKeeper::Listener counting = listener();
  counting.on_user_confirmed = [&](const User&) { ++confirmed; };
  NodeKeeper keeper(watched(), settings, health, host, counting);
  keeper.start();
  ready.wait();
  add_user("alice", 1);
  ASSERT_TRUE(eventually([&] { return confirmed == 1; }));
  const int looks = watch.looks;
  ASSERT_TRUE(eventually([&] { return watch.looks >= looks + 3; }));
  EXPECT_EQ(confirmed, 1) << "no time has gone by";
  host.fake_clock.advance(1s);
  EXPECT_TRUE(eventually([&] { return confirmed == 2; }));
}

TEST_F(Keeper, TellsAllThatOneLookFoundInOneGo) {
  Signal first_told, two_more_made, second_told;
  std::vector<std::size_t> found;
  const auto note = [&](const std::vector<User>& users) {
    found.push_back(users.size());
    if (found.size() == 2) return second_told.set();
    first_told.set();
    two_more_made.wait();
  };
  NodeKeeper keeper(factory, settings, health, host,
                    {.on_ready = [&](const auto&) { ready.set(); },
                     .on_users_changed = note,
                     .on_networks_read = [](const auto&, auto) {},
                     .on_network_confirmed = [](const auto&) {},
                     .on_user_confirmed = [](const User&) {},
                     .on_session_ended = [](SessionId) {},
                     .on_spool_settled = [](const auto&) {},
                     .on_lease_extended = [](auto) {},
                     .on_superseded = [] {}});
  keeper.start();
  ready.wait();
  add_user("alice", 1);
  first_told.wait();
  add_user("bob", 2);
  add_user("carol", 3);
  two_more_made.set();
  second_told.wait();
  keeper.stop();
  EXPECT_EQ(found, (std::vector<std::size_t>{1, 2}));
}

TEST_F(Keeper, RenewsTheLeaseAsTimeGoesBy) {
  NodeKeeper keeper(factory, settings, health, host, listener());
  keeper.start();
  ready.wait();
  const std::int64_t first = beat_of("node-1");
  for (int renewals = 1; renewals <= 3; ++renewals) {
    host.fake_clock.advance(1s);
    ASSERT_TRUE(eventually([&] { return beat_of("node-1") == first + renewals; }));
  }
  keeper.set_lease(2h);
  keeper.set_lease(30min);
  EXPECT_EQ(extended.load(), 0ms) << "nobody goes by it yet";
  host.fake_clock.advance(1s);
  ASSERT_TRUE(eventually([&] { return beat_of("node-1") == first + 4; }));
  ASSERT_TRUE(eventually([&] { return extended.load() == 2h; }));
  EXPECT_EQ(ledger->changes_since("nobody", std::nullopt)->nodes.at(0).lease, 2h)
      << "never shorter than it was";
}

TEST_F(Keeper, SaysThatTheLedgerKnowsALeaseWhichWasExtendedBeforeItAnswered) {
  const auto faults = std::make_shared<LedgerFaults>();
  NodeKeeper keeper(failing(factory, faults), settings, health, host, listener());
  faults->set(LedgerFault::refused);
  keeper.start();
  ASSERT_TRUE(eventually([&] { return faults->calls() >= 1; }));
  EXPECT_EQ(keeper.set_lease(2h), 2h);
  faults->set(LedgerFault::none);
  ready.wait();
  EXPECT_EQ(extended.load(), 2h);
}

TEST_F(Keeper, EndsTheSessionsOfANodeWhoseLeaseRanOutAndSaysHowMuchTheyWere) {
  ASSERT_TRUE(ledger->migrate().ok());
  const User alice = add_user("alice", 1);
  charge_on_node_2(alice, 10s);
  NodeKeeper keeper(factory, settings, health, host, listener());
  keeper.start();
  ready.wait();
  // Small steps, since a keeper that has not looked for long watches afresh.
  ASSERT_TRUE(eventually([&] {
    host.fake_clock.advance(100ms);
    return ledger->live_sessions(alice.id)->empty();
  }));
  keeper.stop();
  EXPECT_EQ(ledger->transactions(alice.id, {}, std::nullopt, 1)->at(0).amount, Credits::from_units(-48'000));
  EXPECT_EQ(std::count(host.lines.begin(), host.lines.end(),
                       "ended 1 session that node node-2 had left open: 0.01333333 credits"),
            1)
      << "said once";
}

TEST_F(Keeper, CallsNobodyLostWhileItCannotRenewItsOwnLease) {
  ASSERT_TRUE(ledger->migrate().ok());
  const User alice = add_user("alice", 1);
  charge_on_node_2(alice, 3s);
  watch.is_read_only = true;
  watch.on_look = [this] {
    if (watch.is_read_only) host.fake_clock.advance(1s);
  };
  NodeKeeper keeper(watched(), settings, health, host, listener());
  keeper.start();
  ready.wait();
  ASSERT_TRUE(eventually([&] { return watch.looks >= 6; })) << "more seconds than node-2's lease has";
  const std::int64_t before = beat_of("node-1");
  watch.is_read_only = false;
  ASSERT_TRUE(eventually([&] { return beat_of("node-1") > before; }));
  keeper.stop();  // after what follows the renewal
  EXPECT_EQ(ledger->live_sessions(alice.id)->size(), 1U) << "node-2 could not renew its lease either";
}

TEST_F(Keeper, PostsUsageAPortionAtALook) {
  watch.portions_left = 3;
  NodeKeeper keeper(watched(), settings, health, host, listener());
  keeper.start();
  ready.wait();
  host.fake_clock.advance(6min);
  ASSERT_TRUE(eventually([&] { return watch.portions_left == 0; }));
  const int looks = watch.looks;
  ASSERT_TRUE(eventually([&] { return watch.looks >= looks + 2; })) << "the next ones have nothing to post";
  keeper.stop();
  const int first = watch.posted_after.at(0);
  EXPECT_EQ(watch.posted_after, (std::vector{first, first + 1, first + 2}));
}

TEST_F(Keeper, GoesOutOfServiceWhenAnotherProcessStartsByItsName) {
  NodeKeeper older(factory, settings, health, host, listener());
  older.start();
  ready.wait();
  ASSERT_TRUE(ledger->start_node("node-1", 10s, host.clock().wall_now()).ok());
  superseded.wait();
  older.stop();
  ASSERT_FALSE(host.lines.empty());
  EXPECT_NE(host.lines.back().find("another process has started by the name of this node, node-1"),
            std::string::npos)
      << host.lines.back();
  EXPECT_EQ(beat_of("node-1"), 2) << "it renews nothing that is another's";
}

TEST_F(Keeper, HearsAtItsFirstLookOfWhatEndedElsewhereThoughItsClockStoodStill) {
  ASSERT_TRUE(ledger->migrate().ok());
  const User alice = add_user("alice", 1);
  std::promise<SessionId> ended;
  auto listening = listener();
  listening.on_session_ended = [&](SessionId session) { ended.set_value(session); };
  NodeKeeper keeper(factory, settings, health, host, listening);
  keeper.start();
  ready.wait();
  const NodeSign sign = sign_of("node-1");
  charge_on({sign.node, sign.life}, alice);
  // A machine that is suspended counts no time, and the others do.
  ASSERT_EQ(ledger->end_lost_sessions(sign, host.clock().wall_now())->sessions, 1);
  EXPECT_EQ(ended.get_future().get(), SessionId{7});
}

TEST_F(Keeper, LooksForLessOftenWhileTheLedgerIsAwayAndAgainWhenItIsBack) {
  const auto faults = std::make_shared<LedgerFaults>();
  NodeKeeper keeper(failing(factory, faults), settings, health, host, listener());
  faults->set(LedgerFault::refused);
  keeper.start();
  ASSERT_TRUE(eventually([&] { return faults->calls() >= 3; }));
  faults->set(LedgerFault::none);
  ready.wait();
  keeper.stop();
  EXPECT_EQ(std::count_if(host.lines.begin(), host.lines.end(),
                          [](const auto& line) { return line.find("the test says so") != line.npos; }),
            1)
      << "said once";
}

}  // namespace
}  // namespace payg::test
