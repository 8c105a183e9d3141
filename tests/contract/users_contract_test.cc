#include <limits>

#include "tests/contract/books.h"

namespace payg::test {
namespace {

class Users : public LedgerContract {};
PAYG_ON_EVERY_LEDGER(Users);

TEST_P(Users, ANewUserIsActiveAndHasNothing) {
  const User made = value_of(ledger().create_user("alice", "a@example.com", token_of("t"), new_year));
  EXPECT_TRUE(made.id);
  EXPECT_EQ(made.name, "alice");
  EXPECT_EQ(made.email, "a@example.com");
  EXPECT_EQ(made.state, UserState::active);
  EXPECT_EQ(made.token, token_of("t"));
  EXPECT_EQ(made.created_at, new_year);
  EXPECT_EQ(value_of(ledger().balance(made.id)), Credits());
}

TEST_P(Users, CreatingTheSameUserAgainAnswersTheSame) {
  const User first = user_with("alice", Credits());
  const auto again =
      value_of(ledger().create_user("alice", "alice@example.com", token_of("alice"), new_year + 1h));
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(again.created_at, new_year);
}

TEST_P(Users, ANameIsTakenOnlyOnce) {
  user_with("alice", Credits());
  EXPECT_EQ(refusal_of(ledger().create_user("alice", "alice@example.com", token_of("other"), new_year)),
            "already_exists");
  EXPECT_EQ(refusal_of(ledger().create_user("alice", "other@example.com", token_of("alice"), new_year)),
            "already_exists");
}

TEST_P(Users, ATokenBelongsToOneUser) {
  user_with("alice", Credits());
  const User bob = user_with("bob", Credits());
  EXPECT_EQ(refusal_of(ledger().create_user("carol", "", token_of("alice"), new_year)), "conflict");
  EXPECT_EQ(refusal_of(ledger().set_token(bob.id, token_of("alice"), new_year)), "conflict");
  EXPECT_EQ(value_of(ledger().find_user("bob")).token, token_of("bob"));
}

TEST_P(Users, ANameOutsideItsGrammarIsInvalid) {
  for (const std::string& name :
       {std::string(), std::string("Alice"), std::string("a-b"), std::string("a b"), std::string("é"),
        std::string("a';--"), std::string(65, 'a'), std::string("a\0b", 3)}) {
    EXPECT_EQ(refusal_of(ledger().create_user(name, "", token_of("t"), new_year)), "invalid") << name;
  }
  value_of(ledger().create_user(std::string(64, 'a'), "", token_of("t"), new_year));
}

TEST_P(Users, AUserIsFoundByNameAndByToken) {
  const User alice = user_with("alice", Credits());
  user_with("bob", Credits());
  EXPECT_EQ(value_of(ledger().find_user("alice")).id, alice.id);
  EXPECT_EQ(value_of(ledger().find_user(token_of("alice"))).id, alice.id);
  EXPECT_EQ(refusal_of(ledger().find_user("carol")), "not_found");
  EXPECT_EQ(refusal_of(ledger().find_user(token_of("carol"))), "not_found");
}

TEST_P(Users, ATokenWithEveryByteIsKeptAsItIs) {
  TokenHash token{};
  for (std::size_t i = 0; i < token.size(); ++i) token[i] = static_cast<unsigned char>(i * 8 + 7);
  value_of(ledger().create_user("alice", "", token, new_year));
  EXPECT_EQ(value_of(ledger().find_user(token)).token, token);
}

TEST_P(Users, ANewTokenReplacesTheOldOne) {
  const User alice = user_with("alice", Credits());
  value_of(ledger().set_token(alice.id, token_of("new"), new_year));
  value_of(ledger().set_token(alice.id, token_of("new"), new_year));
  EXPECT_EQ(refusal_of(ledger().find_user(token_of("alice"))), "not_found");
  EXPECT_EQ(value_of(ledger().find_user(token_of("new"))).id, alice.id);
}

TEST_P(Users, AUserIsDisabledAndEnabled) {
  const User alice = user_with("alice", Credits());
  value_of(ledger().set_state(alice.id, UserState::disabled, new_year));
  EXPECT_EQ(value_of(ledger().find_user("alice")).state, UserState::disabled);
  value_of(ledger().set_state(alice.id, UserState::active, new_year));
  EXPECT_EQ(value_of(ledger().find_user("alice")).state, UserState::active);
}

TEST_P(Users, ALocationIsKeptUntilAnotherOneReplacesItAltogether) {
  const User alice = user_with("alice", Credits());
  EXPECT_TRUE(alice.location.empty());
  const plugin::Location berlin{.country = "de", .state = "be", .city = "berlin", .isp = "example_net"};
  value_of(ledger().set_location(alice.id, berlin, new_year));
  EXPECT_EQ(value_of(ledger().find_user("alice")).location, berlin);
  EXPECT_EQ(value_of(ledger().find_user(token_of("alice"))).location, berlin);
  EXPECT_EQ(value_of(ledger().standing(alice.id)).user.location, berlin);
  EXPECT_EQ(value_of(ledger().list_users()).at(0).user.location, berlin);

  const plugin::Location any_city{.country = "", .state = "", .city = "paris", .isp = ""};
  value_of(ledger().set_location(alice.id, any_city, new_year));
  EXPECT_EQ(value_of(ledger().find_user("alice")).location, any_city);
  value_of(ledger().set_location(alice.id, {}, new_year));
  EXPECT_TRUE(value_of(ledger().find_user("alice")).location.empty());
}

TEST_P(Users, ALocationIsToldLikeEveryChangeOfAUser) {
  const User alice = user_with("alice", Credits());
  const auto before = value_of(ledger().changes_since(node, std::nullopt)).upto;
  const plugin::Location france{.country = "fr", .state = "", .city = "", .isp = ""};
  value_of(ledger().set_location(alice.id, france, new_year - 24h));
  const auto users = value_of(ledger().changes_since(node, before)).users;
  ASSERT_EQ(users.size(), 1U);
  EXPECT_EQ(users[0].location, france);
}

TEST_P(Users, ALocationOutsideTheGrammarOfUserNamesIsInvalid) {
  const User alice = user_with("alice", Credits());
  for (const plugin::Location& location :
       {plugin::Location{.country = "deu", .state = "", .city = "", .isp = ""},
        plugin::Location{.country = "DE", .state = "", .city = "", .isp = ""},
        plugin::Location{.country = "", .state = "a-b", .city = "", .isp = ""},
        plugin::Location{.country = "", .state = "", .city = std::string(65, 'a'), .isp = ""},
        plugin::Location{.country = "", .state = "", .city = "", .isp = std::string("a\0b", 3)}})
    EXPECT_EQ(refusal_of(ledger().set_location(alice.id, location, new_year)), "invalid");
  EXPECT_TRUE(value_of(ledger().find_user("alice")).location.empty());
}

TEST_P(Users, NobodyCannotBeChanged) {
  const UserId nobody{999};
  EXPECT_EQ(refusal_of(ledger().set_token(nobody, token_of("t"), new_year)), "not_found");
  EXPECT_EQ(refusal_of(ledger().set_state(nobody, UserState::active, new_year)), "not_found");
  EXPECT_EQ(refusal_of(ledger().set_location(nobody, {}, new_year)), "not_found");
  EXPECT_EQ(refusal_of(ledger().balance(nobody)), "not_found");
  EXPECT_EQ(refusal_of(ledger().standing(nobody)), "not_found");
  EXPECT_EQ(refusal_of(ledger().transactions(nobody, {}, std::nullopt, 1)), "not_found");
  EXPECT_EQ(refusal_of(ledger().usage(nobody, UsageBucket::day, new_year, new_year)), "not_found");
}

TEST_P(Users, AreListedInTheOrderOfTheirNames) {
  const User bob = user_with("b_b", minutes_worth(3));
  user_with("ba", Credits());
  user_with("b.b", Credits());
  user_with("a", Credits());
  charge(minute(bob, session_a, 1));
  charge(minute(bob, session_b, 1));
  end(ending(bob, session_b, new_year));

  const auto users = value_of(ledger().list_users());
  ASSERT_EQ(users.size(), 4U);
  EXPECT_EQ(users[0].user.name, "a");
  EXPECT_EQ(users[1].user.name, "b.b");
  EXPECT_EQ(users[2].user.name, "b_b");
  EXPECT_EQ(users[3].user.name, "ba");
  EXPECT_EQ(users[2].balance, minute_price);
  EXPECT_EQ(users[2].live_sessions, 1);
  EXPECT_EQ(users[3].live_sessions, 0);
}

TEST_P(Users, StandingsComeInTheOrderAskedFor) {
  const User alice = user_with("alice", credits(3));
  const User bob = user_with("bob", Credits());
  const std::vector<std::string> names = {"bob", "no one", "alice", "bob", "x\"y\\z"};
  const auto found = value_of(ledger().standings(names, 0));
  ASSERT_EQ(found.size(), 5U);
  EXPECT_EQ(found[0].value().user.id, bob.id);
  EXPECT_EQ(found[1], std::nullopt);
  EXPECT_EQ(found[2].value().user.id, alice.id);
  EXPECT_EQ(found[2].value().balance, credits(3));
  EXPECT_EQ(found[3].value().user.id, bob.id);
  EXPECT_EQ(found[4], std::nullopt);
  EXPECT_TRUE(value_of(ledger().standings({}, 0)).empty());
}

TEST_P(Users, AStandingTellsWhenTheLastSessionEnded) {
  const User alice = user_with("alice", credits(3));
  EXPECT_EQ(value_of(ledger().standing(alice.id)).last_session_end, std::nullopt);
  charge(minute(alice, session_a, 1));
  EXPECT_EQ(value_of(ledger().standing(alice.id)).last_session_end, std::nullopt);
  charge(minute(alice, session_b, 1));
  end(ending(alice, session_b, new_year + 2min));
  end(ending(alice, session_a, new_year + 1min));
  EXPECT_EQ(value_of(ledger().standing(alice.id)).last_session_end, new_year + 2min);
  const std::vector<std::string> names = {"alice"};
  EXPECT_EQ(value_of(ledger().standings(names, 0)).at(0).value().last_session_end, new_year + 2min);
}

TEST_P(Users, AStandingCountsLiveSessionsUpToTheLimitAndNotAtAllWithoutOne) {
  const User alice = user_with("alice", credits(3));
  for (const std::uint64_t id : {1, 2, 3, 4}) charge(minute(alice, SessionId{id}, 1));
  end(ending(alice, SessionId{4}, new_year));
  const std::vector<std::string> names = {"alice"};
  const auto counted = [&](std::uint32_t limit) {
    return value_of(ledger().standings(names, limit)).at(0).value().live_sessions;
  };
  EXPECT_EQ(counted(0), 0);
  EXPECT_EQ(counted(2), 2);
  EXPECT_EQ(counted(most_counted_sessions), 3);
}

}  // namespace
}  // namespace payg::test
