// Chromium, with the proxy in its settings and somebody who has typed his name and token.

#include <algorithm>

#include "tests/foreign/browser.h"
#include "tests/foreign/foreign_world.h"

namespace payg::test {
namespace {

using Scheme = ForeignOrigin::Scheme;

struct Way {
  const char* name;
  const char* proxy;  ///< the scheme of its URL
  Scheme page;
  Door door;
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << way.name;
}

class Browser : public ForeignWorld, public testing::WithParamInterface<Way> {
 protected:
  Browser() : ForeignWorld(GetParam().door) {}

  ProgramCall open(const std::string& path, const std::vector<Account>& people) const {
    return browse(std::string(GetParam().proxy) + "://" + proxy_address(), certificate_,
                  origin_.url(GetParam().page, path, ForeignOrigin::Host::by_name), people);
  }
  bool was_asked_for(const std::string& path) const {
    const auto requests = origin_.requests();
    return std::any_of(requests.begin(), requests.end(),
                       [&](const auto& request) { return request.url == path; });
  }
};

TEST_P(Browser, LoadsAPageWithFiftyResources) {
  const SeenPage page = pages_in(run(open("/page", {alice_}))).at(0);
  EXPECT_EQ(page.status, 200) << page.error;
  EXPECT_EQ(page.title, "loaded 50");
  EXPECT_TRUE(eventually([&] { return metered_.live_sessions(alice_) == 0; }));
  EXPECT_GT(metered_.posted_usage_units(alice_), 0);
}

TEST_P(Browser, ShowsWhatIsRefused) {
  const Account penniless = metered_.user("penniless", "");
  const Account stranger{alice_.name, "wrong-token"};
  const Account nowhere{alice_.name + "-country-zz", alice_.token};
  const auto pages = pages_in(run(open("/page", {penniless, stranger, nowhere})));
  if (GetParam().page == Scheme::http) {
    EXPECT_EQ(pages.at(0).status, 402) << pages.at(0).error;
    EXPECT_NE(pages.at(0).text.find("buy credits"), std::string::npos) << pages.at(0).text;
    EXPECT_EQ(pages.at(1).status, 407) << pages.at(1).error;
    EXPECT_EQ(pages.at(2).status, 503) << pages.at(2).error;
    EXPECT_NE(pages.at(2).text.find("no exit is available at this location"), std::string::npos)
        << pages.at(2).text;
  } else {
    // Nothing that a proxy says of a tunnel is shown to people, lest it is taken for the site's.
    EXPECT_NE(pages.at(0).error.find("net::ERR_TUNNEL_CONNECTION_FAILED"), std::string::npos);
    EXPECT_NE(pages.at(1).error.find("net::ERR_HTTP_RESPONSE_CODE_FAILURE"), std::string::npos);
    EXPECT_NE(pages.at(2).error.find("net::ERR_TUNNEL_CONNECTION_FAILED"), std::string::npos);
  }
  EXPECT_TRUE(origin_.requests().empty());
}

TEST_P(Browser, IsCutInADownloadWhenTheMoneyIsSpent) {
  const Finished told = run_out_of_money(open("/waiting", {alice_}), alice_,
                                         [this](const auto&) { return was_asked_for("/endless"); });
  const SeenPage page = pages_in(told).at(0);
  EXPECT_TRUE(page.title.starts_with("ended: TypeError")) << page.title << page.error;
  EXPECT_EQ(metered_.balance_units(alice_), 0);
}

INSTANTIATE_TEST_SUITE_P(EachWay, Browser,
                         testing::Values(Way{"http_proxy_http_page", "http", Scheme::http, Door::plain},
                                         Way{"http_proxy_https_page", "http", Scheme::https, Door::plain},
                                         Way{"https_proxy_http_page", "https", Scheme::http, Door::tls},
                                         Way{"https_proxy_https_page", "https", Scheme::https, Door::tls}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace payg::test
