#include <gtest/gtest.h>

#include <array>

#include "billing/payments/secrets.h"
#include "tests/support/one_minute.h"
#include "tests/support/postgres_lock.h"
#include "tests/support/postgres_server.h"
#include "tests/unit/billing/plugin_rig.h"

namespace payg::test {
namespace {

using namespace billing;

/// What a node that was killed has left behind: a session of alice's that is open, with one minute unposted.
class NodeStart : public testing::Test {
 protected:
  NodeStart() {
    const auto ledger = (*open_ledger(database.url()))();
    EXPECT_TRUE(ledger->migrate().ok());
    for (User* user : {&alice, &bob}) {
      const std::string name = user == &alice ? "alice" : "bob";
      *user = *ledger->create_user(name, "", hash_token(name), started);
      EXPECT_TRUE(ledger->adjust(user->id, *Credits::parse("10"), name, "a test", started).ok());
    }
    const std::array left = {one_minute(alice.id, SessionId{7}, 1, started)};
    const NodeRef earlier{"node-1", ledger->start_node("node-1", std::chrono::minutes(7), started)->life};
    EXPECT_EQ(ledger->charge(earlier, left)->at(0).outcome, ChargeResult::Outcome::granted);
  }

  const WallTime started{std::chrono::milliseconds(1'767'225'600'000)};
  PostgresDatabase database;
  User alice, bob;
};

TEST_F(NodeStart, EndsAndPostsWhatItsEarlierLifeLeftOpen) {
  PluginRig rig("", database.url());
  EXPECT_TRUE(rig.ledger().live_sessions(alice.id)->empty());
  EXPECT_EQ(rig.ledger().transactions(alice.id, {}, std::nullopt, 1)->at(0).amount, Credits::from_units(-48'000));
}

TEST_F(NodeStart, WaitsForNobodyWhoseRowSomebodyHasLocked) {
  std::optional<PostgresLock> locked;
  locked.emplace(database.url(), locking_row("user_credits", alice.id.value));
  PluginRig rig("", database.url());
  rig.connect("bob", "bob");
  EXPECT_EQ(rig.ledger().live_sessions(alice.id)->size(), 1U);
  locked.reset();
  rig.eventually([&] { return rig.ledger().live_sessions(alice.id)->empty(); });
  EXPECT_TRUE(rig.ledger().audit()->findings.empty());
  EXPECT_TRUE(rig.host.complaints().empty());
}

}  // namespace
}  // namespace payg::test
