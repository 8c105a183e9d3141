// Exits under way: who leaves by which, what happens when one fails, how it is found out, and what a reload
// changes.

#include <signal.h>

#include <map>
#include <memory>
#include <set>

#include "tests/integration/metered_proxy.h"
#include "tests/integration/parents.h"

namespace payg::test {
namespace {

/// Everything quick, and one failure enough.
std::string health(const std::string& more = "probe_interval = \"0s\"\n") {
  return "[exit_health]\nfailures = 1\nbackoff = \"50ms\"\nlongest_backoff = \"100ms\"\n" + more;
}

/// Opens tunnels in which it says its own letter first, and then echoes.
std::unique_ptr<FakeParent> lettered(char letter, std::string_view address = "127.0.0.1:0") {
  return std::unique_ptr<FakeParent>(new FakeParent(
      FakeParent::http({.answer = http_ok + std::string(1, letter), .then = scripts::echo()}, address)));
}

class Exits : public testing::Test {
 protected:
  /// `exits`: the tables as a file has them; `proxy_lines`: more lines for [proxy].
  void start(const std::string& exits, std::vector<std::string> proxy_lines = {}) {
    ProxySettings settings;
    settings.proxy_lines = std::move(proxy_lines);
    settings.more = exits;
    metered_.emplace(LedgerKind::sqlite, BillingSettings{.increment = "1h"}, settings);
    alice_ = metered_->user("alice", "100");
  }
  void reload(const std::string& exits) {
    ProxySettings settings = metered_->proxy().settings();
    settings.more = exits;
    metered_->proxy().rewrite_config(settings.toml(metered_->proxy().folder()));
    metered_->proxy().process().signal(SIGHUP);
    ASSERT_TRUE(log_has("reloaded "));
  }
  [[nodiscard]] bool log_has(const std::string& text) {
    return metered_->proxy().process().wait_for_errors(
        [&](const std::string& log) { return log.find(text) != std::string::npos; });
  }
  RawClient connect() { return metered_->proxy().connect(); }
  /// A tunnel of alice with this behind her name ("-session-x").
  RawClient tunnel(const std::string& suffix, const std::string& target = "127.0.0.1:9") {
    RawClient client = connect();
    const auto response = http_connect(client, target, "alice" + suffix, alice_.token);
    if (response.status != 200) throw HarnessError("no tunnel: " + response.head.raw);
    return client;
  }
  /// Which of the lettered parents she leaves by.
  std::string letter(const std::string& suffix) { return tunnel(suffix).read_exactly(1); }
  std::string metrics() { return metered_->operator_client().get("/metrics").response.body.content; }
  [[nodiscard]] bool metrics_have(const std::string& sample) {
    return eventually([&] { return metrics().find("\n" + sample + "\n") != std::string::npos; });
  }

