// Clients who come from an address that a user has listed, without a token; and users whose way out stands
// where they have said once and for all. By every way in, and on every node.

#include <nlohmann/json.hpp>

#include "tests/integration/metered_proxy.h"
#include "tests/support/harness/udp_end.h"

namespace payg::test {
namespace {

const IpAddress listed = IpAddress::parse("127.0.0.2").value();
const IpAddress unlisted = IpAddress::parse("127.0.0.3").value();

void claim(const MeteredProxy& node, const Account& account, const std::string& network) {
  const auto answer =
      node.client(account).post("/api/addresses", nlohmann::json{{"network", network}}.dump());
  ASSERT_EQ(answer.status(), 201) << answer.response.body.content;
}

/// The token, shown from there.
int show_token(MeteredProxy& node, const Account& account, const Origin& origin, const IpAddress& from) {
  RawClient client(node.proxy().address(), from);
  client.send(get_as({account.name, account.token}, origin));
  return read_response(client).status;
}

bool all_confirmed(const MeteredProxy& node, const Account& account) {
  const auto addresses = node.client(account).get("/api/addresses").json().at("addresses");
  return std::ranges::none_of(addresses, [](const auto& one) { return one.at("confirmed_at").is_null(); });
}

/// And confirms it, from `listed`.
void list(MeteredProxy& node, const Account& account, const std::string& network, const Origin& origin) {
  claim(node, account, network);
  EXPECT_NE(show_token(node, account, origin, listed), 407);
  ASSERT_TRUE(eventually([&] { return all_confirmed(node, account); }));
}

void take_back(const MeteredProxy& node, const Account& account, const std::string& path) {
  ASSERT_EQ(node.client(account).call("DELETE", "/api/addresses/" + path, "", {}).status(), 204);
}

/// Of a forwarded request without credentials.
int forward(MeteredProxy& node, const Origin& origin, const IpAddress& from) {
  RawClient client(node.proxy().address(), from);
  client.send(get(origin));
  return status_of(client);
}

int connect(MeteredProxy& node, const Origin& origin, const IpAddress& from) {
  RawClient client(node.proxy().address(), from);
  return http_connect(client, origin.authority()).status;
}

/// The SOCKS5 reply, by "no authentication"; 255: that method was refused.
int socks(MeteredProxy& node, const Origin& origin, const IpAddress& from) {
  RawClient client(node.proxy().address(), from);
  client.send(socks::greeting(socks::no_authentication));
  const std::string method = client.read_exactly(2);
  if (method[1] != 0) return static_cast<unsigned char>(method[1]);
  client.send(socks::connect_to(origin.address()));
  return socks::read_reply(client).code;
}

class ListedAddress : public testing::TestWithParam<LedgerKind> {
 protected:
  MeteredProxy node_{GetParam(),
                     BillingSettings{.increment = "1m", .lines = {"widest_client_network_v4 = 24"}},
                     ProxySettings{.listeners = {"127.0.0.1:0", "127.0.0.1:0"},
                                   .transports = {Transport::plain, Transport::tls},
                                   .listener_lines = {"proxy_protocol_from = [\"127.0.0.9/32\"]"}}};
  const Origin origin_{scripts::answer_ok()};
  const Account alice_ = node_.user("alice", "1");
};
INSTANTIATE_TEST_SUITE_P(On, ListedAddress, testing::Values(LedgerKind::sqlite, LedgerKind::postgres),
                         name_of_ledger);

TEST_P(ListedAddress, NeedsNoTokenByAnyWayIn) {
  EXPECT_EQ(forward(node_, origin_, listed), 407);
  list(node_, alice_, "127.0.0.2", origin_);
  EXPECT_EQ(forward(node_, origin_, listed), 200) << "at once where it was confirmed";
  EXPECT_EQ(connect(node_, origin_, listed), 200);
  EXPECT_EQ(socks(node_, origin_, listed), 0);
  EXPECT_TRUE(eventually([&] { return node_.live_sessions(alice_) == 1; })) << "all of it is one session";

  EXPECT_EQ(forward(node_, origin_, unlisted), 407);
  EXPECT_EQ(connect(node_, origin_, unlisted), 407);
  EXPECT_EQ(socks(node_, origin_, unlisted), 255);
}

TEST_P(ListedAddress, NeedsNoTokenInTlsNorForDatagrams) {
  list(node_, alice_, "127.0.0.2", origin_);
  RawClient in_tls(node_.proxy().address(1), listed);
  in_tls.start_tls();
  in_tls.send(get(origin_));
  EXPECT_EQ(read_response(in_tls).status, 200);

  RawClient control(node_.proxy().address(), listed);
  control.send(socks::greeting(socks::no_authentication));
  ASSERT_EQ(control.read_exactly(2)[1], 0);
  control.send(socks::associate());
  const auto reply = socks::read_reply(control);
  ASSERT_EQ(reply.code, 0);
  const UdpEnd target, end(listed.to_string());
  end.send_to(socks::bound_in(reply), socks::datagram_to(target.address(), "hello"));
  EXPECT_EQ(target.receive().bytes, "hello");
}

TEST_P(ListedAddress, IsTheClientsAndNotThatOfWhoStandsInFront) {
  const IpAddress front = IpAddress::parse("127.0.0.9").value();
  const auto answer_to = [&](const std::string& client) {
    RawClient behind(node_.proxy().address(), front);
    behind.send("PROXY TCP4 " + client + " 127.0.0.1 4711 8080\r\n" + get(origin_));
    return read_response(behind).status;
  };
  ASSERT_EQ(node_.proxy().paygctl({"address", "add", alice_.name, "127.0.0.9"}).status.code, 0);
  list(node_, alice_, "127.0.0.2", origin_);
  EXPECT_EQ(answer_to("127.0.0.2"), 200);
  EXPECT_EQ(answer_to("127.0.0.3"), 407);
}

TEST_P(ListedAddress, CountsOnceTheTokenWasShownThere) {
  claim(node_, alice_, "127.0.0.2");
  EXPECT_EQ(show_token(node_, alice_, origin_, unlisted), 200);
  EXPECT_EQ(forward(node_, origin_, listed), 407);
  const Account mallory = node_.user("mallory", "1");
  claim(node_, mallory, "127.0.0.0/24");
  EXPECT_EQ(show_token(node_, alice_, origin_, listed), 200);
  EXPECT_TRUE(eventually([&] { return forward(node_, origin_, listed) == 200; }));

  EXPECT_EQ(show_token(node_, mallory, origin_, unlisted), 200);
  EXPECT_TRUE(eventually([&] {
    return node_.proxy().log().find("127.0.0.0/24 is not confirmed") != std::string::npos;
  })) << "it would take alice's place";
  EXPECT_EQ(forward(node_, origin_, unlisted), 407);
}

TEST_P(ListedAddress, OfWhoIsDisabledCountsForNothing) {
  list(node_, alice_, "127.0.0.2", origin_);
  EXPECT_EQ(forward(node_, origin_, listed), 200);
  EXPECT_EQ(node_.proxy().paygctl({"user", "disable", alice_.name}).status.code, 0);
  EXPECT_TRUE(eventually([&] { return forward(node_, origin_, listed) == 407; }));
}

TEST_P(ListedAddress, IsRefusedForMoneyAsItsUserIs) {
  const Account poor = node_.user("poor", "");
  list(node_, poor, "127.0.0.2", origin_);
  EXPECT_EQ(forward(node_, origin_, listed), 402);
  EXPECT_EQ(connect(node_, origin_, listed), 402);
  EXPECT_EQ(socks(node_, origin_, listed), 2);
  node_.top_up(poor, "1");
  EXPECT_EQ(forward(node_, origin_, listed), 200);
}

TEST_P(ListedAddress, CountsForNothingBesideCredentials) {
  list(node_, alice_, "127.0.0.2", origin_);
  RawClient client(node_.proxy().address(), listed);
  client.send(get_as({alice_.name, "guess"}, origin_));
  EXPECT_EQ(read_response(client).status, 407);
}

TEST_P(ListedAddress, CountsForNothingBesideCredentialsThatCannotBeRead) {
  list(node_, alice_, "127.0.0.2", origin_);
  const std::string right = "Proxy-Authorization: " + basic_credentials(alice_.name, alice_.token) + "\r\n";
  for (const std::string& fields :
       {std::string("Proxy-Authorization: Bearer abc\r\n"), std::string("Proxy-Authorization: Basic !!!\r\n"),
        std::string("Proxy-Authorization:\r\n"), right + right}) {
    RawClient client(node_.proxy().address(), listed);
    client.send(get(origin_, fields));
    EXPECT_EQ(read_response(client).status, 407) << fields;
  }
}

TEST_P(ListedAddress, ThatIsTakenBackEndsWithTheNextRequestAndLeavesTunnelsAlone) {
  const Origin echo(scripts::echo());
  list(node_, alice_, "127.0.0.0/24", origin_);
  RawClient kept_alive(node_.proxy().address(), listed), tunnel(node_.proxy().address(), listed);
  kept_alive.send(get(origin_));
  EXPECT_EQ(read_response(kept_alive).status, 200);
  ASSERT_EQ(http_connect(tunnel, echo.authority()).status, 200);

  take_back(node_, alice_, "127.0.0.0%2F24");
  kept_alive.send(get(origin_));
  EXPECT_EQ(read_response(kept_alive).status, 407);
  tunnel.send("still here");
  EXPECT_EQ(tunnel.read_exactly(10), "still here");
}

/// Two nodes on one ledger, each with an exit in Germany and one in France.
class TwoNodes : public testing::Test {
 protected:
  MeteredProxy node(const std::string& name) const {
    BillingSettings billing;
    billing.ledger = database_.url();
    billing.node = name;
    ProxySettings settings;
    settings.more =
        "[[exit]]\nname = \"in-germany\"\nkind = \"direct\"\ncountry = \"de\"\n"
        "[[exit]]\nname = \"in-france\"\nkind = \"direct\"\ncountry = \"fr\"\ncity = \"paris\"\n";
    return MeteredProxy(std::move(billing), std::move(settings));
  }
  std::string exit_of(const std::string& label) const {
    return database_.run("SELECT exit FROM metered_sessions WHERE label = '" + label + "'");
  }
  /// The exit of a session by that label, begun on `node`.
  std::string exit_for(MeteredProxy& node, const std::string& user_name, const std::string& label) {
    EXPECT_EQ(node.fetch_status({user_name + "-session-" + label, alice_.token}, origin_), 200);
    EXPECT_TRUE(eventually([&] { return !exit_of(label).empty(); }));
    return exit_of(label);
  }

