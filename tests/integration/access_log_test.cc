// The access log as an operator reads it: one line of JSON for each client connection that is over.

#include <signal.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/integration/metered_proxy.h"

namespace payg::test {
namespace {

using nlohmann::json;

/// A metered proxy that keeps an access log in its own folder.
class AccessLog : public testing::Test {
 protected:
  explicit AccessLog(ProxySettings settings = {})
      : metered_(LedgerKind::sqlite, {}, with_log(std::move(settings))) {}

  static ProxySettings with_log(ProxySettings settings) {
    settings.proxy_lines.push_back("access_log = \"access.log\"");
    return settings;
  }

  std::string path() { return metered_.proxy().folder() + "/access.log"; }
  std::vector<json> lines() {
    std::vector<json> all;
    std::istringstream text(read_file(path()));
    for (std::string line; std::getline(text, line);) all.push_back(json::parse(line));
    return all;
  }
  /// The line number `count`, once it is there; no line follows it.
  json last_of(std::size_t count) {
    EXPECT_TRUE(eventually([&] { return lines().size() >= count; })) << read_file(path());
    EXPECT_EQ(lines().size(), count);
    return lines().back();
  }

  MeteredProxy metered_;
};

TEST_F(AccessLog, TellsWhoWentWhereAndHowMuch) {
  const Origin echo(scripts::echo());
  const Account alice = metered_.user("alice", "1");
  std::string session;
  {
    RawClient tunnel = metered_.http_tunnel(alice, echo);
    tunnel.send("hello");
    EXPECT_EQ(tunnel.read_exactly(5), "hello");
    ASSERT_TRUE(eventually([&] { return metered_.live_sessions(alice) == 1; }));
    session = metered_.client(alice).get("/api/sessions").json().at("sessions").at(0).at("id");
  }
  const json line = last_of(1);
  EXPECT_EQ(line.at("protocol"), "connect");
  EXPECT_EQ(line.at("user"), "alice");
  EXPECT_EQ(line.at("session"), session);
  EXPECT_EQ(line.at("exit"), "direct");
  EXPECT_EQ(line.at("target"), echo.authority());
  EXPECT_EQ(line.at("requests"), 1);
  EXPECT_EQ(line.at("bytes_up"), 5);
  EXPECT_GT(line.at("bytes_down"), 5) << "the answer, and the echo";
  EXPECT_GE(line.at("duration_ms"), 0);
  EXPECT_EQ(line.at("end"), "client_closed");
  EXPECT_TRUE(line.at("refusal").is_null());
  EXPECT_EQ(line.at("client").get<std::string>().substr(0, 10), "127.0.0.1:");
  EXPECT_EQ(line.at("time").get<std::string>().back(), 'Z');
}

TEST_F(AccessLog, HasOneLineForAConnectionOfManyRequests) {
  const Origin web(scripts::answer_ok());
  const Account alice = metered_.user("alice", "1");
  {
    RawClient client = metered_.proxy().connect();
    for (int request = 0; request < 3; ++request) {
      client.send(get_as(alice, web));
      EXPECT_EQ(read_response(client).status, 200);
    }
  }
  const json line = last_of(1);
  EXPECT_EQ(line.at("protocol"), "forward");
  EXPECT_EQ(line.at("requests"), 3);
  EXPECT_EQ(line.at("end"), "client_closed");
  EXPECT_FALSE(line.at("session").is_null());
}

TEST_F(AccessLog, RemembersWhoItWasWhenHisLastRequestIsNobodys) {
  const Origin web(scripts::answer_ok());
  const Account alice = metered_.user("alice", "1");
  {
    RawClient client = metered_.proxy().connect();
    client.send(get_as(alice, web));
    EXPECT_EQ(read_response(client).status, 200);
    client.send(get(web));
    EXPECT_EQ(read_response(client).status, 407);
  }
  const json line = last_of(1);
  EXPECT_EQ(line.at("user"), "alice");
  EXPECT_FALSE(line.at("session").is_null());
  EXPECT_EQ(line.at("refusal"), "bad_credentials");
}

TEST_F(AccessLog, SaysWhyAClientWasRefused) {
  const Origin web(scripts::answer_ok());
  const Account poor = metered_.user("poor", "0.0001");
  EXPECT_EQ(metered_.fetch_status(poor, web), 402);
  const json unpaid = last_of(1);
  EXPECT_EQ(unpaid.at("refusal"), "payment_required");
  EXPECT_EQ(unpaid.at("user"), "poor");
  EXPECT_TRUE(unpaid.at("exit").is_null());
  EXPECT_TRUE(unpaid.at("session").is_null());

  EXPECT_EQ(metered_.fetch_status({"poor", "a wrong token"}, web), 407);
  const json unknown = last_of(2);
  EXPECT_EQ(unknown.at("refusal"), "bad_credentials");
  EXPECT_TRUE(unknown.at("user").is_null()) << "nobody has shown that he is that user";
}

TEST_F(AccessLog, SaysThatASessionWasCut) {
  const Origin echo(scripts::echo());
  const Account alice = metered_.user("alice", "0.001");
  RawClient tunnel = metered_.socks_tunnel(alice, echo);
  EXPECT_TRUE(tunnel.at_end());
  const json line = last_of(1);
  EXPECT_EQ(line.at("protocol"), "socks5");
  EXPECT_EQ(line.at("end"), "cut");
  EXPECT_EQ(line.at("refusal"), "payment_required");
  EXPECT_EQ(line.at("user"), "alice");
  EXPECT_FALSE(line.at("session").is_null());
}

TEST_F(AccessLog, NeverShowsAToken) {
  const Origin web(scripts::answer_ok());
  const Account alice = metered_.user("alice", "1");
  EXPECT_EQ(metered_.fetch_status(alice, web), 200);
  EXPECT_EQ(metered_.fetch_status({"alice", "not-the-token"}, web), 407);
  last_of(2);
  const std::string text = read_file(path());
  EXPECT_EQ(text.find(alice.token), std::string::npos);
  EXPECT_EQ(text.find("not-the-token"), std::string::npos);
}

TEST_F(AccessLog, ThatWasMovedAwayIsBegunAnewBySighup) {
  const Origin web(scripts::answer_ok());
  const Account alice = metered_.user("alice", "1");
  EXPECT_EQ(metered_.fetch_status(alice, web), 200);
  last_of(1);
  const std::string moved = path() + ".1";
  ASSERT_EQ(std::rename(path().c_str(), moved.c_str()), 0);
  metered_.proxy().process().signal(SIGHUP);
  ASSERT_TRUE(metered_.proxy().process().wait_for_errors(
      [](const std::string& log) { return log.find("config: reloaded") != std::string::npos; }));
  EXPECT_EQ(metered_.fetch_status(alice, web), 200);
  EXPECT_EQ(last_of(1).at("requests"), 1) << "in the new file";
  const std::string old = read_file(moved);
  EXPECT_EQ(std::count(old.begin(), old.end(), '\n'), 1);
}

class AccessLogOfTheImpatient : public AccessLog {
 protected:
  AccessLogOfTheImpatient()
      : AccessLog(
            ProxySettings{.proxy_lines = {"idle_timeout = \"200ms\"", "handshake_timeout = \"200ms\""}}) {}
};

TEST_F(AccessLogOfTheImpatient, TellsIdleFromSilent) {
  const Origin echo(scripts::echo());
  const Account alice = metered_.user("alice", "1");
  {
    RawClient tunnel = metered_.http_tunnel(alice, echo);
    EXPECT_TRUE(tunnel.at_end());
  }
  EXPECT_EQ(last_of(1).at("end"), "idle_timeout");
  {
    RawClient silent = metered_.proxy().connect();
    EXPECT_TRUE(silent.at_end());
  }
  const json line = last_of(2);
  EXPECT_EQ(line.at("end"), "handshake_timeout");
  EXPECT_TRUE(line.at("protocol").is_null());
  EXPECT_TRUE(line.at("target").is_null());
}

TEST(AccessLogPath, ThatCannotBeWrittenIsRefusedAtTheStart) {
  const TempFolder folder;
  const ProxySettings settings{.proxy_lines = {"access_log = \"/proc/no-such-folder/access.log\""}};
  const std::string path = folder.write("proxy.toml", settings.toml(folder.path()));
  const auto finished = run_program({built("payg-proxy"), "--config", path});
  EXPECT_NE(finished.status.code, 0);
  EXPECT_NE(finished.errors.find("proxy.access_log"), std::string::npos) << finished.errors;
}

}  // namespace
}  // namespace payg::test
