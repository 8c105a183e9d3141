// kill -9 of the proxy, a hundred times in one run, at moments that a seed chooses, while a crowd connects,
// buys, is given credits and has sessions ended. Whatever somebody was told still holds in the next life,
// nobody pays twice, and each start settles what the lives before it have left open, and says how much.
//
// A failing run prints its seed; PAYG_TEST_SEED=NUMBER chooses the same moments again.

#include <signal.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/integration/book_check.h"
#include "tests/integration/customers.h"

namespace payg::test {
namespace {

using namespace std::chrono_literals;
using Milliseconds = std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

#ifdef PAYG_SANITIZED
constexpr int kills = 30;
constexpr int fresh_ledgers = 5;
#else
constexpr int kills = 100;
constexpr int fresh_ledgers = 15;
#endif
constexpr double units_per_credit = 3'600'000;
constexpr PriceOfTime price{.units_per_increment = 360, .increment = 100ms};  // at 3.6 credits an hour

std::uint64_t chosen_seed() {
  const char* const given = std::getenv("PAYG_TEST_SEED");
  return given == nullptr ? std::random_device()() : std::strtoull(given, nullptr, 10);
}

/// The moments to kill at.
class Dice {
 public:
  Dice() { std::cout << "seed " << seed_ << " (PAYG_TEST_SEED)" << std::endl; }
  std::uint64_t seed() const { return seed_; }
  bool one_in(int count) { return std::uniform_int_distribution(1, count)(random_) == 1; }
  /// Anything from nothing to `most`; waits for it.
  void pause(std::chrono::microseconds most) {
    std::this_thread::sleep_for(
        std::chrono::microseconds(std::uniform_int_distribution<std::int64_t>(0, most.count())(random_)));
  }

 private:
  std::uint64_t seed_ = chosen_seed();
  std::mt19937_64 random_{seed_};
};

/// What the log says of sessions that a start has settled.
BookCheck::Settled settled_by(const std::string& log) {
  BookCheck::Settled said;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    long long sessions = 0;
    double credits = 0;
    const auto found = line.find("ended ");
    if (found == line.npos || line.find("had left open: ") == line.npos) continue;
    std::istringstream(line.substr(found + 6)) >> sessions;
    std::istringstream(line.substr(line.find("had left open: ") + 15)) >> credits;
    said.sessions += sessions;
    said.units += std::llround(credits * units_per_credit);
  }
  return said;
}

class Kill : public testing::TestWithParam<LedgerKind> {
 protected:
  Kill()
      : metered_(GetParam(),
                 BillingSettings{.ledger = {}, .increment = "100ms", .minimum_to_start = "0.0001"}),
        check_(metered_.ledger_url(), price) {}

  ProxyProcess& proxy() { return metered_.proxy(); }
  Door::Way way() { return {.proxy = proxy().address(), .admin = proxy().admin_address()}; }

  Customers::Accounts accounts() {
    return {.rich = {account("alice", "100"), account("bob", "100")},
            .thrifty = account("thrifty", "100"),
            .poor = account("poor", "0.0005")};
  }

  /// The proxy has just started, and nobody but us knows its ports: whatever is in the ledger was left by the
  /// lives before this one.
  void check_what_was_left() {
    EXPECT_TRUE(eventually([this] { return check_.open_sessions() == 0; }))
        << "a session is open that no process has";
    const auto settled = check_.look(promises_, life_);
    settled_.sessions += settled.sessions;
    settled_.units += settled.units;
    if (starts_cut_short_ == 0) {
      EXPECT_EQ(settled_by(proxy().log()), settled) << proxy().log();
    } else {  // one of those may have settled something and have been killed before it could say so
      EXPECT_LE(settled_by(proxy().log()).units, settled.units) << proxy().log();
    }
    starts_cut_short_ = 0;
    proxy().expect_clean_books();
  }

  void kill_while_it_starts() {
    proxy().begin_to_start();
    dice_.pause(start_takes_ * 5 / 4);
    proxy().kill();
    ++starts_cut_short_;
  }