  const PostgresDatabase database_;
  MeteredProxy a_ = node("node-a"), b_ = node("node-b");
  const Origin origin_{scripts::answer_ok()};
  const Account alice_ = a_.user("alice", "10");
};

TEST_F(TwoNodes, HearOfListedAddressesFromEachOther) {
  list(a_, alice_, "127.0.0.2", origin_);
  EXPECT_TRUE(eventually([&] { return forward(b_, origin_, listed) == 200; }));
  const Account bob = b_.user("bob", "1");
  EXPECT_EQ(b_.client(bob).post("/api/addresses", R"({"network": "127.0.0.2"})").status(), 409);
  take_back(b_, alice_, "127.0.0.2");
  EXPECT_EQ(forward(b_, origin_, listed), 407);
  EXPECT_TRUE(eventually([&] { return forward(a_, origin_, listed) == 407; }));
  list(a_, bob, "127.0.0.2", origin_);
  EXPECT_TRUE(eventually([&] { return forward(b_, origin_, listed) == 200; }));
}

TEST_F(TwoNodes, KnowWhatWasListedBeforeTheyStarted) {
  list(a_, alice_, "127.0.0.2", origin_);
  b_.proxy().terminate();
  b_.proxy().start_again();
  EXPECT_EQ(forward(b_, origin_, listed), 200);
}

TEST_F(TwoNodes, HearOfAUsersOwnLocationFromEachOther) {
  const auto set = [&](const std::string& location) {
    return a_.client(alice_).call("PUT", "/api/locations/default", location, {}).status();
  };
  ASSERT_EQ(set(R"({"country": "fr"})"), 200);
  EXPECT_EQ(exit_for(a_, "alice", "one"), "in-france");
  EXPECT_TRUE(eventually([&, round = 0]() mutable {
    return exit_for(b_, "alice", "b" + std::to_string(++round)) == "in-france";
  }));
  EXPECT_EQ(exit_for(a_, "alice-country-de", "two"), "in-germany") << "his name replaces it";
  EXPECT_EQ(set(R"({"country": "de", "city": "paris"})"), 422);
  ASSERT_EQ(set(R"({"country": "de"})"), 200);
  EXPECT_EQ(exit_for(a_, "alice", "three"), "in-germany");
}

}  // namespace
}  // namespace payg::test
