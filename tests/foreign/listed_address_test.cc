// Programs that know no credentials, from an address that a user has listed as his own.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/foreign/browser.h"
#include "tests/foreign/foreign_world.h"
#include "tests/support/harness/patience.h"

namespace payg::test {
namespace {

using Scheme = ForeignOrigin::Scheme;
using Host = ForeignOrigin::Host;

class ListedAddress : public ForeignWorld {
 protected:
  /// Lists the address of this machine as the user's.
  void list_of(const Account& account) const {
    const auto answer = metered_.client(account).post("/api/addresses", R"({"network": "127.0.0.1"})");
    ASSERT_EQ(answer.status(), 201) << answer.response.body.content;
    // It counts from when the token has come from there, with or without money.
    const Finished shown =
        run({curl_program, "-qsS", "-x", "http://" + credentials(account) + "@" + proxy_address(),
             origin_.url(Scheme::http, "/hello")});
    ASSERT_EQ(shown.status.code, 0) << told_by(shown);
    ASSERT_TRUE(eventually([&] {
      const auto listed = metered_.client(account).get("/api/addresses").json().at("addresses");
      return !listed.at(0).at("confirmed_at").is_null();
    }));
  }
  ProgramCall browse_by_socks5(const std::string& path) const {
    return browse("socks5://" + proxy_address(), certificate_,
                  origin_.url(Scheme::https, path, Host::by_name), {Account{}});
  }
};

TEST_F(ListedAddress, LetsCurlInByEveryWay) {
  list_of(alice_);
  for (const char* kind : {"http", "socks5h"}) {
    for (const auto scheme : {Scheme::http, Scheme::https}) {
      const std::string url = origin_.url(scheme, "/hello", Host::by_name);
      const Finished answer = run({curl_program, "-qsS", "--http1.1", "--cacert", certificate_.path, "-x",
                                   std::string(kind) + "://" + proxy_address(), url});
      EXPECT_EQ(answer.output, "HTTP/1.1 GET /hello\n") << kind << " " << url << ": " << told_by(answer);
    }
  }
}

TEST_F(ListedAddress, LetsChromiumInBySocks5WhichItHasNoCredentialsFor) {
  list_of(alice_);
  const auto pages = pages_in(run(browse_by_socks5("/page")));
  EXPECT_EQ(pages.at(0).title, "loaded 50") << pages.at(0).error;
}

/// All that SOCKS5 has for people is a number, of which Chromium shows the fact.
TEST_F(ListedAddress, WithoutMoneyLetsChromiumSeeThatTheProxyRefuses) {
  const Account penniless = metered_.user("penniless", "");
  list_of(penniless);
  const auto pages = pages_in(run(browse_by_socks5("/page")));
  EXPECT_NE(pages.at(0).error.find("net::ERR_SOCKS_CONNECTION_FAILED"), std::string::npos)
      << pages.at(0).error;
  EXPECT_TRUE(origin_.requests().empty());
}

TEST_F(ListedAddress, LetsChromiumBeCutInADownloadWhenTheMoneyIsSpent) {
  list_of(alice_);
  const Finished told = run_out_of_money(browse_by_socks5("/waiting"), alice_, [this](const auto&) {
    const auto requests = origin_.requests();
    return std::any_of(requests.begin(), requests.end(),
                       [](const auto& request) { return request.url == "/endless"; });
  });
  const SeenPage page = pages_in(told).at(0);
  EXPECT_TRUE(page.title.starts_with("ended: TypeError")) << page.title << page.error;
  EXPECT_EQ(metered_.balance_units(alice_), 0);
}

}  // namespace
}  // namespace payg::test
