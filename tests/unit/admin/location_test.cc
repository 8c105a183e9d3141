#include "tests/unit/admin/admin_port.h"

namespace payg::test {
namespace {

using nlohmann::json;
using plugin::ExitReport;
using plugin::ExitState;

ExitReport exit_in(const std::string& name, plugin::Location location, ExitState state = ExitState::up) {
  return {.name = name,
          .kind = "direct",
          .location = std::move(location),
          .weight = 2,
          .state = state,
          .why_down = state == ExitState::up ? "" : "refused",
          .carries_udp = true};
}

ExitReport without_udp(ExitReport exit) {
  exit.carries_udp = false;
  return exit;
}

class Locations : public AdminPort {
 protected:
  void SetUp() override {
    AdminPort::SetUp();
    alice = add_user("alice");
    give(alice, "10");
    host.set_exits(
        {exit_in("b2", {.country = "de", .state = "be", .city = "berlin", .isp = "net_a"}),
         exit_in("fr", {.country = "fr", .state = "", .city = "", .isp = ""}, ExitState::down),
         exit_in("anywhere", {}),
         exit_in("b1", {.country = "de", .state = "be", .city = "berlin", .isp = "net_a"}, ExitState::down),
         without_udp(exit_in("m", {.country = "de", .state = "by", .city = "muenchen", .isp = ""}))});
  }
  json shown() { return get("/api/locations", "alice-token").json(); }
  Answer set(const std::string& body) {
    return ask({.method = "PUT",
                .path = "/api/locations/default",
                .headers = {bearer("alice-token")},
                .body = body});
  }
  plugin::Location kept() { return ledger->find_user("alice")->location; }
  std::string refusal_of(const std::string& body) {
    const Answer answer = set(body);
    return std::to_string(answer.status) + " " + answer.code() + ": " +
           answer.json().at("detail").get<std::string>();
  }

