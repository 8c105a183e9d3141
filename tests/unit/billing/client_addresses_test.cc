// Who comes without a token, and where a user's way out stands when he does not ask: the plugin on a real
// ledger, whose changes it hears of as any other node would.

#include <gtest/gtest.h>

#include "tests/unit/billing/plugin_rig.h"

namespace payg::test {
namespace {

using namespace billing;
using plugin::Reason;

class ClientAddresses : public ::testing::Test {
 protected:
  ClientAddresses() { list("203.0.113.0/24"); }

  static Cidr network(const std::string& text) { return Cidr::parse(text).value(); }
  void list(const std::string& text) { list(text, alice, NetworkClaim::of_operator); }
  void list(const std::string& text, const User& user, NetworkClaim claim) {
    ASSERT_TRUE(rig.ledger().add_network(user.id, network(text), claim, rig.now()).ok());
  }
  bool is_confirmed(const User& user) {
    return rig.ledger().networks(user.id)->front().networks.at(0).confirmed_at.has_value();
  }
  void take_back(const std::string& text) {
    ASSERT_TRUE(rig.ledger().remove_network(alice.id, network(text), rig.now()).ok());
  }
  bool is_known(const std::string& address) { return rig.authenticate_from(address).ok(); }
  /// As soon as the news have come.
  Client visitor(const std::string& address = "203.0.113.7") {
    rig.eventually([&] { return is_known(address); });
    return rig.client_of(rig.authenticate_from(address));
  }

  PluginRig rig;
  const User alice = rig.add_user("alice", "secret", "10");
};

TEST_F(ClientAddresses, SpeakForWhoHasListedThem) {
  const Client client = visitor();
  EXPECT_EQ(client.identity->user, alice.id.value);
  EXPECT_EQ(client.identity->display_name, "alice");
  EXPECT_TRUE(is_known("::ffff:203.0.113.255"));
  EXPECT_EQ(rig.authenticate_from("203.0.114.1").denial.reason, Reason::bad_credentials);
}

TEST_F(ClientAddresses, ShareTheSessionOfTheirUserThatHasNoLabel) {
  const Client with_token = rig.connect("alice", "secret");
  EXPECT_EQ(rig.admit(visitor()).verdict->session, with_token.admission.session);
  EXPECT_NE(rig.connect("alice-session-blue", "secret").admission.session, with_token.admission.session);
}

TEST_F(ClientAddresses, CountForNothingWhereThereAreCredentials) {
  visitor();
  const User bob = rig.add_user("bob", "his secret", "10");
  EXPECT_EQ(rig.authenticate_from("203.0.113.7", "alice", "guess").denial.reason, Reason::bad_credentials);
  const auto said = rig.authenticate_from("203.0.113.7", "bob", "his secret");
  ASSERT_TRUE(said.ok());
  EXPECT_EQ(said.verdict->identity->user, bob.id.value);
}

TEST_F(ClientAddresses, OfWhoHasNoCreditsAreRefusedForMoney) {
  const User poor = rig.add_user("poor", "his secret", "0");
  list("198.51.100.1/32", poor, NetworkClaim::of_operator);
  EXPECT_EQ(rig.admit(visitor("198.51.100.1")).denial.reason, Reason::payment_required);
}

TEST_F(ClientAddresses, OfWhoIsDisabledSpeakForNobody) {
  visitor();
  ASSERT_TRUE(rig.ledger().set_state(alice.id, UserState::disabled, rig.now()).ok());
  rig.eventually([&] { return !is_known("203.0.113.7"); });
  EXPECT_EQ(rig.authenticate_from("203.0.113.7").denial.reason, Reason::bad_credentials);
  ASSERT_TRUE(rig.ledger().set_state(alice.id, UserState::active, rig.now()).ok());
  rig.eventually([&] { return rig.admit(rig.identify("alice", "secret")).ok(); });
  EXPECT_FALSE(is_known("203.0.113.7")) << "until her token has come from there again";
}

TEST_F(ClientAddresses, ThatAUserListsSpeakForHimOnceHisTokenWasShownThere) {
  const User bob = rig.add_user("bob", "his secret", "10");
  list("198.51.100.0/24", bob, NetworkClaim::of_user);
  // The news of it come in order.
  list("192.0.2.1/32");
  visitor("192.0.2.1");
  EXPECT_FALSE(is_known("198.51.100.7"));
  EXPECT_FALSE(rig.authenticate_from("198.51.100.7", "bob", "guess").ok());
  EXPECT_TRUE(rig.authenticate_from("198.51.101.7", "bob", "his secret").ok()) << "from elsewhere";
  EXPECT_TRUE(rig.authenticate_from("198.51.100.7", "alice", "secret").ok()) << "somebody else's";
  EXPECT_FALSE(is_known("198.51.100.7"));

  EXPECT_TRUE(rig.authenticate_from("198.51.100.7", "bob", "his secret").ok());
  EXPECT_EQ(visitor("198.51.100.8").identity->user, bob.id.value);
  EXPECT_TRUE(is_confirmed(bob));
}

TEST_F(ClientAddresses, ThatAreSomebodyElsesAlreadyStayHis) {
  const User mallory = rig.add_user("mallory", "his secret", "10"),
             bob = rig.add_user("bob", "a secret", "10");
  take_back("203.0.113.0/24");
  list("203.0.113.7/32", mallory, NetworkClaim::of_user);
  list("192.0.2.1/32", bob, NetworkClaim::of_user);
  list("203.0.113.0/24");
  EXPECT_EQ(visitor().identity->user, alice.id.value);
  EXPECT_TRUE(rig.authenticate_from("203.0.113.7", "mallory", "his secret").ok());
  // One after the other: when bob's is confirmed, mallory was refused.
  EXPECT_TRUE(rig.authenticate_from("192.0.2.1", "bob", "a secret").ok());
  visitor("192.0.2.1");
  EXPECT_EQ(visitor().identity->user, alice.id.value);
  EXPECT_FALSE(is_confirmed(mallory));
}

TEST_F(ClientAddresses, ThatWereTakenBackSpeakForNobody) {
  visitor();
  list("198.51.100.1/32");
  visitor("198.51.100.1");
  take_back("203.0.113.0/24");
  rig.eventually([&] { return !is_known("203.0.113.7"); });
  EXPECT_TRUE(is_known("198.51.100.1"));
}

TEST_F(ClientAddresses, ThatWereTakenBackSinceStartNothing) {
  const Client client = visitor();
  take_back("203.0.113.0/24");
  rig.eventually([&] { return !is_known("203.0.113.7"); });
  EXPECT_EQ(rig.admit(client).denial.reason, Reason::bad_credentials);
}

TEST_F(ClientAddresses, StayInWhatTheyHaveStarted) {
  Client client = visitor();
  client.admission = std::move(*rig.admit(client).verdict);
  rig.establish(client);
  take_back("203.0.113.0/24");
  rig.eventually([&] { return !is_known("203.0.113.7"); });
  EXPECT_FALSE(rig.host.was_ended(client.admission.session));
}

// ---- where the way out stands

class OwnLocation : public ::testing::Test {
 protected:
  void set(const plugin::Location& location) {
    ASSERT_TRUE(rig.ledger().set_location(alice.id, location, rig.now()).ok());
  }
  plugin::Location location_for(std::string_view name) {
    return rig.admit(rig.identify(name, "secret")).verdict->location;
  }

