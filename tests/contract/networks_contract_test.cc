#include <atomic>
#include <thread>

#include "tests/contract/books.h"

namespace payg::test {
namespace {

using Outcome = NetworkChange::Outcome;

class Networks : public LedgerContract {
 protected:
  static Cidr network(std::string_view text) { return Cidr::parse(text).value(); }
  NetworkChange add(const User& user, std::string_view text, WallTime at = new_year) {
    return value_of(ledger().add_network(user.id, network(text), NetworkClaim::of_operator, at));
  }
  /// As users do; to be confirmed.
  NetworkChange claim(const User& user, std::string_view text, WallTime at = new_year) {
    return value_of(ledger().add_network(user.id, network(text), NetworkClaim::of_user, at));
  }
  LedgerResult<NetworkChange> confirm(const User& user, std::string_view text, WallTime at = new_year) {
    return ledger().confirm_network(user.id, network(text), at);
  }
  NetworkChange remove(const User& user, std::string_view text) {
    return value_of(ledger().remove_network(user.id, network(text), new_year));
  }
  std::string refusal_to(const User& user, std::string_view text) {
    return refusal_of(ledger().add_network(user.id, network(text), NetworkClaim::of_user, new_year));
  }
  static std::vector<std::string> texts(const NetworkList& list) {
    std::vector<std::string> found;
    for (const ListedNetwork& one : list.networks) found.push_back(one.network.to_string());
    return found;
  }
  std::vector<std::string> listed(const User& user) {
    return texts(value_of(ledger().networks(user.id)).at(0));
  }
  ChangeMark mark() { return value_of(ledger().changes_since(node, std::nullopt)).upto; }
};
PAYG_ON_EVERY_LEDGER(Networks);

TEST_P(Networks, AreListedInTheOrderOfTheirAddressesIPv4First) {
  const User alice = user_with("alice", Credits());
  EXPECT_TRUE(listed(alice).empty());
  add(alice, "203.0.113.0/24", new_year + 5s);
  add(alice, "2001:db8::/48");
  const auto last = add(alice, "9.9.9.9");
  EXPECT_EQ(last.outcome, Outcome::changed);
  EXPECT_EQ(last.list.user, alice.id);
  EXPECT_EQ(last.list.user_name, "alice");
  EXPECT_EQ(texts(last.list), (std::vector<std::string>{"9.9.9.9/32", "203.0.113.0/24", "2001:db8::/48"}));
  EXPECT_EQ(listed(alice), texts(last.list));
  EXPECT_EQ(last.list.networks.at(1).added_at, new_year + 5s);
}

TEST_P(Networks, ListingOneTwiceIsListingItOnce) {
  const User alice = user_with("alice", Credits());
  const auto first = add(alice, "203.0.113.7");
  const auto again = add(alice, "203.0.113.7", new_year + 1h);
  EXPECT_EQ(again.outcome, Outcome::as_before);
  EXPECT_EQ(again.list.change, first.list.change) << "nobody has to be told";
  EXPECT_EQ(again.list.networks.at(0).added_at, new_year);
}

TEST_P(Networks, TakingOneBackThatIsNotListedChangesNothing) {
  const User alice = user_with("alice", Credits()), bob = user_with("bob", Credits());
  add(alice, "203.0.113.7");
  EXPECT_EQ(remove(bob, "203.0.113.7").outcome, Outcome::as_before);
  EXPECT_EQ(remove(alice, "203.0.113.0/24").outcome, Outcome::as_before) << "another one";
  EXPECT_EQ(listed(alice).size(), 1U);
  EXPECT_EQ(remove(alice, "203.0.113.7").outcome, Outcome::changed);
  EXPECT_EQ(remove(alice, "203.0.113.7").outcome, Outcome::as_before);
  EXPECT_TRUE(listed(alice).empty());
}

TEST_P(Networks, OneIsOneUsersUntilHeTakesItBack) {
  const User alice = user_with("alice", Credits()), bob = user_with("bob", Credits());
  add(alice, "203.0.113.0/24");
  add(alice, "2001:db8::/48");
  for (const std::string_view overlapping :
       {"203.0.113.0/24", "203.0.113.128/25", "203.0.113.255", "203.0.112.0/23", "2001:db8:0:1::/64"})
    EXPECT_EQ(refusal_to(bob, overlapping), "already_exists") << overlapping;
  for (const std::string_view beside : {"203.0.112.0/24", "203.0.114.0/24", "2001:db8:1::/48", "::cb00:7100"})
    EXPECT_EQ(refusal_to(bob, beside), "ok") << beside;
  EXPECT_EQ(add(alice, "203.0.113.7").outcome, Outcome::changed) << "his own may overlap";
  remove(alice, "203.0.113.7");
  remove(alice, "203.0.113.0/24");
  add(bob, "203.0.113.0/24");
  EXPECT_EQ(refusal_to(alice, "203.0.113.7"), "already_exists");
}

TEST_P(Networks, OfAUserAreToBeConfirmedThoseOfTheOperatorAreNot) {
  const User alice = user_with("alice", Credits());
  EXPECT_EQ(claim(alice, "203.0.113.7").list.networks.at(0).confirmed_at, std::nullopt);
  const auto confirmed = value_of(confirm(alice, "203.0.113.7", new_year + 1h));
  EXPECT_EQ(confirmed.outcome, Outcome::changed);
  EXPECT_EQ(confirmed.list.networks.at(0).confirmed_at, new_year + 1h);
  EXPECT_EQ(confirmed.list.networks.at(0).added_at, new_year);
  const auto again = value_of(confirm(alice, "203.0.113.7", new_year + 2h));
  EXPECT_EQ(again.outcome, Outcome::as_before);
  EXPECT_EQ(again.list.change, confirmed.list.change) << "nobody has to be told";
  EXPECT_EQ(again.list.networks.at(0).confirmed_at, new_year + 1h);

  EXPECT_EQ(add(alice, "203.0.113.8").list.networks.at(1).confirmed_at, new_year);
  claim(alice, "203.0.113.9");
  const auto vouched = add(alice, "203.0.113.9", new_year + 3h);
  EXPECT_EQ(vouched.outcome, Outcome::changed) << "the operator confirms it";
  EXPECT_EQ(vouched.list.networks.at(2).confirmed_at, new_year + 3h);
  EXPECT_EQ(refusal_of(confirm(alice, "203.0.113.10")), "not_found");
}

TEST_P(Networks, ThatAreToBeConfirmedKeepNobodyOut) {
  const User alice = user_with("alice", Credits()), mallory = user_with("mallory", Credits());
  claim(mallory, "203.0.113.7");
  claim(mallory, "203.0.113.0/24");
  claim(alice, "203.0.113.7");
  EXPECT_EQ(value_of(confirm(alice, "203.0.113.7")).outcome, Outcome::changed);
  EXPECT_EQ(refusal_of(confirm(mallory, "203.0.113.7")), "already_exists");
  EXPECT_EQ(refusal_of(confirm(mallory, "203.0.113.0/24")), "already_exists") << "hers is inside";
  EXPECT_EQ(refusal_to(mallory, "203.0.113.7"), "already_exists") << "and he is told so";
  const auto of_mallory = value_of(ledger().networks(mallory.id));
  for (const ListedNetwork& one : of_mallory.at(0).networks) EXPECT_EQ(one.confirmed_at, std::nullopt);
  remove(alice, "203.0.113.7");
  EXPECT_EQ(value_of(confirm(mallory, "203.0.113.0/24")).outcome, Outcome::changed);
}

TEST_P(Networks, OfWhoIsDisabledAreToBeConfirmedAgainAndKeepNobodyOut) {
  const User alice = user_with("alice", Credits()), squatter = user_with("squatter", Credits());
  claim(alice, "203.0.113.7");
  add(squatter, "203.0.113.0/24");
  const ChangeMark before = mark();
  value_of(ledger().set_state(squatter.id, UserState::disabled, new_year));
  const auto news = value_of(ledger().changes_since(node, before));
  ASSERT_EQ(news.networks.size(), 1U);
  EXPECT_EQ(news.networks[0].networks.at(0).confirmed_at, std::nullopt);
  const auto late = value_of(confirm(squatter, "203.0.113.0/24"));
  EXPECT_EQ(late.outcome, Outcome::as_before);
  EXPECT_EQ(late.list.networks.at(0).confirmed_at, std::nullopt) << "asked for before he was disabled";
  EXPECT_EQ(value_of(confirm(alice, "203.0.113.7")).outcome, Outcome::changed);
  EXPECT_EQ(add(squatter, "198.51.100.7").list.networks.at(0).confirmed_at, std::nullopt);
  value_of(ledger().set_state(squatter.id, UserState::active, new_year));
  EXPECT_EQ(refusal_of(confirm(squatter, "203.0.113.0/24")), "already_exists");
}

TEST_P(Networks, AConfirmationIsToldToTheOtherNodes) {
  const User alice = user_with("alice", Credits());
  claim(alice, "203.0.113.7");
  const ChangeMark before = mark();
  const auto confirmed = value_of(confirm(alice, "203.0.113.7"));
  const auto news = value_of(ledger().changes_since(node, before));
  ASSERT_EQ(news.networks.size(), 1U);
  EXPECT_EQ(news.networks[0].change, confirmed.list.change);
  EXPECT_EQ(news.networks[0].networks.at(0).confirmed_at, new_year);
}

TEST_P(Networks, AUserListsThirtyTwoAndNoMore) {
  const User alice = user_with("alice", Credits()), bob = user_with("bob", Credits());
  for (std::size_t i = 0; i < most_listed_networks; ++i) add(alice, "203.0.113." + std::to_string(i));
  EXPECT_EQ(refusal_to(alice, "203.0.113.200"), "too_many");
  EXPECT_EQ(add(alice, "203.0.113.0").outcome, Outcome::as_before) << "one of those";
  EXPECT_EQ(listed(alice).size(), most_listed_networks);
  add(bob, "203.0.113.200");
  remove(alice, "203.0.113.0");
  add(alice, "203.0.113.201");
}

TEST_P(Networks, WhatNoClientComesFromIsInvalid) {
  const User alice = user_with("alice", Credits());
  for (const std::string_view text : {"0.0.0.0", "0.1.2.0/24", "224.0.0.1", "255.255.255.255", "240.0.0.0/8",
                                      "10.0.0.0/7", "0.0.0.0/0", "::", "::/0", "ff02::1", "2000::/15"})
    EXPECT_EQ(refusal_to(alice, text), "invalid") << text;
  EXPECT_EQ(refusal_to(alice, "::ffff:203.0.113.7"), "invalid") << "203.0.113.7 is its name";
  for (const std::string_view text : {"10.0.0.0/8", "127.0.0.2", "::1", "fd00::/16"})
    EXPECT_EQ(refusal_to(alice, text), "ok") << text;
}

TEST_P(Networks, OfNobodyAreNotFound) {
  const UserId nobody{999};
  EXPECT_EQ(refusal_of(ledger().add_network(nobody, network("203.0.113.7"), NetworkClaim::of_user, new_year)),
            "not_found");
  EXPECT_EQ(refusal_of(ledger().confirm_network(nobody, network("203.0.113.7"), new_year)), "not_found");
  EXPECT_EQ(refusal_of(ledger().remove_network(nobody, network("203.0.113.7"), new_year)), "not_found");
  EXPECT_EQ(refusal_of(ledger().networks(nobody)), "not_found");
}

TEST_P(Networks, OfAllAreThoseOfWhoHasListedAny) {
  const User alice = user_with("alice", Credits()), bob = user_with("bob", Credits());
  user_with("carol", Credits());
  EXPECT_TRUE(value_of(ledger().networks(std::nullopt)).empty());
  add(bob, "203.0.113.7");
  add(alice, "203.0.113.8");
  add(bob, "203.0.113.9");
  std::size_t networks = 0;
  const auto lists = value_of(ledger().networks(std::nullopt));
  for (const NetworkList& list : lists) networks += list.networks.size();
  EXPECT_EQ(lists.size(), 2U);
  EXPECT_EQ(networks, 3U);
}

TEST_P(Networks, AChangeIsToldWithAllThatTheUserHasListed) {
  const User alice = user_with("alice", Credits()), bob = user_with("bob", Credits());
  add(alice, "203.0.113.7");
  const ChangeMark before = mark();
  EXPECT_TRUE(value_of(ledger().changes_since(node, before)).networks.empty());

  const auto added = add(alice, "203.0.113.8");
  const auto first = value_of(ledger().changes_since(node, before));
  ASSERT_EQ(first.users.size(), 1U);
  EXPECT_EQ(first.users[0].id, alice.id);
  ASSERT_EQ(first.networks.size(), 1U);
  EXPECT_EQ(texts(first.networks[0]), (std::vector<std::string>{"203.0.113.7/32", "203.0.113.8/32"}));
  EXPECT_EQ(first.networks[0].change, added.list.change);
  EXPECT_GT(added.list.change, before.users);
  EXPECT_LE(added.list.change, first.upto.users);

  remove(alice, "203.0.113.7");
  remove(alice, "203.0.113.8");
  value_of(ledger().set_state(bob.id, UserState::disabled, new_year));
  const auto second = value_of(ledger().changes_since(node, first.upto));
  ASSERT_EQ(second.networks.size(), 2U);
  for (const NetworkList& list : second.networks) {
    EXPECT_TRUE(list.networks.empty()) << list.user_name;
    EXPECT_GT(list.change, first.networks[0].change);
  }
}

// Each of them sees the same addresses free; in the end one of them has them.
TEST_P(Networks, OfManyThatOverlapAndAreConfirmedAtTheSameMomentOneIs) {
  constexpr int rounds = 20;
  std::vector<User> users;
  for (const std::string name : {"alice", "bob", "carol", "dave"})
    users.push_back(user_with(name, Credits()));
  std::atomic<int> confirmed = 0;
  std::vector<std::thread> threads;
  for (std::size_t number = 0; number < users.size(); ++number) {
    threads.emplace_back([&, user = users[number], bits = std::to_string(24 + number)] {
      const auto own = books().open();
      for (int round = 0; round < rounds; ++round) {
        const Cidr one = network("203.0." + std::to_string(round) + ".0/" + bits);
        if (round % 2 == 0 && !own->add_network(user.id, one, NetworkClaim::of_user, new_year).ok()) continue;
        const auto done = round % 2 == 0
                              ? own->confirm_network(user.id, one, new_year)
                              : own->add_network(user.id, one, NetworkClaim::of_operator, new_year);
        if (done.ok()) {
          ++confirmed;
        } else {
          EXPECT_EQ(refusal_of(done), "already_exists");
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(confirmed, rounds);
  int found = 0;
  for (const NetworkList& list : value_of(ledger().networks(std::nullopt)))
    for (const ListedNetwork& one : list.networks) found += one.confirmed_at ? 1 : 0;
  EXPECT_EQ(found, rounds);
}

}  // namespace
}  // namespace payg::test