  billing::User alice;
};

TEST_F(Locations, AreShownPlaceByPlaceWithTheirExits) {
  const json answer = shown();
  EXPECT_EQ(answer.at("user"), "alice");
  EXPECT_EQ(answer.at("exits"), 5);
  EXPECT_EQ(answer.at("exits_up"), 3);
  EXPECT_EQ(answer.at("exits_up_for_udp"), 2);
  const json expected = json::parse(R"([
    {"country": "de", "state": "be", "city": "berlin", "isp": "net_a", "exits": 2, "exits_up": 1, "exits_up_for_udp": 1},
    {"country": "de", "state": "by", "city": "muenchen", "isp": null, "exits": 1, "exits_up": 1, "exits_up_for_udp": 0},
    {"country": "fr", "state": null, "city": null, "isp": null, "exits": 1, "exits_up": 0, "exits_up_for_udp": 0}])");
  EXPECT_EQ(answer.at("locations"), expected) << answer;
}

TEST_F(Locations, SayWhetherTheUserMayUseThemNow) {
  const json rich = shown();
  EXPECT_EQ(rich.at("can_start"), true);
  EXPECT_TRUE(rich.at("code").is_null());
  EXPECT_TRUE(rich.at("reason").is_null());
  add_user("bob");
  for (const char* path : {"/api/locations", "/api/credits/balance"}) {
    const json poor = get(path, "bob-token").json();
    EXPECT_EQ(poor.at("can_start"), false) << path;
    EXPECT_EQ(poor.at("code"), "payment_required");
    EXPECT_EQ(poor.at("reason"), "The balance is used up; buy credits to go on.");
  }
  give(ledger->find_user("bob").value(), "0.5");
  EXPECT_EQ(get("/api/locations", "bob-token").json().at("reason"),
            "The balance is below minimum_to_start, 0.8, and no session has ended within the last 10m.");
}

TEST_F(Locations, AreForUsersAlone) {
  EXPECT_EQ(ask({.path = "/api/locations"}).status, 401);
  EXPECT_EQ(get("/api/locations", operator_token).status, 403);
}

TEST_F(Locations, OneIsTheUsersOwnUntilAnotherOneIs) {
  EXPECT_TRUE(shown().at("default").is_null());
  const Answer answer = set(R"({"country": "DE", "city": "berlin", "isp": null})");
  EXPECT_EQ(answer.status, 200);
  const json expected = json::parse(
      R"({"country": "de", "state": null, "city": "berlin", "isp": null, "exits": 2, "exits_up": 1, "exits_up_for_udp": 1})");
  EXPECT_EQ(answer.json().at("default"), expected);
  EXPECT_EQ(shown().at("default"), expected);
  EXPECT_EQ(kept(), (plugin::Location{.country = "de", .state = "", .city = "berlin", .isp = ""}));
  EXPECT_EQ(metering.changed_users().back().location, kept()) << "what is remembered follows";

  EXPECT_EQ(set(R"({"isp": "net_a"})").status, 200);
  EXPECT_EQ(kept(), (plugin::Location{.country = "", .state = "", .city = "", .isp = "net_a"}));
}

TEST_F(Locations, OneOfWhichAllExitsAreDownIsTaken) {
  EXPECT_EQ(set(R"({"country": "fr"})").status, 200);
  EXPECT_EQ(shown().at("default").at("exits_up"), 0);
}

TEST_F(Locations, AreClearedWithNothing) {
  for (const char* nothing : {"{}", "null", R"({"country": null})", R"({"country": ""})"}) {
    ASSERT_EQ(set(R"({"country": "de"})").status, 200);
    const Answer answer = set(nothing);
    EXPECT_EQ(answer.status, 200) << nothing;
    EXPECT_TRUE(answer.json().at("default").is_null());
    EXPECT_TRUE(kept().empty());
  }
}

TEST_F(Locations, WhereNobodyStandsAreRefusedByThePartThatIsWrong) {
  EXPECT_EQ(refusal_of(R"({"country": "xx"})"), "422 no_such_location: No exit has country xx.");
  EXPECT_EQ(refusal_of(R"({"country": "de", "city": "paris"})"),
            "422 no_such_location: No exit in country de has city paris.");
  EXPECT_EQ(refusal_of(R"({"country": "de", "state": "by", "city": "muenchen", "isp": "net_a"})"),
            "422 no_such_location: No exit in country de, state by, city muenchen has isp net_a.");
  EXPECT_EQ(refusal_of(R"({"country": "de", "state": "be", "city": "muenchen"})"),
            "422 no_such_location: No exit in country de, state be has city muenchen.")
      << "each of them is somewhere, but not together";
  EXPECT_TRUE(kept().empty());
  EXPECT_TRUE(metering.changed_users().empty());
}

TEST_F(Locations, OutsideTheGrammarAreRefusedByTheirPart) {
  EXPECT_EQ(refusal_of(R"({"country": "deu"})"), "422 invalid_value: country is two letters, or null.");
  EXPECT_EQ(refusal_of(R"({"city": "new york"})"),
            "422 invalid_value: city is 1 to 64 letters, digits and '_', or null.");
  EXPECT_EQ(refusal_of(R"({"state": 5})"), "422 invalid_value: state is a string.");
  EXPECT_EQ(refusal_of(R"({"contry": "de"})"),
            "422 invalid_value: A location has country, state, city and isp, and nothing else.");
  EXPECT_EQ(set("").code(), "invalid_json");
  EXPECT_EQ(set("[]").code(), "invalid_json");
}

TEST_F(Locations, OfTenThousandExitsComeInOneAnswer) {
  std::vector<ExitReport> exits;
  constexpr int many = 10'000;
  for (int i = 0; i < many; ++i)
    exits.push_back(
        exit_in("exit-" + std::to_string(i), {.country = std::string{static_cast<char>('a' + i % 26), 'x'},
                                              .state = "state" + std::to_string(i % 100),
                                              .city = "city" + std::to_string(i % 5'000),
                                              .isp = "isp"}));
  host.set_exits(std::move(exits));
  int exits_in_places = 0;
  const json answer = shown();
  for (const json& place : answer.at("locations")) exits_in_places += place.at("exits").get<int>();
  EXPECT_EQ(exits_in_places, many);
  EXPECT_EQ(answer.at("exits"), many);
}

TEST_F(Locations, OfEachExitAreShownToTheOperator) {
  const Answer answer = get("/api/admin/exits", operator_token);
  EXPECT_EQ(answer.status, 200);
  const json exits = answer.json().at("exits");
  ASSERT_EQ(exits.size(), 5U);
  EXPECT_EQ(exits[0], json::parse(R"({"name": "b2", "kind": "direct", "country": "de", "state": "be",
      "city": "berlin", "isp": "net_a", "weight": 2, "up": true, "why_down": null})"));
  EXPECT_EQ(exits[1].at("up"), false);
  EXPECT_EQ(exits[1].at("why_down"), "refused");
  EXPECT_TRUE(exits[2].at("country").is_null());
  EXPECT_EQ(get("/api/admin/exits", "alice-token").status, 403);
}

}  // namespace
}  // namespace payg::test
