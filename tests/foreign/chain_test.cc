// payg-proxy in front of other proxies, which are its only way out.

#include <map>

#include "tests/foreign/foreign_world.h"
#include "tests/foreign/parent.h"
#include "tests/support/harness/pattern.h"

namespace payg::test {
namespace {

enum class Password { right, wrong };

/// The tables of an exit that leads to `parent`, whose password is kept in `folder`.
std::string exit_behind(const Parent& parent, const TempFolder& folder, Password password) {
  std::string toml = "[[exit]]\nname = \"parent\"\nkind = \"" + std::string(parent.protocol()) +
                     "\"\naddress = \"" + parent.address().to_string() + "\"\n";
  if (!parent.user().empty()) {
    const std::string secret = password == Password::right ? parent.password() : "not-the-password";
    toml += "username = \"" + parent.user() + "\"\npassword_file = \"" + folder.write("password", secret) +
            "\"\n";
  }
  return toml + "[exit_health]\nbackoff = \"100ms\"\nlongest_backoff = \"100ms\"\n";
}

/// What has to be there before the proxy that is to use it.
class ParentFirst {
 protected:
  ParentFirst(ParentKind kind, Password password)
      : parent_(start_parent(kind)), exit_(exit_behind(*parent_, secrets_, password)) {}

  ProxySettings settings() const {
    ProxySettings settings;
    settings.more = exit_;
    return settings;
  }

  TempFolder secrets_;
  std::unique_ptr<Parent> parent_;
  std::string exit_;
};

class ChainWorld : protected ParentFirst,
                   public ForeignWorld,
                   public testing::WithParamInterface<ParentKind> {
 protected:
  explicit ChainWorld(Password password)
      : ParentFirst(GetParam(), password), ForeignWorld(Door::plain, ParentFirst::settings()) {}

  /// Into a file that no other client writes.
  Errand errand_of(const Client& client, const std::string& path) const {
    Errand errand = ForeignWorld::errand(alice_, origin_.url(client.scheme, path, client.host));
    errand.file = folder_.path() + "/fetched_by_" + client.name;
    return errand;
  }
  Finished fetch_by(const Client& client, const std::string& path) const {
    return run(client.call(errand_of(client, path)));
  }
};

class Chain : public ChainWorld {
 protected:
  Chain() : ChainWorld(Password::right) {}
};

class ChainWithoutKey : public ChainWorld {
 protected:
  ChainWithoutKey() : ChainWorld(Password::wrong) {}
};

/// Of each protocol at our door one client is enough: what is behind it is the same for all.
Client client_named(std::string_view name) {
  for (const Client& client : curl_clients()) {
    if (client.name == name) return client;
  }
  throw HarnessError("no client " + std::string(name));
}

TEST_P(Chain, CarriesWhatComesByEveryWayWhole) {
  origin_.put("something", Pattern::bytes(0, 1'048'583));
  for (const char* name : {"curl_http", "curl_http_tunnel", "curl_http_to_http2", "curl_socks5h"}) {
    const Finished finished = fetch_by(client_named(name), "/files/something");
    ASSERT_EQ(finished.status.code, 0) << name << ": " << told_by(finished) << metered_.proxy().log();
    EXPECT_TRUE(read_file(folder_.path() + "/fetched_by_" + name) == Pattern::bytes(0, 1'048'583))
        << name << ": " << told_by(finished);
  }
}

TEST_P(Chain, BreaksWithItsParentAndWorksWhenThatIsBack) {
  const Client client = client_named("curl_http_tunnel");
  const Errand errand = errand_of(client, "/endless");
  const auto download = start(client.call(errand));
  ASSERT_TRUE(eventually([&] { return has_begun(errand); })) << download->errors();
  parent_->kill();
  EXPECT_NE(download->wait().code, 0) << download->errors();

  ASSERT_TRUE(eventually([&] { return metered_.live_sessions(alice_) == 0; }));
  const auto balance = metered_.balance_units(alice_);
  const Finished refused = fetch_by(client_named("curl_http"), "/hello");
  EXPECT_NE(refused.output.find("answer 50"), std::string::npos) << told_by(refused);
  EXPECT_EQ(metered_.balance_units(alice_), balance);

  parent_->start_again();
  EXPECT_TRUE(eventually([&] {
    return fetch_by(client_named("curl_http"), "/hello").output == "answer 200\n";
  })) << metered_.proxy().log();
}

TEST_P(Chain, IsCutWhenTheMoneyIsSpent) {
  int spenders = 0;
  for (const char* name : {"curl_http", "curl_http_tunnel", "curl_socks5h"}) {
    const Client client = client_named(name);
    const Account spender = metered_.user(std::string("spender") + std::to_string(++spenders), "1");
    Errand errand = errand_of(client, "/endless");
    errand.account = spender;
    const Finished finished =
        run_out_of_money(client.call(errand), spender, [&](const auto&) { return has_begun(errand); });
    EXPECT_NE((finished.output + finished.errors).find(client.cut), std::string::npos)
        << name << " shows no \"" << client.cut << "\": " << told_by(finished);
    EXPECT_EQ(metered_.balance_units(spender), 0) << name;
  }
}

TEST_P(ChainWithoutKey, IsRefusedByItsParentAndCostsNothing) {
  const auto balance = metered_.balance_units(alice_);
  const std::map<std::string, std::string> shown{{"curl_http", "answer 503"},
                                                 {"curl_http_tunnel", "CONNECT tunnel failed, response 503"},
                                                 {"curl_socks5h", "Can't complete SOCKS5 connection"}};
  for (const auto& [name, answer] : shown) {
    const Finished refused = fetch_by(client_named(name), "/hello");
    EXPECT_NE((refused.output + refused.errors).find(answer), std::string::npos)
        << name << ": " << told_by(refused);
  }
  EXPECT_TRUE(origin_.requests().empty());
  EXPECT_EQ(metered_.balance_units(alice_), balance);
}

INSTANTIATE_TEST_SUITE_P(Behind, Chain,
                         testing::Values(ParentKind::payg_http, ParentKind::payg_socks5, ParentKind::squid,
                                         ParentKind::tinyproxy, ParentKind::dante, ParentKind::microsocks),
                         [](const auto& test) { return name_of(test.param); });
INSTANTIATE_TEST_SUITE_P(Behind, ChainWithoutKey,
                         testing::Values(ParentKind::payg_http, ParentKind::payg_socks5, ParentKind::squid,
                                         ParentKind::tinyproxy, ParentKind::microsocks),
                         [](const auto& test) { return name_of(test.param); });

}  // namespace
}  // namespace payg::test
