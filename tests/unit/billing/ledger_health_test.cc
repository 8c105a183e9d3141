#include "billing/ledger_health.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/billing/logging_host.h"

namespace payg::test {
namespace {

using namespace billing;
using namespace std::chrono_literals;

class Health : public ::testing::Test {
 protected:
  static LedgerResult<Done> ok() { return Done{}; }
  static LedgerResult<Done> failed(LedgerError::Code code) { return LedgerError{code, "the test says so"}; }
  void charge(const LedgerResult<Done>& answer) {
    (void)health.charge("charging", [&] { return answer; });
  }
  void read(const LedgerResult<Done>& answer) {
    (void)health.read("reading", [&] { return answer; });
  }

  LoggingHost host;
  LedgerHealth health{host};
};

TEST_F(Health, IsAwayUntilTheFirstAnswer) {
  EXPECT_EQ(health.state(), LedgerState::away);
  health.note_read("getting ready", ok());
  EXPECT_EQ(health.state(), LedgerState::up);
}

TEST_F(Health, AChargeThatFailsMeansAwayWhateverCanBeReadAndWhyeverItFails) {
  using Code = LedgerError::Code;
  for (const Code code : {Code::unavailable, Code::broken, Code::invalid, Code::conflict}) {
    read(ok());
    charge(failed(code));
    read(ok());
    health.note_read("looking for changed users", ok());
    EXPECT_EQ(health.state(), LedgerState::away) << name_of(code);
    charge(ok());
    EXPECT_EQ(health.state(), LedgerState::up) << name_of(code);
  }
}

TEST_F(Health, AReadThatFailsMeansAwayUntilAReadSucceeds) {
  read(ok());
  read(failed(LedgerError::Code::unavailable));
  charge(ok());
  EXPECT_EQ(health.state(), LedgerState::away);
  read(ok());
  EXPECT_EQ(health.state(), LedgerState::up);
}

TEST_F(Health, AChargeWithoutAnAnswerForTwoSecondsMeansAwayAndItsWaitIsKnown) {
  read(ok());
  (void)health.charge("charging", [&] {
    host.fake_clock.advance(2s);
    EXPECT_EQ(health.state(), LedgerState::up);
    host.fake_clock.advance(1ms);
    EXPECT_EQ(health.state(), LedgerState::away);
    EXPECT_EQ(health.charge_wait(), 2001ms);
    return ok();
  });
  EXPECT_EQ(health.state(), LedgerState::up);
  EXPECT_EQ(health.charge_wait(), 0ms);
}

TEST_F(Health, AReadWithoutAnAnswerMeansAwayAsWell) {
  read(ok());
  (void)health.read("reading", [&] {
    host.fake_clock.advance(3s);
    EXPECT_EQ(health.state(), LedgerState::away);
    return ok();
  });
  EXPECT_EQ(health.state(), LedgerState::up);
}

TEST_F(Health, AWriteThatIsNotRepeatedChangesNothing) {
  read(ok());
  health.note_write("posting usage", failed(LedgerError::Code::unavailable));
  EXPECT_EQ(health.state(), LedgerState::up);
}

TEST_F(Health, AnOutageIsLoggedOnceAndSoIsItsEnd) {
  read(ok());
  host.lines.clear();
  for (int i = 0; i < 5; ++i) charge(failed(LedgerError::Code::broken));
  charge(ok());
  EXPECT_EQ(host.lines, (std::vector<std::string>{"the ledger takes no charges: charging: the test says so",
                                                  "the ledger takes charges again"}));
}

}  // namespace
}  // namespace payg::test
