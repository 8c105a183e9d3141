#include "billing/node_keeper.h"

#include <gtest/gtest.h>

#include <atomic>

#include "tests/support/harness/patience.h"
#include "tests/support/harness/temp_folder.h"
#include "tests/unit/billing/logging_host.h"

namespace payg::test {
namespace {

using namespace billing;
using namespace std::chrono_literals;

class Keeper : public testing::Test {
 protected:
  User add_user(const std::string& name, unsigned char token) {
    return ledger->create_user(name, "", {token}, host.clock().wall_now()).value();
  }

  TempFolder folder;
  LedgerFactory factory = open_ledger("sqlite:" + folder.path() + "/payg.db").value();
  std::unique_ptr<Ledger> ledger = factory();
  LoggingHost host;
  LedgerHealth health{host};
};

TEST_F(Keeper, ConfirmsAChangeAtTheEndOfItsTimeHoweverLongALookTakes) {
  std::atomic<int> alice_confirmed = 0;
  Signal ready, alice_was_confirmed, bob_was_confirmed;
  NodeKeeper keeper(factory, {.node = "node-1", .demo = {}}, health, host,
                    {.on_ready = [&] { ready.set(); },
                     // Longer than any change is confirmed for.
                     .on_users_changed = [&](const auto&) { host.fake_clock.advance(1h); },
                     .on_user_confirmed =
                         [&](const User& user) {
                           if (user.name == "bob") return bob_was_confirmed.set();
                           ++alice_confirmed;
                           alice_was_confirmed.set();
                         },
                     .on_session_ended = [](SessionId) {}});
  keeper.start();
  ready.wait();
  add_user("alice", 1);
  alice_was_confirmed.wait();
  add_user("bob", 2);
  bob_was_confirmed.wait();
  keeper.stop();
  EXPECT_EQ(alice_confirmed, 1) << "and then no more";
}

TEST_F(Keeper, TellsAllThatOneLookFoundInOneGo) {
  Signal ready, first_told, two_more_made, second_told;
  std::vector<std::size_t> found;
  const auto note = [&](const std::vector<User>& users) {
    found.push_back(users.size());
    if (found.size() == 2) return second_told.set();
    first_told.set();
    two_more_made.wait();
  };
  NodeKeeper keeper(factory, {.node = "node-1", .demo = {}}, health, host,
                    {.on_ready = [&] { ready.set(); },
                     .on_users_changed = note,
                     .on_user_confirmed = [](const User&) {},
                     .on_session_ended = [](SessionId) {}});
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

}  // namespace
}  // namespace payg::test
