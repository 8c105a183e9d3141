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
                                                   std::chrono::milliseconds interval) {
    config::ExitHealthConfig health;
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

}  // namespace
}  // namespace payg::proxy
