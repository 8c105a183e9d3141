#include "billing/network_index.h"

#include <gtest/gtest.h>

namespace payg::test {
namespace {

using namespace billing;

constexpr UserId alice{1}, bob{2};

NetworkList list_of(UserId user, std::int64_t change, const std::vector<std::string>& networks) {
  NetworkList list{
      .user = user, .user_name = user == alice ? "alice" : "bob", .change = change, .networks = {}};
  for (const std::string& network : networks)
    list.networks.push_back(
        {.network = Cidr::parse(network).value(), .added_at = {}, .confirmed_at = WallTime()});
  return list;
}

NetworkList unconfirmed(NetworkList list) {
  for (ListedNetwork& one : list.networks) one.confirmed_at.reset();
  return list;
}

class Index : public ::testing::Test {
 protected:
  std::string owner_of(std::string_view address) const {
    const auto owner = index.find(IpAddress::parse(address).value());
    return owner ? owner->name : "nobody";
  }

  /// Those of alice that are to be confirmed since she was seen there.
  std::vector<std::string> seen_at(std::string_view address, UserId user = alice) {
    std::vector<std::string> networks;
    for (const Cidr& one : index.unconfirmed(user, IpAddress::parse(address).value(), now))
      networks.push_back(one.to_string());
    return networks;
  }

