// Chromium, with the proxy in its settings and somebody who has typed his name and token.

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/foreign/foreign_world.h"

namespace payg::test {
namespace {

using Scheme = ForeignOrigin::Scheme;

struct Way {
  const char* name;
  const char* proxy;  ///< the scheme of its URL
  Scheme page;
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << way.name;
}

/// What a person sees who opens a page.
struct Seen {
  int status = 0;
  std::string title;
  std::string text;
  std::string error;
};

class Browser : public ForeignWorld, public testing::WithParamInterface<Way> {
 protected:
  /// What each of them sees, in one browser.
  std::vector<Seen> browse(const std::string& path, const std::vector<Account>& people) const {
    std::vector<std::string> arguments{node_program, source_file("tests/foreign/clients/browse.js"),
                                       std::string(GetParam().proxy) + "://" + proxy_address(),
                                       certificate_.path,
                                       origin_.url(GetParam().page, path, ForeignOrigin::Host::by_name)};
    for (const auto& person : people) arguments.push_back(credentials(person));
    const Finished told = run(ProgramCall{
        .arguments = arguments, .environment = {node_path()}, .working_folder = {}, .open_files = {}});
    if (told.status.code != 0) throw HarnessError("Chromium: " + told_by(told));
    std::istringstream lines(told.output);
    std::vector<Seen> all;
    for (std::string line; std::getline(lines, line);) {
      const auto seen = nlohmann::json::parse(line);
      all.push_back({.status = seen.value("status", 0),
                     .title = seen.value("title", ""),
                     .text = seen.value("text", ""),
                     .error = seen.value("error", "")});
    }
    return all;
  }
};

TEST_P(Browser, LoadsAPageWithFiftyResources) {
  const Seen page = browse("/page", {alice_}).at(0);
  EXPECT_EQ(page.status, 200) << page.error;
  EXPECT_EQ(page.title, "loaded 50");
  EXPECT_TRUE(eventually([&] { return metered_.live_sessions(alice_) == 0; }));
  EXPECT_GT(metered_.posted_usage_units(alice_), 0);
}

TEST_P(Browser, ShowsWhatIsRefused) {
  const auto pages = browse("/page", {metered_.user("penniless", ""), Account{alice_.name, "wrong-token"}});
  if (GetParam().page == Scheme::http) {
    EXPECT_EQ(pages.at(0).status, 402) << pages.at(0).error;
    EXPECT_NE(pages.at(0).text.find("buy credits"), std::string::npos) << pages.at(0).text;
    EXPECT_EQ(pages.at(1).status, 407) << pages.at(1).error;
  } else {
    // Nothing that a proxy says of a tunnel is shown to people, lest it is taken for the site's.
    EXPECT_NE(pages.at(0).error.find("net::ERR_TUNNEL_CONNECTION_FAILED"), std::string::npos)
        << pages.at(0).error;
    EXPECT_NE(pages.at(1).error.find("net::ERR_"), std::string::npos) << pages.at(1).error;
  }
  EXPECT_TRUE(origin_.requests().empty());
}

TEST_P(Browser, IsCutInADownloadWhenTheMoneyIsSpent) {
  const Account bob = metered_.user("bob", "0.0015");
  const Seen page = browse("/waiting", {bob}).at(0);
  EXPECT_TRUE(page.title.starts_with("ended: TypeError")) << page.title << page.error;
  EXPECT_EQ(metered_.balance_units(bob), 0);
}

INSTANTIATE_TEST_SUITE_P(EachWay, Browser,
                         testing::Values(Way{"http_proxy_http_page", "http", Scheme::http},
                                         Way{"http_proxy_https_page", "http", Scheme::https}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace payg::test