  std::optional<MeteredProxy> metered_;
  Account alice_;
};

TEST_F(Exits, KeepTheirSessions) {
  const auto a = lettered('A'), b = lettered('B'), c = lettered('C');
  start(ExitLines{.name = "a", .kind = "http", .address = a->authority()}.toml() +
        ExitLines{.name = "b", .kind = "http", .address = b->authority()}.toml() +
        ExitLines{.name = "c", .kind = "http", .address = c->authority()}.toml());
  std::set<std::string> letters;
  for (int label = 0; label < 12; ++label) {
    const std::string suffix = "-session-" + std::to_string(label);
    const std::string first = letter(suffix);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(letter(suffix), first);
    letters.insert(first);
  }
  EXPECT_EQ(letters.size(), 3u);
}

TEST_F(Exits, AreLeftWhenTheyDieAndComeBackTo) {
  std::map<std::string, std::unique_ptr<FakeParent>> parents;
  parents["A"] = lettered('A');
  parents["B"] = lettered('B');
  start(ExitLines{.name = "A", .kind = "http", .address = parents["A"]->authority()}.toml() +
        ExitLines{.name = "B", .kind = "http", .address = parents["B"]->authority()}.toml() + health());
  const std::string dead = letter("-session-x");
  const std::string other = dead == "A" ? "B" : "A";
  std::string stays;
  for (int i = 0; stays.empty(); ++i) {
    const std::string suffix = "-session-" + std::to_string(i);
    if (letter(suffix) == other) stays = suffix;
  }
  const SocketAddress address = parents[dead]->address();
  parents.erase(dead);
  EXPECT_EQ(letter("-session-x"), other) << "at the first attempt";
  EXPECT_TRUE(log_has(dead + " is down: its parent refused the connection"));
  EXPECT_TRUE(metrics_have("payg_proxy_exit_up{exit=\"" + dead + "\"} 0"));
  EXPECT_TRUE(metrics_have("payg_proxy_exits{state=\"down\"} 1"));
  EXPECT_EQ(letter(stays), other);

  parents[dead] = lettered(dead[0], address.to_string());
  EXPECT_TRUE(log_has(dead + " is up again"));
  EXPECT_EQ(letter("-session-x"), dead);
  EXPECT_EQ(letter(stays), other);
  EXPECT_TRUE(metrics_have("payg_proxy_exits{state=\"up\"} 2"));
}

TEST_F(Exits, OfALocationThatDoNotWorkAreRefusedByEveryWayInAndCostNothing) {
  const ClosedPort closed;
  const Origin web(scripts::answer_ok("by the other one"));
  start(ExitLines{.name = "berlin",
                  .kind = "socks5",
                  .address = closed.address().to_string(),
                  .more = "country = \"de\"\n"}
            .toml() +
        ExitLines{.name = "here", .more = "country = \"fr\"\n"}.toml() + health("probe_interval = \"0s\"\n"));
  const auto before = metered_->balance_units(alice_);
  const auto status = [&](const std::string& user) {
    RawClient client = connect();
    client.send(get(web, "Proxy-Authorization: " + basic_credentials(user, alice_.token) + "\r\n"));
    return read_response(client);
  };
  for (int i = 0; i < 3; ++i) {  // it fails, and is down from then on
    const auto forward = status("alice-country-de");
    EXPECT_EQ(forward.status, 503);
    EXPECT_TRUE(forward.head.has("Retry-After"));
    RawClient client = connect();
    EXPECT_EQ(http_connect(client, web.authority(), "alice-country-de", alice_.token).status, 503);
    RawClient socks = connect();
    EXPECT_EQ(socks::open(socks, socks::connect_to(web.address()), "alice-country-de", alice_.token).code, 4);
  }
  EXPECT_EQ(status("alice-country-us").status, 503) << "nothing is there at all";
  EXPECT_EQ(metered_->live_sessions(alice_), 0);
  EXPECT_EQ(metered_->balance_units(alice_), before);
  EXPECT_EQ(web.connections(), 0);
  EXPECT_EQ(status("alice-country-fr").body.content, "by the other one");
}

TEST_F(Exits, ThroughAParentAreMeteredAndCutLikeAnyOther) {
  const Origin echo(scripts::echo());
  const ProxyProcess parent;
  ProxySettings settings;
  settings.more = ExitLines{.name = "up", .kind = "http", .address = parent.address().to_string()}.toml();
  MeteredProxy metered(LedgerKind::sqlite, {}, settings);
  const Account bob = metered.user("bob", "0.001");
  RawClient client = metered.http_tunnel(bob, echo);
  client.send("paid");
  EXPECT_EQ(client.read_exactly(4), "paid");
  client.read_to_end();
  EXPECT_EQ(metered.balance_units(bob), 0);
}

TEST_F(Exits, AreReloadedUnderRunningSessions) {
  const Origin web(scripts::answer_ok("kept"));
  const auto a = lettered('A'), b = lettered('B');
  const std::string stays = ExitLines{.name = "stays", .more = "country = \"de\"\n"}.toml();
  start(stays +
        ExitLines{.name = "goes", .kind = "http", .address = a->authority(), .more = "country = \"fr\"\n"}
            .toml());
  RawClient running = tunnel("-country-fr");
  EXPECT_EQ(running.read_exactly(1), "A");
  RawClient forward = connect();
  const std::string request =
      get(web, "Proxy-Authorization: " + basic_credentials("alice-country-de", alice_.token) + "\r\n");
  forward.send(request);
  EXPECT_EQ(read_response(forward).body.content, "kept");

  reload(stays +
         ExitLines{.name = "comes", .kind = "http", .address = b->authority(), .more = "country = \"fr\"\n"}
             .toml());
  EXPECT_TRUE(eventually([&] { return letter("-country-fr") == "B"; }));
  running.send("goes on");
  EXPECT_EQ(running.read_exactly(7), "goes on");
  forward.send(request);
  EXPECT_EQ(read_response(forward).body.content, "kept");
  EXPECT_EQ(web.connections(), 1) << "the origin is kept: its exit stayed what it was";
}

TEST_F(Exits, ThatAreReloadedWithAnErrorStayAsTheyWere) {
  const auto a = lettered('A');
  start(ExitLines{.name = "a", .kind = "http", .address = a->authority()}.toml());
  ProxySettings settings = metered_->proxy().settings();
  settings.more = ExitLines{.name = "b", .kind = "http"}.toml();
  metered_->proxy().rewrite_config(settings.toml(metered_->proxy().folder()));
  metered_->proxy().process().signal(SIGHUP);
  EXPECT_TRUE(log_has("exit.address: missing"));
  EXPECT_EQ(letter(""), "A");
}

TEST_F(Exits, AreFoundDeadByAProbeBeforeAnybodyLeavesByThem) {
  const ClosedPort closed;
  start(ExitLines{.name = "dead", .kind = "http", .address = closed.address().to_string()}.toml() +
        ExitLines{.name = "alive"}.toml() + health("probe_interval = \"50ms\"\n"));
  EXPECT_TRUE(log_has("dead is down: its parent refused the connection"));
  EXPECT_TRUE(metrics_have("payg_proxy_exit_failures_total 0"));
}

TEST_F(Exits, AreFoundWithWrongCredentialsByAProbe) {
  const TempFolder folder;
  const std::string file = folder.write("password", "wrong");
  const FakeParent parent =
      FakeParent::socks5({.answer = socks_ok, .user = "us", .password = "right", .then = scripts::echo()});
  start(ExitLines{.name = "up",
                  .kind = "socks5",
                  .address = parent.authority(),
                  .more = "username = \"us\"\npassword_file = \"" + file + "\"\n"}
            .toml() +
        health("probe_interval = \"50ms\"\n"));
  EXPECT_TRUE(log_has("up is down: its parent does not accept the credentials"));
  folder.write("password", "right");
  reload(ExitLines{.name = "up",
                   .kind = "socks5",
                   .address = parent.authority(),
                   .more = "username = \"us\"\npassword_file = \"" + file + "\"\n"}
             .toml() +
         health("probe_interval = \"50ms\"\n"));
  EXPECT_TRUE(eventually([&] {
    RawClient client = connect();
    return http_connect(client, "127.0.0.1:80", "alice", alice_.token).status == 200;
  })) << "with another password it is another exit";
}

TEST_F(Exits, WhoseSourceAddressIsNotHereAreDown) {
  start(ExitLines{.name = "there", .more = "source_address = \"192.0.2.1\"\n"}.toml() + health());
  RawClient client = connect();
  EXPECT_EQ(http_connect(client, "127.0.0.1:9", "alice", alice_.token).status, 503);
  EXPECT_TRUE(log_has("there is down: its source_address cannot be used"));
}

TEST_F(Exits, ThatReachTheirParentButNotTheProbeTargetAreDown) {
  const Origin target(scripts::echo());
  const ProxyProcess good;
  const FakeParent bad = FakeParent::http({.answer = "HTTP/1.1 502 Bad Gateway\r\n\r\n"});
  start(ExitLines{.name = "good", .kind = "http", .address = good.address().to_string()}.toml() +
        ExitLines{.name = "bad", .kind = "http", .address = bad.authority()}.toml() +
        health("probe_interval = \"50ms\"\nprobe_target = \"" + target.authority() + "\"\n"));
  EXPECT_TRUE(log_has("bad is down: the probe target is not reached through it"));
  EXPECT_TRUE(metrics_have("payg_proxy_exit_up{exit=\"good\"} 1"));
}

TEST_F(Exits, AreNotDownBecauseTheProbeTargetIs) {
  const ClosedPort target;
  const ProxyProcess one, two;
  start(ExitLines{.name = "one", .kind = "http", .address = one.address().to_string()}.toml() +
        ExitLines{.name = "two", .kind = "socks5", .address = two.address().to_string()}.toml() +
        health("probe_interval = \"20ms\"\nprobe_target = \"" + target.address().to_string() + "\"\n"));
  EXPECT_TRUE(eventually(
      [&] { return metered_->operator_client().metric("payg_proxy_exit_probe_failures_total") >= 6; }));
  EXPECT_TRUE(metrics_have("payg_proxy_exits{state=\"up\"} 2"));
}

/// A parent that opens a way to everything but to one target, which it does not reach.
Origin::Script all_but(const std::string& target) {
  return [target](OriginConnection& connection) {
    const bool is_target = connection.stream().read_until("\r\n\r\n").find(target) != std::string::npos;
    connection.send(is_target ? "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n" : http_ok);
  };
}

TEST_F(Exits, ComeUpAgainAlthoughTheProbeTargetIsGone) {
  const std::string target = "127.0.0.1:9";
  auto parent = std::make_unique<Origin>(all_but(target));
  const SocketAddress address = parent->address();
  start(ExitLines{.name = "only", .kind = "http", .address = address.to_string()}.toml() +
        health("probe_interval = \"50ms\"\nprobe_target = \"" + target + "\"\n"));
  parent.reset();
  // It may have been in the middle of an answer to a probe: then it closed, or reset, the connection.
  EXPECT_TRUE(log_has("only is down: its parent"));
  parent = std::make_unique<Origin>(all_but(target), address.to_string());
  EXPECT_TRUE(log_has("only is up again, on trial"));
  tunnel("", "127.0.0.1:80");
}

TEST_F(Exits, WhoseParentIsThereButServesNobodyStayDownAsFarAsCustomersNotice) {
  const FakeParent useless = FakeParent::http({.answer = "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"});
  const auto good = lettered('G');
  start(ExitLines{.name = "useless", .kind = "http", .address = useless.authority()}.toml() +
        ExitLines{.name = "good", .kind = "http", .address = good->authority()}.toml() +
        "[exit_health]\nfailures = 3\nbackoff = \"50ms\"\nprobe_interval = \"50ms\"\n");
  std::string suffix;
  for (int label = 0; useless.asked().empty(); ++label) {
    suffix = "-session-" + std::to_string(label);
    EXPECT_EQ(letter(suffix), "G") << "whichever was asked first";
  }
  for (int more = 0; more < 2; ++more) EXPECT_EQ(letter(suffix), "G");
  EXPECT_TRUE(log_has("useless is down: its parent wants credentials"));
  EXPECT_TRUE(log_has("useless is up again, on trial"));
  const auto asked = useless.asked().size();
  EXPECT_EQ(letter(suffix), "G");
  EXPECT_EQ(useless.asked().size(), asked + 1);
  EXPECT_TRUE(metered_->proxy().process().wait_for_errors([](const std::string& log) {
    const auto first = log.find("useless is down");
    return log.find("useless is down", first + 1) != std::string::npos;
  })) << "one failure is enough while it is on trial";
}

TEST_F(Exits, ThatAreSilentAreDownUnlessOthersHearThemMeanwhile) {
  const Origin parent([&](OriginConnection& connection) {
    const bool of_a_silent_target =
        connection.stream().read_until("\r\n\r\n").find(":81 ") != std::string::npos;
    if (of_a_silent_target) return static_cast<void>(connection.stream().read_to_end());
    connection.send(http_ok);
  });
  ProxySettings settings;
  settings.proxy_lines = {"connect_timeout = \"500ms\""};
  settings.more = ExitLines{.name = "up", .kind = "http", .address = parent.authority()}.toml() + health();
  ProxyProcess proxy(settings);
  RawClient waiting = proxy.connect();
  waiting.send("CONNECT 127.0.0.1:81 HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return parent.connections() == 1; }));
  RawClient served = proxy.connect();
  ASSERT_EQ(http_connect(served, "127.0.0.1:80").status, 200);
  EXPECT_EQ(read_response(waiting, "CONNECT").status, 504);
  EXPECT_EQ(proxy.log().find("is down"), std::string::npos) << "it is the target that is silent";

  RawClient alone = proxy.connect();
  EXPECT_EQ(http_connect(alone, "127.0.0.1:81").status, 504);
  EXPECT_TRUE(proxy.process().wait_for_errors([](const std::string& log) {
    return log.find("up is down: its parent did not answer in time") != std::string::npos;
  })) << proxy.log();
}

TEST_F(Exits, GiveWayToTheNextBestOneWithinConnectTimeout) {
  auto first = lettered('F');
  const auto next = lettered('N');
  start(ExitLines{.name = "first", .kind = "http", .address = first->authority()}.toml() +
            ExitLines{.name = "next", .kind = "http", .address = next->authority()}.toml() + health(),
        {"connect_timeout = \"3s\""});
  std::string suffix;
  for (int label = 0; suffix.empty(); ++label) {
    const std::string tried = "-session-" + std::to_string(label);
    if (letter(tried) == "F") suffix = tried;
  }
  const SocketAddress address = first->address();
  first.reset();
  const BlackHole silent(address);
  EXPECT_TRUE(metrics_have("payg_proxy_exit_failures_total 0"));
  EXPECT_EQ(letter(suffix), "N");
  EXPECT_TRUE(metrics_have("payg_proxy_exit_failures_total 1")) << "the first was tried before";
  EXPECT_TRUE(log_has("first is down: its parent did not answer in time"));
}

}  // namespace
}  // namespace payg::test
