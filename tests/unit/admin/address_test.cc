#include "tests/unit/admin/admin_port.h"

namespace payg::test {
namespace {

class Addresses : public AdminPort {
 protected:
  void configure(config::BillingConfig& config) override {
    config.widest_client_network_v4 = 24;
    config.widest_client_network_v6 = 48;
  }
  void SetUp() override {
    AdminPort::SetUp();
    alice = add_user("alice");
    bob = add_user("bob");
  }
  Answer add(const std::string& network, const std::string& token = "alice-token") {
    return post("/api/addresses", token, nlohmann::json{{"network", network}}.dump());
  }
  Answer remove(const std::string& network, const std::string& token = "alice-token") {
    return ask({.method = "DELETE", .path = "/api/addresses/" + network, .headers = {bearer(token)}});
  }
  std::vector<std::string> listed(const std::string& token = "alice-token") {
    std::vector<std::string> networks;
    const auto answer = get("/api/addresses", token).json();
    for (const auto& one : answer.at("addresses")) networks.push_back(one.at("network"));
    return networks;
  }

  billing::User alice, bob;
};

TEST_F(Addresses, AreListedAndTakenBack) {
  EXPECT_TRUE(listed().empty());
  const Answer added = add("203.0.113.7");
  EXPECT_EQ(added.status, 201);
  EXPECT_EQ(added.json().at("network"), "203.0.113.7/32");
  EXPECT_EQ(added.json().at("added_at"), "2026-11-22T13:00:00.000Z");
  EXPECT_EQ(added.json().at("confirmed_at"), nullptr) << "his token has not come from there";
  EXPECT_EQ(added.headers.at("location"), "/api/addresses/203.0.113.7%2F32");
  EXPECT_EQ(add("203.0.113.7/32").status, 200) << "it is there already";
  add("2001:db8::/48");
  EXPECT_EQ(listed(), (std::vector<std::string>{"203.0.113.7/32", "2001:db8::/48"}));
  EXPECT_TRUE(listed("bob-token").empty());

  EXPECT_EQ(remove("203.0.113.7%2F32").status, 204);
  EXPECT_EQ(remove("2001:db8::%2F48").status, 204);
  EXPECT_EQ(remove("2001:db8::%2F48").status, 404);
  EXPECT_TRUE(listed().empty());
}

TEST_F(Addresses, SayHowManyAndHowWideTheyMayBe) {
  const auto answer = get("/api/addresses", "alice-token").json();
  EXPECT_EQ(answer.at("most"), 32);
  EXPECT_EQ(answer.at("widest_v4"), 24);
  EXPECT_EQ(answer.at("widest_v6"), 48);
}

TEST_F(Addresses, TellTheMeterAtOnce) {
  add("203.0.113.7");
  remove("203.0.113.7");
  const auto told = metering.changed_networks();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].user, alice.id);
  EXPECT_EQ(told[0].networks.size(), 1U);
  EXPECT_EQ(told[1].networks.size(), 0U);
  EXPECT_GT(told[1].change, told[0].change);
}

TEST_F(Addresses, OfAnotherUserAreNotThere) {
  ASSERT_EQ(post("/api/admin/users/alice/addresses", operator_token, R"({"network": "203.0.113.7"})").status,
            201);
  for (const char* overlapping : {"203.0.113.7", "203.0.113.0/24"}) {
    const Answer taken = add(overlapping, "bob-token");
    EXPECT_EQ(taken.status, 409);
    EXPECT_EQ(taken.code(), "network_taken");
  }
  const Answer hidden = remove("203.0.113.7", "bob-token"), unknown = remove("203.0.113.8", "bob-token");
  EXPECT_EQ(hidden.status, 404);
  EXPECT_EQ(hidden.body, unknown.body);
  EXPECT_EQ(listed().size(), 1U);
}

TEST_F(Addresses, AreThirtyTwoAtMost) {
  for (int i = 0; i < 32; ++i) EXPECT_EQ(add("203.0.113." + std::to_string(i)).status, 201);
  const Answer more = add("203.0.113.32");
  EXPECT_EQ(more.status, 409);
  EXPECT_EQ(more.code(), "too_many_networks");
}

TEST_F(Addresses, ThatCannotBeListedAreRefusedForAReason) {
  const auto refusal = [this](const std::string& network) {
    const Answer answer = add(network);
    EXPECT_EQ(answer.status, 422) << network;
    EXPECT_EQ(answer.code(), "invalid_value") << network;
    return answer.json().at("detail").get<std::string>();
  };
  EXPECT_EQ(refusal("home"), "network: it is an IP address, or a network such as 203.0.113.0/24.");
  EXPECT_EQ(refusal(""), refusal("home"));
  EXPECT_NE(refusal("203.0.113.7/24").find("bits behind its prefix"), std::string::npos);
  EXPECT_EQ(refusal("10.0.0.0/16"), "network: it is too wide: a prefix has at least 24 bits, of IPv6 48.");
  EXPECT_EQ(refusal("224.0.0.1"), "network: no client comes from such an address.");
  EXPECT_EQ(post("/api/addresses", "alice-token", R"({"network": 5})").status, 422);
  EXPECT_EQ(post("/api/addresses", "alice-token", "{}").status, 422);
  EXPECT_TRUE(listed().empty());
  for (const char* none : {"home", "10.0.0.0%2F16", "%2F", "203.0.113.7%2F24"})
    EXPECT_EQ(remove(none).status, 404) << none;
}

TEST_F(Addresses, NeedAToken) {
  EXPECT_EQ(ask({.path = "/api/addresses"}).status, 401);
  EXPECT_EQ(add("203.0.113.7", operator_token).status, 403) << "the operator names the user";
}

TEST_F(Addresses, OfAnyUserAreTheOperatorsToo) {
  const std::string path = "/api/admin/users/bob/addresses";
  const Answer added = post(path, operator_token, R"({"network": "10.0.0.0/8"})");
  EXPECT_EQ(added.status, 201) << "wider than users may go";
  EXPECT_EQ(added.json().at("confirmed_at"), "2026-11-22T13:00:00.000Z") << "the operator's word counts";
  EXPECT_EQ(listed("bob-token"), std::vector<std::string>{"10.0.0.0/8"});
  EXPECT_EQ(get(path, operator_token).json().at("addresses").size(), 1U);
  EXPECT_EQ(post(path, operator_token, R"({"network": "0.0.0.0/0"})").status, 422);
  const auto remove_by_operator = [&](const std::string& query) {
    return ask({.method = "DELETE", .path = path + query, .headers = {bearer(operator_token)}}).status;
  };
  EXPECT_EQ(remove_by_operator(""), 404);
  EXPECT_EQ(remove_by_operator("?network=10.0.0.0%2F8"), 204);
  EXPECT_EQ(remove_by_operator("?network=10.0.0.0/8"), 404);
  EXPECT_EQ(get("/api/admin/users/carol/addresses", operator_token).status, 404);
  EXPECT_EQ(get(path, "bob-token").status, 403);
}

class WideAddresses : public Addresses {
  void configure(config::BillingConfig& config) override {
    config.widest_client_network_v4 = 16;
    config.widest_client_network_v6 = 32;
  }
};

TEST_F(WideAddresses, AreAsWideAsTheConfigurationSays) {
  EXPECT_EQ(add("10.1.0.0/16").status, 201);
  EXPECT_EQ(add("10.0.0.0/15").status, 422);
  EXPECT_EQ(add("2001:db8::/32").status, 201);
  EXPECT_EQ(add("2001:db8::/31").status, 422);
}

}  // namespace
}  // namespace payg::test
