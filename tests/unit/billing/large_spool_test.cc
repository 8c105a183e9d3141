// A node that starts with a large spool: what that costs the ledger, and that the node lives meanwhile.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>

#include "billing/earlier_life.h"
#include "billing/node_keeper.h"
#include "tests/fakes/failing_ledger.h"
#include "tests/support/harness/patience.h"
#include "tests/support/harness/temp_folder.h"
#include "tests/support/one_minute.h"
#include "tests/unit/billing/logging_host.h"

namespace payg::test {
namespace {

using namespace billing;
using namespace std::chrono_literals;

constexpr std::size_t portion = 1'000;

/// What a SpaciousLedger was asked for.
struct Asked {
  std::vector<std::size_t> charges, ends;  // how many requests each call had
  std::vector<MonotonicTime> renewals;
  std::function<void()> on_charge = [] {};
  std::function<bool()> is_away = [] { return false; };  // for charges
};

/// Sells everything to everybody, and remembers nothing of it.
class SpaciousLedger final : public FailingLedger {
 public:
  SpaciousLedger(std::unique_ptr<Ledger> ledger, Asked& asked, const Clock& clock)
      : FailingLedger(std::move(ledger), std::make_shared<LedgerFaults>()), asked_(asked), clock_(clock) {}

  LedgerResult<std::vector<ChargeResult>> charge(const NodeRef&,
                                                 std::span<const ChargeRequest> requests) override {
    asked_.charges.push_back(requests.size());
    asked_.on_charge();
    if (asked_.is_away()) return LedgerError{LedgerError::Code::unavailable, "away"};
    std::vector<ChargeResult> results;
    for (const ChargeRequest& request : requests)
      results.push_back({ChargeResult::Outcome::granted, request.price, request.increment, {}});
    return results;
  }
  LedgerResult<std::vector<EndResult>> end_sessions(std::span<const EndRequest> requests) override {
    asked_.ends.push_back(requests.size());
    return std::vector(requests.size(), EndResult{.posted = Credits::from_units(144'000)});
  }
  LedgerResult<Done> renew_lease(const NodeRef& node, std::chrono::milliseconds lease) override {
    asked_.renewals.push_back(clock_.now());
    return FailingLedger::renew_lease(node, lease);
  }

 private:
  Asked& asked_;
  const Clock& clock_;
};

class LargeSpool : public testing::Test {
 protected:
  /// Two minutes of each session, ten sessions to a user.
  static std::vector<ChargeRequest> spool_of(std::uint64_t sessions) {
    std::vector<ChargeRequest> charges;
    for (std::uint64_t session = 1; session <= sessions; ++session) {
      for (const std::uint32_t number : {2U, 3U})
        charges.push_back(one_minute(UserId{1 + session / 10}, SessionId{session}, number, {}));
    }
    return charges;
  }
  static std::vector<SessionKey> left_open_of(const std::vector<ChargeRequest>& spool) {
    std::vector<SessionKey> left_open;
    for (std::size_t i = 0; i < spool.size(); i += 2) left_open.push_back({spool[i].user, spool[i].session});
    return left_open;
  }
  std::unique_ptr<Ledger> make_ledger() {
    return std::make_unique<SpaciousLedger>(factory(), asked, host.clock());
  }
  NodeKeeper::Listener listener() {
    return {.on_ready = [this](const auto&) { ready.set(); },
            .on_users_changed = [](const auto&) {},
            .on_networks_read = [](const auto&, auto) {},
            .on_network_confirmed = [](const auto&) {},
            .on_user_confirmed = [](const User&) {},
            .on_session_ended = [](SessionId) {},
            .on_spool_settled = [this](const auto& charges) { settled += charges.size(); },
            .on_lease_extended = [](auto) {},
            .on_superseded = [this] { superseded.set(); }};
  }
  NodeKeeper::Settings settings(std::uint64_t sessions) {
    return {.node = "node-1", .lease = 10s, .demo = {}, .spooled = spool_of(sessions)};
  }

  TempFolder folder;
  LedgerFactory factory = open_ledger("sqlite:" + folder.path() + "/payg.db").value();
  LoggingHost host;
  LedgerHealth health{host};
  Asked asked;
  std::size_t settled = 0;
  Signal ready, superseded;
};

TEST_F(LargeSpool, CostsOneCallForEachPortionOfChargesAndOfEnds) {
  constexpr std::uint64_t sessions = 200'000;
  const auto ledger = make_ledger();
  auto spool = spool_of(sessions);
  const auto begun = std::chrono::steady_clock::now();
  const auto left_open = left_open_of(spool);
  EarlierLife life(host, std::move(spool));
  life.begin({.name = "node-1", .life = NodeLife{1}}, left_open);
  std::size_t calls = 1;
  for (auto left = life.settle(*ledger); left.ok() && *left == EarlierLife::Left::more; ++calls)
    left = life.settle(*ledger);
  std::cout << sessions << " sessions with two charges each are settled in "
            << std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun)
                   .count()
            << " ms\n";
  EXPECT_EQ(asked.charges, std::vector<std::size_t>(2 * sessions / portion, portion));
  EXPECT_EQ(asked.ends, std::vector<std::size_t>(sessions / portion, portion));
  EXPECT_EQ(calls, asked.charges.size()) << "a portion of each at a call";
  EXPECT_EQ(life.take_settled_charges().size(), 2 * sessions);
  EXPECT_EQ(host.lines,
            (std::vector<std::string>{
                "charged 5333.33333333 credits for 400000 charges that node node-1 had kept in its spool",
                "ended 200000 sessions that node node-1 had left open: 8000.00 credits"}));
}

TEST_F(LargeSpool, TheLeaseIsRenewedWhileItIsSettled) {
  asked.on_charge = [this] { host.fake_clock.advance(300ms); };
  NodeKeeper keeper([this] { return make_ledger(); }, settings(50 * portion), health, host, listener());
  const MonotonicTime begun = host.clock().now();
  keeper.start();
  ready.wait();
  keeper.stop();
  EXPECT_EQ(settled, 100 * portion);
  ASSERT_GE(asked.renewals.size(), 20U) << "in 30 s";
  MonotonicTime last = begun;
  for (const MonotonicTime renewal : asked.renewals) {
    EXPECT_LE(renewal - last, 1s + 300ms);
    last = renewal;
  }
}

TEST_F(LargeSpool, WhoseNameAnotherProcessTakesMeanwhileSettlesNoMoreOfItAndDoesNotTakeTheNameBack) {
  const auto other = factory();
  asked.on_charge = [&] {
    host.fake_clock.advance(300ms);
    if (asked.charges.size() != 10) return;
    EXPECT_TRUE(other->start_node("node-1", 10s, {}).ok());
  };
  NodeKeeper keeper([this] { return make_ledger(); }, settings(50 * portion), health, host, listener());
  keeper.start();
  superseded.wait();
  keeper.stop();
  EXPECT_LT(asked.charges.size(), 15U);
  EXPECT_FALSE(ready.is_set());
  EXPECT_EQ(keeper.wait(0s), NodeKeeper::Progress::failed);
  EXPECT_EQ(keeper.failure(), "another process has started by the name of this node, node-1");
  EXPECT_EQ(other->start_node("node-1", 10s, {})->life, NodeLife{3});
}

TEST_F(LargeSpool, WhoseNameAnotherProcessTakesWhileTheLedgerIsAwayIsNotTakenBackEither) {
  const auto other = factory();
  asked.is_away = [&] {
    const bool is_third = asked.charges.size() == 3;
    EXPECT_TRUE(!is_third || other->start_node("node-1", 10s, {}).ok());
    return is_third;
  };
  NodeKeeper keeper([this] { return make_ledger(); }, settings(50 * portion), health, host, listener());
  keeper.start();
  superseded.wait();
  keeper.stop();
  EXPECT_FALSE(ready.is_set());
  EXPECT_EQ(other->start_node("node-1", 10s, {})->life, NodeLife{3});
}

}  // namespace
}  // namespace payg::test