  void start_and_check() {
    const auto begun = SteadyClock::now();
    proxy().start_again();
    start_takes_ = std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - begun);
    check_what_was_left();
    life_began_ = begun;
  }

  void kill_under_load() {
    door_.open(way());
    dice_.pause(250ms);
    if (dice_.one_in(5)) {
      proxy().process().signal(SIGTERM);
      dice_.pause(150ms);
    }
    proxy().kill();
    door_.shut();
    life_ = std::chrono::duration_cast<Milliseconds>(SteadyClock::now() - life_began_);
  }

  MeteredProxy metered_;
  BookCheck check_;
  Dice dice_;
  Door door_;
  Promises promises_;
  const Origin echo_{scripts::echo()};
  const Origin web_{scripts::answer_ok()};

  std::chrono::microseconds start_takes_ = 20ms;
  SteadyClock::time_point life_began_ = SteadyClock::now();
  std::optional<Milliseconds> life_;  // of the last life that customers have seen
  int starts_cut_short_ = 0;          // since the last look
  BookCheck::Settled settled_;        // in all

 private:
  Account account(const std::string& name, const std::string& credits) {
    const Account made = metered_.user(name, "");
    const auto answer = give_credits(way(), made, credits, "start-" + name).json();
    promises_.adjustment_answered(answer.at("reference"), answer.at("credits_units"));
    return made;
  }
};

INSTANTIATE_TEST_SUITE_P(On, Kill, testing::Values(LedgerKind::sqlite, LedgerKind::postgres), name_of_ledger);

TEST_P(Kill, AtAnyMomentLosesNothingThatWasAcknowledgedAndChargesNobodyTwice) {
  Customers customers(door_, promises_, echo_, web_, accounts(), dice_.seed());
  proxy().kill();
  for (int killed = 0; killed < kills && !HasFailure(); ++killed) {
    SCOPED_TRACE("kill " + std::to_string(killed + 1) + " of seed " + std::to_string(dice_.seed()));
    if (dice_.one_in(6)) {
      kill_while_it_starts();
    } else {
      start_and_check();
      kill_under_load();
    }
  }
  start_and_check();
  door_.open(way());
  customers.finish();
  proxy().terminate();

  check_.look(promises_);
  check_.expect_no_others(promises_);
  EXPECT_EQ(check_.open_sessions(), 0);
  const auto promised = promises_.so_far();
  std::cout << promised.purchases.size() << " purchases and " << promised.adjustments.size()
            << " adjustments, of which " << customers.unanswered() << " were asked for again; "
            << customers.tunnels() << " tunnels, " << customers.ended() << " sessions ended by DELETE, "
            << check_.sessions() << " sessions with " << check_.charges() << " charges; starts settled "
            << testing::PrintToString(settled_) << std::endl;
  for (const std::int64_t happened :
       {std::ssize(promised.purchases), std::ssize(promised.session_units), settled_.sessions})
    EXPECT_GT(happened, 0) << "nothing was at stake";
}

// A ledger that half of a migration has made would be none.
TEST_P(Kill, WhileItMakesAFreshLedgerLeavesOneThatTheNextStartCanUse) {
  proxy().kill();
  for (int fresh = 0; fresh < fresh_ledgers && !HasFailure(); ++fresh) {
    SCOPED_TRACE("ledger " + std::to_string(fresh + 1) + " of seed " + std::to_string(dice_.seed()));
    metered_.forget_ledger();
    proxy().begin_to_start();
    dice_.pause(start_takes_);
    proxy().kill();
    const auto begun = SteadyClock::now();
    proxy().start_again();
    start_takes_ = std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - begun);
    const Account alice = metered_.user("alice", "10");
    EXPECT_EQ(metered_.fetch_status(alice, web_), 200);
    EXPECT_TRUE(eventually([&] { return metered_.balance_units(alice) < 10'000 * units_per_second; }));
    proxy().kill();
  }
}

}  // namespace
}  // namespace payg::test
