#include "proxy/dial.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "proxy/listener.h"

namespace payg::proxy {
namespace {

using std::chrono::milliseconds;

/// Dials listeners on loopback, on a loop of its own. With delays of zero every timer is ready in the round
/// in which the connection stands: the order that a worker sees when it was held up.
class DialTest : public testing::Test, public DialHandler {
 protected:
  void on_connected(UniqueFd fd) noexcept override {
    ++connected_;
    fd_ = std::move(fd);
  }
  void on_dial_failed(DialFailure failure) noexcept override {
    ++failed_;
    failure_ = failure;
  }

  static Guard loopback_allowed() { return Guard({*Cidr::parse("127.0.0.0/8"), *Cidr::parse("::1")}); }

  static TargetHost host_named(std::string_view text) {
    TargetHost host;
    EXPECT_NE(classify_host(text, host), HostKind::invalid);
    return host;
  }

  DialRequest to(const TargetHost& host) const {
    return {.host = host, .port = port_, .timeout = context_.connect_timeout};
  }

  /// Runs rounds until the handler was told, and some more in which nothing may follow.
  void run(Dial& dial) {
    dial.start();
    EXPECT_EQ(connected_ + failed_, 0) << "never from within start()";
    while (connected_ + failed_ == 0) event_base_loop(loop_.base(), EVLOOP_ONCE);
    for (int i = 0; i < 20; ++i) event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
    wheel_.advance(clock_.now() + std::chrono::hours(1));
  }

  SystemClock clock_;
  EventLoop loop_;
  TimerWheel wheel_{clock_.now()};
  Resolver resolver_{loop_.base(), {"127.0.0.1:9"}};
  Guard guard_ = loopback_allowed();
  DialContext context_{.base = loop_.base(),
                       .resolver = resolver_,
                       .wheel = wheel_,
                       .clock = clock_,
                       .guard = guard_,
                       .connect_timeout = std::chrono::minutes(1),
                       .attempt_delay = milliseconds(0),
                       .resolution_delay = milliseconds(0)};
  UniqueFd listener_ = listen_on(*SocketAddress::parse("127.0.0.1:0"));
  std::uint16_t port_ = local_address(listener_.get())->port();
  UniqueFd fd_;
  int connected_ = 0;
  int failed_ = 0;
  DialFailure failure_ = DialFailure::unresolved;
};

TEST_F(DialTest, TellsOnceThatItIsConnectedAlthoughItsTimersAreReadyToo) {
  for (int i = 0; i < 50; ++i) {
    connected_ = failed_ = 0;
    const TargetHost host = host_named("127.0.0.1");
    Dial dial(context_, to(host), *this);
    run(dial);
    ASSERT_EQ(connected_, 1);
    ASSERT_EQ(failed_, 0);
  }
}

TEST_F(DialTest, TellsOnceThatItIsRefused) {
  listener_.reset();
  const TargetHost host = host_named("127.0.0.1");
  Dial dial(context_, to(host), *this);
  run(dial);
  EXPECT_EQ(connected_, 0);
  EXPECT_EQ(failed_, 1);
  EXPECT_EQ(failure_, DialFailure::refused);
}

TEST_F(DialTest, FindsNamesInTheHostsFile) {
  const TargetHost host = host_named("localhost");
  Dial dial(context_, to(host), *this);
  run(dial);
  EXPECT_EQ(connected_, 1);
}

TEST_F(DialTest, TellsOnceThatATargetIsGuarded) {
  guard_ = Guard();
  const TargetHost host = host_named("127.0.0.1");
  Dial dial(context_, to(host), *this);
  run(dial);
  EXPECT_EQ(failed_, 1);
  EXPECT_EQ(failure_, DialFailure::forbidden);
}

TEST_F(DialTest, IsSilentOnceItWasStopped) {
  const TargetHost host = host_named("127.0.0.1");
  Dial dial(context_, to(host), *this);
  dial.start();
  dial.stop();
  for (int i = 0; i < 20; ++i) event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
  wheel_.advance(clock_.now() + std::chrono::hours(1));
  EXPECT_EQ(connected_ + failed_, 0);
}

TEST_F(DialTest, DoesNotReachAListenerOnAWildcardAddressByAnyAddressOfThisMachine) {
  listener_ = listen_on(*SocketAddress::parse("0.0.0.0:0"));
  port_ = local_address(listener_.get())->port();
  // As if 127.0.0.1 had been given to this machine after the start: the guard knows the port, not the
  // address.
  guard_.protect_wildcard(port_, {});
  context_.attempt_delay = milliseconds(250);
  const TargetHost host = host_named("127.0.0.1");
  Dial dial(context_, to(host), *this);
  run(dial);
  EXPECT_EQ(connected_, 0);
  EXPECT_EQ(failure_, DialFailure::forbidden);
}

TEST_F(DialTest, ABindThatFailsIsTheExitsFaultUnlessThisMachineIsOutOfSomething) {
  for (const int error : {EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRINUSE})
    EXPECT_EQ(failure_of_bind(error), DialFailure::exhausted) << error;
  for (const int error : {EADDRNOTAVAIL, EINVAL, EAFNOSUPPORT, EACCES, EPERM, ENODEV})
    EXPECT_EQ(failure_of_bind(error), DialFailure::exit_failed) << error;
}

}  // namespace
}  // namespace payg::proxy
