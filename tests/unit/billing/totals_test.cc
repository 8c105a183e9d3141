#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "tests/support/harness/temp_folder.h"
#include "tests/support/postgres_server.h"
#include "tests/unit/billing/meter_rig.h"

namespace payg::test {
namespace {

using billing::Ledger;

/// A fresh ledger of one kind.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string url() const = 0;
};

class SqliteEngine final : public Engine {
 public:
  std::string url() const override { return "sqlite:" + folder_.path() + "/payg.db"; }

 private:
  TempFolder folder_;
};

class PostgresEngine final : public Engine {
 public:
  std::string url() const override { return database_.url(); }

 private:
  PostgresDatabase database_;
};

class LedgerTill final : public Till {
 public:
  LedgerTill(Ledger& ledger, billing::NodeRef node) : ledger_(ledger), node_(std::move(node)) {}

  Charged charge(const std::vector<billing::ChargeRequest>& requests) override {
    return ledger_.charge(node_, requests);
  }
  Ended end(const std::vector<billing::EndRequest>& requests) override {
    return ledger_.end_sessions(requests);
  }

 private:
  Ledger& ledger_;
  const billing::NodeRef node_;
};

struct EngineChoice {
  const char* name;
  std::function<std::unique_ptr<Engine>()> make;
};

class Totals : public ::testing::TestWithParam<EngineChoice> {
 protected:
  Totals() {
    const auto factory = billing::open_ledger(engine_->url());
    ledger_ = (*factory)();
    EXPECT_TRUE(ledger_->migrate().ok());
    node_.life = ledger_->start_node(node_.name, std::chrono::minutes(7), FakeClock::wall_start)->life;
  }

  UserId user_with(const std::string& name, Credits credits) {
    billing::TokenHash token{};
    token[0] = static_cast<unsigned char>(name[0]);
    const auto user = ledger_->create_user(name, "", token, FakeClock::wall_start);
    EXPECT_TRUE(ledger_->adjust(user->id, credits, name, "a test", FakeClock::wall_start).ok());
    return user->id;
  }
  Credits balance(UserId user) { return *ledger_->balance(user); }

  std::unique_ptr<Engine> engine_ = GetParam().make();
  std::unique_ptr<Ledger> ledger_;
  billing::NodeRef node_{.name = "node-1"};
};

TEST_P(Totals, TenTwentySevenAndFiftySevenCreditsLastExactlyAsLongAsSold) {
  struct Package {
    const char* user;
    const char* credits;
    std::chrono::minutes lasts;
    UserId id{};
    plugin::SessionHandle session{};
  };
  std::array packages{Package{"a", "10", std::chrono::minutes(750)},
                      Package{"b", "27", std::chrono::minutes(2025)},
                      Package{"c", "57", std::chrono::minutes(4275)}};
  LedgerTill till(*ledger_, node_);
  MeterRig rig(till);
  for (Package& package : packages) {
    package.id = user_with(package.user, *Credits::parse(package.credits));
    package.session = rig.connect(package.id);
  }
  rig.run_dry();
  for (const Package& package : packages) {
    EXPECT_EQ(rig.cut(package.session), EndReason::exhausted) << package.credits;
    EXPECT_EQ(rig.cut_at(package.session), FakeClock::start + package.lasts) << package.credits;
    EXPECT_EQ(balance(package.id), Credits{}) << package.credits;
  }
  const auto audit = ledger_->audit();
  ASSERT_TRUE(audit.ok());
  EXPECT_TRUE(audit->findings.empty());
}

TEST_P(Totals, TwoSessionsOfOneUserSpendOneBalanceExactly) {
  const UserId user = user_with("a", Credits::from_units(48'000 * 7));
  LedgerTill till(*ledger_, node_);
  MeterRig rig(till);
  const auto blue = rig.connect(user, "blue"), red = rig.connect(user, "red");
  rig.run_dry();
  EXPECT_EQ(balance(user), Credits{});
  const auto total = (*rig.cut_at(blue) - FakeClock::start) + (*rig.cut_at(red) - FakeClock::start);
  EXPECT_EQ(total, std::chrono::minutes(7));
}

INSTANTIATE_TEST_SUITE_P(
    OnEachLedger, Totals,
    ::testing::Values(EngineChoice{"Sqlite", [] { return std::make_unique<SqliteEngine>(); }},
                      EngineChoice{"Postgres", [] { return std::make_unique<PostgresEngine>(); }}),
    [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace payg::test