  PluginRig rig;
  const User alice = rig.add_user("alice", "secret", "10");
  const plugin::Location berlin{.country = "de", .state = "", .city = "berlin", .isp = ""};
};

TEST_F(OwnLocation, IsUsedWhenTheUserNameAsksForNone) {
  EXPECT_TRUE(location_for("alice").empty());
  set(berlin);
  rig.eventually([&] { return location_for("alice") == berlin; });
  EXPECT_EQ(location_for("alice-session-blue"), berlin);
  set({});
  rig.eventually([&] { return location_for("alice").empty(); });
}

TEST_F(OwnLocation, IsReplacedAltogetherByAnyLocationInTheUserName) {
  set(berlin);
  rig.eventually([&] { return location_for("alice") == berlin; });
  EXPECT_EQ(location_for("alice-isp-example_net"),
            (plugin::Location{.country = "", .state = "", .city = "", .isp = "example_net"}));
}

TEST_F(OwnLocation, HoldsInASessionThatIsLiveFromTheNextAdmissionOn) {
  const Client client = rig.connect("alice", "secret");
  EXPECT_TRUE(client.admission.location.empty());
  set(berlin);
  rig.eventually([&] { return location_for("alice") == berlin; });
  EXPECT_EQ(rig.admit(rig.identify("alice", "secret")).verdict->session, client.admission.session);
}

TEST_F(OwnLocation, IsWhereThoseGoWhoComeWithoutAToken) {
  set(berlin);
  ASSERT_TRUE(
      rig.ledger()
          .add_network(alice.id, Cidr::parse("203.0.113.7").value(), NetworkClaim::of_operator, rig.now())
          .ok());
  rig.eventually([&] { return rig.authenticate_from("203.0.113.7").ok(); });
  EXPECT_EQ(rig.admit(rig.client_of(rig.authenticate_from("203.0.113.7"))).verdict->location, berlin);
}

}  // namespace
}  // namespace payg::test
