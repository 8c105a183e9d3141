// The benchmark program with a tiny load: everything that it asks for is done and counted, nothing fails. No
// timing is looked at.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/harness/process.h"
#include "tests/support/harness/temp_folder.h"

namespace payg::bench {
namespace {

TEST(Bench, DoesExactlyWhatIsAskedWithoutAnError) {
  const test::TempFolder folder;
  const std::string file = folder.path() + "/bench.json";
  const auto finished = test::run_program({PAYG_BENCH, "--operations", "40", "--flows", "4", "--bulk-flows",
                                           "2", "--bulk-bytes", "300000", "--idle-tunnels", "10",
                                           "--cut-sessions", "3", "--audit-users", "100", "--json", file});
  ASSERT_EQ(finished.status, (test::ExitStatus{.code = 0, .signal = 0}))
      << finished.output << finished.errors;

  const auto report = nlohmann::json::parse(test::read_file(file));
  std::multiset<std::string> routes;
  for (const auto& row : report["rows"]) {
    EXPECT_EQ(row["operations"], 40) << row;
    EXPECT_EQ(row["errors"], 0) << row;
    routes.insert(row["route"]);
  }
  EXPECT_EQ(routes.count("direct"), 5U);
  EXPECT_EQ(routes.count("proxy"), 7U);
  EXPECT_EQ(routes.count("proxy+tls"), 2U);
  EXPECT_EQ(routes.count("proxy+billing"), 7U);
  ASSERT_EQ(report["idle"].size(), 3U);
  for (const auto& row : report["idle"]) EXPECT_EQ(row["tunnels"], 10) << row;
  EXPECT_EQ(report["cut"]["sessions"], 3);
  EXPECT_EQ(report["cut"]["errors"], 0);
  ASSERT_EQ(report["audit"].size(), 2U);
  for (const auto& audit : report["audit"]) {
    EXPECT_EQ(audit["users"], 100) << audit;
    EXPECT_EQ(audit["transactions"], 1000) << audit;
    EXPECT_EQ(audit["sessions"], 200) << audit;
    EXPECT_EQ(audit["orders"], 100) << audit;
    EXPECT_EQ(audit["found"], 0) << audit;
  }
}

TEST(Bench, AProxyThatIsNotThereIsManyErrorsAndNoHang) {
  const auto finished = test::run_program({PAYG_BENCH, "--operations", "5", "--flows", "1", "--bulk-flows",
                                           "1", "--bulk-bytes", "1000", "--proxy", "127.0.0.1:1"});
  EXPECT_EQ(finished.status.code, 1) << finished.output << finished.errors;
}

TEST(Bench, AWrongOptionIsSaidSo) {
  EXPECT_EQ(test::run_program({PAYG_BENCH, "--no-such-option"}).status.code, 2);
}

}  // namespace
}  // namespace payg::bench
