// The hostile program with a handful of attackers: each of its attacks is met as it should be, for as little
// as it should cost, and the honest user is served. No timing is looked at.

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/harness/process.h"
#include "tests/support/harness/temp_folder.h"

namespace payg::bench {
namespace {

using Answers = std::set<std::string>;

/// What attackers may be told, by attack. Whoever is told nothing is in none of them.
const std::map<std::string, Answers> allowed{
    {"heads, a byte at a time", {"408"}},
    {"large heads without an end", {"408"}},
    {"bodies, a byte at a time", {}},
    {"SOCKS5, a byte at a time", {"closed"}},
    {"downloads, read slowly", {"200"}},
    {"idle tunnels", {"200"}},
    {"dials to a black hole", {"429", "504"}},
    {"wrong tokens, one address", {"407", "429"}},
    {"wrong tokens, SOCKS5", {"credentials"}},
    {"wrong tokens, many addresses", {"407"}},
    {"empty balances", {"402"}},
    {"new sessions in an outage", {"503"}},
    {"no descriptors left", {"closed"}},
    {"no descriptors left (EMFILE)", {"closed"}},
};

void expect_told_what_they_should_be(const nlohmann::json& row) {
  for (const auto& [answer, count] : row["answers"].items())
    EXPECT_TRUE(allowed.at(row["attack"]).contains(answer)) << row;
  EXPECT_GT(row["connections"], 0) << row;
}

void expect_honest_user_served(const nlohmann::json& row) {
  for (const std::string when : {"before", "during", "after"}) {
    EXPECT_EQ(row["honest"][when]["pings"]["failed"], 0) << row;
    // Descriptors that are taken away from the proxy may be lacking when it dials for those it had let in.
    if (row["attack"] != "no descriptors left (EMFILE)" || when != "during") {
      EXPECT_EQ(row["honest"][when]["opens"]["failed"], 0) << row;
    }
    EXPECT_GT(row["honest"][when]["pings"]["count"], 0) << row;
  }
}

/// A sanitizer keeps 256 MB of what was freed; a proxy that reads more than it can hand on takes gigabytes.
void expect_bounded_memory(const nlohmann::json& row) {
  const double before = row["memory_bytes"]["before"], peak = row["memory_bytes"]["peak"];
  EXPECT_LT(peak, before + 400e6) << row;
}

void expect_few_questions(const nlohmann::json& row) {
  const std::size_t reads = row["standing_reads"], members = row["members"], connections = row["connections"];
  // Until the first of them has found out, each of those who came with him may have asked.
  if (row["attack"] == "new sessions in an outage") {
    EXPECT_LE(reads, members + 1) << row;
  } else if (row["answers"].contains("429")) {
    EXPECT_LT(reads, connections) << row;
  }
}

// One test, because each would be a run of the program.
TEST(Hostile, AttackersGetLittleAndTheHonestUserIsServed) {
  const test::TempFolder folder;
  const std::string file = folder.path() + "/hostile.json";
  const auto finished =
      test::run_program({PAYG_HOSTILE, "--seconds", "0.5", "--scale", "0.02", "--json", file});
  ASSERT_EQ(finished.status, (test::ExitStatus{.code = 0, .signal = 0}))
      << finished.output << finished.errors;
  std::set<std::string> attacks;
  for (const auto& row : nlohmann::json::parse(test::read_file(file))) {
    attacks.insert(row["attack"]);
    expect_told_what_they_should_be(row);
    expect_honest_user_served(row);
    expect_bounded_memory(row);
    expect_few_questions(row);
  }
  EXPECT_EQ(attacks.size(), allowed.size());
}

TEST(Hostile, AWrongOptionIsSaidSo) {
  EXPECT_EQ(test::run_program({PAYG_HOSTILE, "--no-such-option"}).status.code, 2);
}

}  // namespace
}  // namespace payg::bench
