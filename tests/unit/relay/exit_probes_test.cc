#include "proxy/exit_probes.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "proxy/listener.h"
#include "tests/support/fake_clock.h"

namespace payg::proxy {
namespace {

using namespace std::chrono_literals;

/// Probes on a loop of its own and a clock that is moved by hand.
class ExitProbesTest : public testing::Test {
 protected:
  ExitProbes probes_of(ProbeShare share) { return ExitProbes(context_, share); }

  void turn_loop() {
    for (int i = 0; i < 50; ++i) event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
  }
  /// Time goes by, until all that is under way has been given up.
  void give_up(ExitProbes& probes) {
    clock_.advance(11s);
    wheel_.advance(clock_.now());
    turn_loop();
    probes.look(clock_.now());
  }
  std::uint64_t probes_done() const { return counters_.exit_probes_total.load(); }

  /// Exits that are tried on the spot, by binding a socket.
  static std::shared_ptr<const ExitTable> bound_exits(int count, std::chrono::milliseconds interval = 1s) {
    std::vector<config::ExitConfig> exits;
    for (int i = 0; i < count; ++i) {
      auto& exit = exits.emplace_back();
      exit.name = "exit-" + std::to_string(i);
      exit.source_address = "127.0.0.1";
    }
    return table_of(exits, interval);
  }
  static std::shared_ptr<const ExitTable> table_of(const std::vector<config::ExitConfig>& exits,
                                                   std::chrono::milliseconds interval,
                                                   const std::string& target = "") {
    config::ExitHealthConfig health;
    health.probe_target = target;
    health.failures = 1;
    health.probe_interval = interval;
    return std::make_shared<const ExitTable>(exits, health);
  }

