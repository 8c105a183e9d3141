#include "billing/user_cache.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace payg::test {
namespace {

using namespace billing;
using namespace std::chrono_literals;

User user_with(unsigned char token) {
  User user{.id = {7}, .name = "alice", .email = ""};
  user.token[0] = token;
  return user;
}

class Cache : public ::testing::Test {
 protected:
  UserCache::Age age_after(std::chrono::seconds time) {
    return users.find("alice", FakeClock::start + time)->age;
  }

  UserCache users{2};
};

TEST_F(Cache, WhoHasNotBeenConfirmedForAMinuteIsToBeReadAgainByOneAsker) {
  users.remember(user_with(1), FakeClock::start);
  EXPECT_EQ(age_after(59s), UserCache::Age::fresh);
  EXPECT_EQ(age_after(60s), UserCache::Age::due);
  EXPECT_EQ(age_after(60s), UserCache::Age::fresh) << "somebody else sees to it";
  EXPECT_EQ(age_after(119s), UserCache::Age::fresh);
  EXPECT_EQ(age_after(120s), UserCache::Age::due) << "it may have failed";
}

TEST_F(Cache, WhoIsRememberedAgainIsFreshAgain) {
  users.remember(user_with(1), FakeClock::start);
  users.remember(user_with(2), FakeClock::start + 30s);
  EXPECT_EQ(age_after(89s), UserCache::Age::fresh);
  EXPECT_EQ(users.find("alice", FakeClock::start)->user.token, user_with(2).token);
}

TEST_F(Cache, RefreshingChangesOnlyWhoIsRemembered) {
  users.refresh(user_with(1));
  EXPECT_EQ(users.size(), 0U);
  users.remember(user_with(1), FakeClock::start);
  users.refresh(user_with(2));
  EXPECT_EQ(users.find("alice", FakeClock::start)->user.token, user_with(2).token);
}

TEST_F(Cache, ANewNamePushesOutAnotherOne) {
  for (const char* name : {"alice", "bob", "carol"}) {
    User user = user_with(1);
    user.name = name;
    users.remember(user, FakeClock::start);
  }
  EXPECT_EQ(users.size(), 2U);
  EXPECT_TRUE(users.find("carol", FakeClock::start));
}

}  // namespace
}  // namespace payg::test