  MonotonicTime now{};
  NetworkIndex index{7};
};

TEST_F(Index, KnowsWhoseAnAddressIs) {
  EXPECT_EQ(owner_of("203.0.113.7"), "nobody");
  index.follow({list_of(alice, 1, {"203.0.113.0/24", "2001:db8:1::/48"}), list_of(bob, 2, {"10.0.0.0/8"})},
               2);
  EXPECT_EQ(owner_of("203.0.113.0"), "alice");
  EXPECT_EQ(owner_of("203.0.113.255"), "alice");
  EXPECT_EQ(owner_of("203.0.114.0"), "nobody");
  EXPECT_EQ(owner_of("2001:db8:1:ffff::1"), "alice");
  EXPECT_EQ(owner_of("2001:db8:2::1"), "nobody");
  EXPECT_EQ(owner_of("10.255.0.1"), "bob");
  EXPECT_EQ(index.find(IpAddress::parse("10.0.0.1").value())->user, bob);
  EXPECT_EQ(index.size(), 3U);
}

TEST_F(Index, TakesAMappedAddressForTheOneInside) {
  index.follow({list_of(alice, 1, {"203.0.113.7/32"})}, 1);
  EXPECT_EQ(owner_of("::ffff:203.0.113.7"), "alice");
  EXPECT_EQ(owner_of("::203.0.113.7"), "nobody");
}

TEST_F(Index, GivesAnAddressToWhoHasTheNarrowestNetworkThatHoldsIt) {
  index.follow({list_of(alice, 1, {"203.0.113.0/24"}), list_of(bob, 2, {"203.0.113.128/25"})}, 2);
  EXPECT_EQ(owner_of("203.0.113.127"), "alice");
  EXPECT_EQ(owner_of("203.0.113.128"), "bob");
  index.follow({list_of(bob, 3, {})}, 3);
  EXPECT_EQ(owner_of("203.0.113.128"), "alice");
}

TEST_F(Index, ForgetsWhatIsNoLongerListed) {
  index.follow({list_of(alice, 1, {"203.0.113.7/32", "203.0.113.8/32"})}, 1);
  index.follow({list_of(alice, 2, {"203.0.113.8/32"})}, 2);
  EXPECT_EQ(owner_of("203.0.113.7"), "nobody");
  EXPECT_EQ(owner_of("203.0.113.8"), "alice");
  index.follow({list_of(alice, 3, {})}, 3);
  EXPECT_EQ(index.size(), 0U);
}

TEST_F(Index, GivesNobodyWhatIsToBeConfirmed) {
  index.follow({unconfirmed(list_of(alice, 1, {"203.0.113.7/32"}))}, 1);
  EXPECT_EQ(owner_of("203.0.113.7"), "nobody");
  EXPECT_EQ(index.size(), 0U);
  index.follow({list_of(alice, 2, {"203.0.113.7/32"})}, 2);
  EXPECT_EQ(owner_of("203.0.113.7"), "alice");
  index.follow({unconfirmed(list_of(alice, 3, {"203.0.113.7/32"}))}, 3);
  EXPECT_EQ(owner_of("203.0.113.7"), "nobody");
}

TEST_F(Index, TellsOnceInAWhileOfWhatIsToBeConfirmed) {
  using Networks = std::vector<std::string>;
  index.follow({unconfirmed(list_of(alice, 1, {"203.0.113.0/24", "203.0.113.7/32", "198.51.100.7/32"})),
                list_of(bob, 2, {"10.0.0.0/8"})},
               2);
  EXPECT_EQ(seen_at("192.0.2.1"), Networks());
  EXPECT_EQ(seen_at("203.0.113.7", bob), Networks()) << "nothing of his";
  EXPECT_EQ(seen_at("10.0.0.1", bob), Networks()) << "confirmed already";
  EXPECT_EQ(seen_at("203.0.113.8"), Networks{"203.0.113.0/24"});
  EXPECT_EQ(seen_at("::ffff:203.0.113.7"), Networks{"203.0.113.7/32"});
  EXPECT_EQ(seen_at("203.0.113.7"), Networks()) << "told already";
  now += NetworkIndex::told_again_after;
  EXPECT_EQ(seen_at("203.0.113.8"), Networks{"203.0.113.0/24"}) << "it may be free now";
  EXPECT_EQ(seen_at("203.0.113.8"), Networks());
  index.follow({unconfirmed(list_of(alice, 3, {"203.0.113.7/32"}))}, 3);
  EXPECT_EQ(seen_at("203.0.113.7"), Networks{"203.0.113.7/32"});
  EXPECT_EQ(seen_at("198.51.100.7"), Networks()) << "taken back";
  index.follow({unconfirmed(list_of(alice, 4, {"203.0.113.7/32"}))}, 4);
  index.follow({list_of(alice, 5, {})}, 5);
  EXPECT_EQ(seen_at("203.0.113.7"), Networks());
}

TEST_F(Index, HearsOfAHandOverInWhateverOrderItIsTold) {
  index.follow({list_of(alice, 1, {"203.0.113.7/32"})}, 1);
  index.follow({list_of(bob, 3, {"203.0.113.7/32"}), list_of(alice, 2, {})}, 3);
  EXPECT_EQ(owner_of("203.0.113.7"), "bob");
  index.follow({list_of(bob, 4, {}), list_of(alice, 5, {"203.0.113.7/32"})}, 5);
  EXPECT_EQ(owner_of("203.0.113.7"), "alice");
  EXPECT_EQ(index.size(), 1U);
}

TEST_F(Index, IsAheadOfTheNewsWithWhatWasChangedHere) {
  index.changed_here(list_of(alice, 5, {"203.0.113.7/32"}));
  EXPECT_EQ(owner_of("203.0.113.7"), "alice");
  index.follow({list_of(alice, 4, {})}, 4);
  EXPECT_EQ(owner_of("203.0.113.7"), "alice") << "news of something before it";
  index.changed_here(list_of(alice, 6, {}));
  index.follow({list_of(alice, 5, {"203.0.113.7/32"})}, 5);
  EXPECT_EQ(owner_of("203.0.113.7"), "nobody") << "taken back since";
  index.follow({list_of(alice, 6, {})}, 6);
  EXPECT_EQ(owner_of("203.0.113.7"), "nobody");
}

TEST_F(Index, KeepsTheNewerOfTwoListsThatWereChangedHere) {
  index.changed_here(list_of(alice, 6, {}));
  index.changed_here(list_of(alice, 5, {"203.0.113.7/32"}));
  EXPECT_EQ(owner_of("203.0.113.7"), "nobody") << "told late";
}

TEST_F(Index, BelievesTheNewsThatOvertookWhatWasChangedHere) {
  index.follow({list_of(alice, 6, {})}, 6);
  index.changed_here(list_of(alice, 5, {"203.0.113.7/32"}));
  EXPECT_EQ(owner_of("203.0.113.7"), "nobody");
}

}  // namespace
}  // namespace payg::test