  test::FakeClock clock_;
  EventLoop loop_;
  TimerWheel wheel_{clock_.now()};
  Resolver resolver_{loop_.base(), {"127.0.0.1:9"}};
  Guard guard_;
  Counters counters_;
  DialContext dial_{.base = loop_.base(),
                    .resolver = resolver_,
                    .wheel = wheel_,
                    .clock = clock_,
                    .guard = guard_,
                    .connect_timeout = 10s};
  WayOutContext context_{.dial = dial_, .pseudonym = "payg-test", .counters = counters_};
};

TEST_F(ExitProbesTest, AreSpreadOverTheInterval) {
  ExitProbes probes = probes_of({});
  probes.set_exits(bound_exits(300));
  std::uint64_t before = 0;
  for (int step = 0; step < 10; ++step) {
    clock_.advance(100ms);
    probes.look(clock_.now());
    EXPECT_NEAR(static_cast<double>(probes_done() - before), 30, 25);
    before = probes_done();
  }
  EXPECT_EQ(probes_done(), 300u);
}

TEST_F(ExitProbesTest, AreSharedOutAmongTheWorkers) {
  const auto exits = bound_exits(9);
  for (const unsigned worker : {0u, 1u}) {
    ExitProbes probes = probes_of({.worker = worker, .workers = 2});
    probes.set_exits(exits);
    clock_.advance(1s);
    probes.look(clock_.now());
  }
  EXPECT_EQ(probes_done(), 9u);
}

TEST_F(ExitProbesTest, TryAnExitThatIsDownAfterItsBackOffAlthoughTheOthersAreNotProbed) {
  const auto exits = bound_exits(3, 0s);
  ExitProbes probes = probes_of({});
  probes.set_exits(exits);
  const Exit& exit = *exits->exits()[1];
  exits->note_failure(exit, ExitHealth::Source::traffic, "a test says so", clock_.now());
  ASSERT_FALSE(exit.health().is_up());
  probes.look(clock_.now());
  EXPECT_EQ(probes_done(), 0u);
  clock_.advance(1s);
  probes.look(clock_.now());
  EXPECT_TRUE(exit.health().is_up());
  EXPECT_EQ(probes_done(), 1u);
}

TEST_F(ExitProbesTest, AreNoMoreAtOnceThanTheyMay) {
  const UniqueFd silent = listen_on(*SocketAddress::parse("127.0.0.1:0"));
  std::vector<config::ExitConfig> parents;
  for (int i = 0; i < 20; ++i) {
    auto& exit = parents.emplace_back();
    exit.name = "exit-" + std::to_string(i);
    exit.kind = config::ExitKind::socks5;
    exit.address = local_address(silent.get())->to_string();
  }
  ExitProbes probes = probes_of({.worker = 0, .workers = 1, .most_at_once = 4});
  probes.set_exits(table_of(parents, 1s));
  clock_.advance(5s);
  std::vector<UniqueFd> accepted;
  const auto accept_all = [&] {
    turn_loop();
    for (;;) {
      UniqueFd fd(accept4(silent.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) return;
      accepted.push_back(std::move(fd));
    }
  };
  for (int i = 0; i < 10; ++i) {
    probes.look(clock_.now());
    accept_all();
  }
  EXPECT_EQ(accepted.size(), 4u);
  // Those that are given up make room for others that had to wait.
  clock_.advance(11s);
  wheel_.advance(clock_.now());
  probes.look(clock_.now());
  accept_all();
  EXPECT_EQ(accepted.size(), 8u);
  EXPECT_EQ(probes_done(), 4u);
  probes.stop();
  probes.look(clock_.now());
}

/// What is connected to as a parent, whose answers the test gives.
class ScriptedParent {
 public:
  config::ExitConfig exit(const std::string& name, config::ExitKind kind = config::ExitKind::http) const {
    config::ExitConfig exit;
    exit.name = name;
    exit.kind = kind;
    exit.address = local_address(listening_.get())->to_string();
    return exit;
  }
  /// REQUIRES: somebody has connected.
  void answer(std::string_view text) {
    connection_ = UniqueFd(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_TRUE(connection_);
    ASSERT_EQ(send(connection_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }

 private:
  UniqueFd listening_ = listen_on(*SocketAddress::parse("127.0.0.1:0"));
  UniqueFd connection_;
};

/// Two exits, each looked after by a worker of its own, and both probed when a round begins.
class ExitProbesOfATarget : public ExitProbesTest {
 protected:
  static constexpr std::chrono::milliseconds interval = 5s;
  static constexpr const char* reached = "HTTP/1.1 200 OK\r\n\r\n";
  static constexpr const char* missed = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";

  ExitProbesOfATarget() {
    first_probes_.set_exits(table_);
    second_probes_.set_exits(table_);
  }
  void begin_round() {
    clock_.advance(interval);
    first_probes_.look(clock_.now());
    second_probes_.look(clock_.now());
    turn_loop();
  }
  void answer(ScriptedParent& parent, std::string_view text) {
    clock_.advance(1ms);
    parent.answer(text);
    turn_loop();
  }
  void round(const char* of_first, const char* of_second) {
    begin_round();
    answer(first_, of_first);
    answer(second_, of_second);
  }
  bool is_up(std::size_t index) const { return table_->exits()[index]->health().is_up(); }

  ScriptedParent first_, second_;
  const std::shared_ptr<const ExitTable> table_ =
      table_of({first_.exit("first"), second_.exit("second")}, interval, "192.0.2.1:80");
  ExitProbes first_probes_ = probes_of({.worker = 0, .workers = 2});
  ExitProbes second_probes_ = probes_of({.worker = 1, .workers = 2});
};

TEST_F(ExitProbesOfATarget, TakeNoExitDownWhenItIsGoneForAll) {
  round(reached, reached);
  // It goes while both are under way, and the one that was in time may be heard before the other or behind
  // it.
  begin_round();
  answer(first_, reached);
  answer(second_, missed);
  for (int i = 0; i < 5; ++i) round(missed, missed);
  EXPECT_TRUE(is_up(0));
  EXPECT_TRUE(is_up(1));

  round(reached, reached);
  begin_round();
  answer(second_, missed);
  answer(first_, reached);
  for (int i = 0; i < 5; ++i) round(missed, missed);
  EXPECT_TRUE(is_up(0));
  EXPECT_TRUE(is_up(1));
}

TEST_F(ExitProbesOfATarget, CountAnAnswerThroughAnotherExitOnce) {
  round(missed, missed);  // it was not there yet
  round(reached, missed);
  EXPECT_FALSE(is_up(1)) << "or so it seems";
  // Then it is gone for good, and behind two intervals that is no longer held against anybody.
  clock_.advance(interval);
  round(missed, missed);
  EXPECT_TRUE(is_up(1));
  for (int i = 0; i < 5; ++i) round(missed, missed);
  EXPECT_TRUE(is_up(0));
  EXPECT_TRUE(is_up(1));
}

TEST_F(ExitProbesOfATarget, KeepAnExitDownThatAloneDoesNotReachIt) {
  round(reached, missed);
  EXPECT_TRUE(is_up(1)) << "it may have gone that moment";
  round(reached, missed);
  EXPECT_FALSE(is_up(1));
  // Tried again sooner than the other one.
  clock_.advance(1s);
  second_probes_.look(clock_.now());
  turn_loop();
  answer(second_, missed);
  EXPECT_FALSE(is_up(1));
  round(reached, reached);
  EXPECT_TRUE(is_up(1));
}

TEST_F(ExitProbesTest, ThatNeverComeToAskAParentLookAtItWithoutTheTarget) {
  const ScriptedParent parent;
  config::ExitConfig gone = parent.exit("gone");
  {
    const UniqueFd nobody = listen_on(*SocketAddress::parse("127.0.0.1:0"));
    gone.address = local_address(nobody.get())->to_string();
  }
  const auto exits = table_of({parent.exit("there"), gone}, 30s, "probe.test:80");  // nobody resolves that
  ExitProbes probes = probes_of({});
  probes.set_exits(exits);
  for (const auto& exit : exits->exits())
    exits->note_failure(*exit, ExitHealth::Source::traffic, "a test says so", clock_.now());
  clock_.advance(1s);
  probes.look(clock_.now());
  turn_loop();
  EXPECT_EQ(probes_done(), 0U) << "they wait for the name";
  give_up(probes);
  turn_loop();
  EXPECT_EQ(probes_done(), 4U);
  EXPECT_TRUE(exits->exits()[0]->health().is_up());
  EXPECT_FALSE(exits->exits()[1]->health().is_up());
}

TEST_F(ExitProbesTest, SeeFromItsSourceAddressWhetherADirectExitIsThere) {
  std::vector<config::ExitConfig> direct(2);
  direct[0].name = "here";
  direct[0].source_address = "127.0.0.1";
  direct[1].name = "elsewhere";
  direct[1].source_address = "192.0.2.1";
  const auto exits = table_of(direct, 30s, "probe.test:80");
  ExitProbes probes = probes_of({});
  probes.set_exits(exits);
  for (const auto& exit : exits->exits())
    exits->note_failure(*exit, ExitHealth::Source::traffic, "a test says so", clock_.now());
  clock_.advance(1s);
  probes.look(clock_.now());
  turn_loop();
  give_up(probes);
  EXPECT_TRUE(exits->exits()[0]->health().is_up());
  EXPECT_EQ(exits->exits()[1]->health().why_down(), "its source_address cannot be used");
}

TEST_F(ExitProbesTest, OfAnExitOnTrialAreNotBroughtForwardByWhatGoesWrongElsewhere) {
  const ScriptedParent parent, another;
  const auto exits = table_of({parent.exit("on-trial"), another.exit("another")}, 30s);
  const Exit& on_trial = *exits->exits()[0];
  ExitProbes probes = probes_of({});
  probes.set_exits(exits);
  const auto fail = [&](const Exit& exit) {
    exits->note_failure(exit, ExitHealth::Source::traffic, "a test says so", clock_.now());
  };
  const auto look = [&] {
    probes.look(clock_.now());
    turn_loop();
  };
  fail(on_trial);
  look();
  clock_.advance(1s);
  look();
  ASSERT_TRUE(on_trial.health().is_up());
  ASSERT_GT(on_trial.health().failures(), 0u);
  const auto done = probes_done();
  for (int i = 0; i < 5; ++i) {
    fail(*exits->exits()[1]);
    look();
  }
  EXPECT_EQ(probes_done(), done);
  fail(on_trial);
  look();
  clock_.advance(2s);
  look();
  EXPECT_GT(probes_done(), done) << "its own failure brings the next one forward";
}

}  // namespace
}  // namespace payg::proxy
