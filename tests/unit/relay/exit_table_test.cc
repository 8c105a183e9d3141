#include "proxy/exit_table.h"

#include <gtest/gtest.h>

#include <map>

namespace payg::proxy {
namespace {

using Configs = std::vector<config::ExitConfig>;

config::ExitConfig exit_at(std::string name, std::string country = {}, std::string city = {},
                           unsigned weight = 1) {
  config::ExitConfig exit;
  exit.name = std::move(name);
  exit.country = std::move(country);
  exit.city = std::move(city);
  exit.weight = weight;
  return exit;
}

config::ExitConfig parent(std::string name) {
  config::ExitConfig exit = exit_at(std::move(name));
  exit.kind = config::ExitKind::http;
  exit.address = "parent.example:3128";
  return exit;
}

Configs many(int count) {
  Configs exits;
  for (int i = 0; i < count; ++i) exits.push_back(exit_at("exit-" + std::to_string(i)));
  return exits;
}

/// One failure is enough.
const config::ExitHealthConfig strict{.failures = 1};

ExitTable table_of(const Configs& exits) {
  return ExitTable(exits, strict);
}

std::string name_at(const ExitTable& table, std::uint64_t key, const plugin::Location& wanted = {},
                    ExitUse use = ExitUse::tcp) {
  const auto exit = table.choose(wanted, key, use);
  return exit == nullptr ? "(none)" : exit->name();
}

void fail(const ExitTable& table, const std::string& name) {
  for (const auto& exit : table.exits())
    if (exit->name() == name) table.note_failure(*exit, ExitHealth::Source::traffic, "a test says so", {});
}

void mend(const ExitTable& table, const std::string& name) {
  for (const auto& exit : table.exits())
    if (exit->name() == name) table.note_success(*exit, ExitHealth::Evidence::whole);
}

/// What each of `keys` keys gets.
std::vector<std::string> choices(const ExitTable& table, std::uint64_t keys) {
  std::vector<std::string> names;
  for (std::uint64_t key = 0; key < keys; ++key) names.push_back(name_at(table, key));
  return names;
}

std::size_t differences(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) count += a[i] != b[i];
  return count;
}

plugin::Location in(std::string country, std::string city = {}) {
  return {.country = std::move(country), .state = {}, .city = std::move(city), .isp = {}};
}

TEST(ExitTable, GivesOnlyWhatStandsWhereItIsWanted) {
  const auto table =
      table_of({exit_at("a", "de", "berlin"), exit_at("b", "de", "bonn"), exit_at("c", "fr", "paris")});
  for (std::uint64_t key = 0; key < 100; ++key) {
    EXPECT_EQ(name_at(table, key, in("fr")), "c");
    EXPECT_EQ(name_at(table, key, in("de", "bonn")), "b");
    EXPECT_NE(name_at(table, key, in("de")), "c");
  }
}

TEST(ExitTable, FindsAPlaceByAnyOfItsFieldsAndWhateverItsCase) {
  config::ExitConfig exit = exit_at("a", "de", "berlin");
  exit.state = "be";
  exit.isp = "example_net";
  const auto table = table_of({exit});
  EXPECT_EQ(name_at(table, 1, {.country = {}, .state = {}, .city = {}, .isp = "example_net"}), "a");
  EXPECT_EQ(name_at(table, 1, {.country = {}, .state = "be", .city = "berlin", .isp = {}}), "a");
  EXPECT_EQ(name_at(table, 1, in("DE", "Berlin")), "a");
  EXPECT_EQ(name_at(table, 1, {.country = "be", .state = "de", .city = {}, .isp = {}}), "(none)")
      << "each field for itself";
}

TEST(ExitTable, HasNothingForAPlaceWithoutExit) {
  const auto table = table_of({exit_at("a", "de", "berlin")});
  EXPECT_EQ(name_at(table, 1, in("us")), "(none)");
  EXPECT_EQ(name_at(table, 1, in("de", "bonn")), "(none)");
}

TEST(ExitTable, GivesTheSameKeyTheSameExitWhateverTheOrderOfTheFile) {
  const Configs exits = many(50);
  const Configs reversed(exits.rbegin(), exits.rend());
  EXPECT_EQ(choices(table_of(exits), 500), choices(table_of(reversed), 500));
}

TEST(ExitTable, SharesByWeight) {
  const auto table = table_of({exit_at("a", "", "", 1), exit_at("b", "", "", 3)});
  std::map<std::string, int> chosen;
  constexpr int keys = 40'000;
  for (std::uint64_t key = 0; key < keys; ++key) ++chosen[name_at(table, key)];
  EXPECT_NEAR(chosen["a"], keys / 4, keys / 50);
  EXPECT_NEAR(chosen["b"], keys * 3 / 4, keys / 50);
}

TEST(ExitTable, SharesByWeightAmongThousandsToo) {
  Configs exits = many(2000);
  for (std::size_t i = 0; i < exits.size(); i += 2) exits[i].weight = 3;
  const auto table = table_of(exits);
  std::map<std::string, int> chosen;
  constexpr int keys = 40'000;
  for (std::uint64_t key = 0; key < keys; ++key) ++chosen[name_at(table, key)];
  int heavy = 0;
  for (std::size_t i = 0; i < exits.size(); i += 2) heavy += chosen[exits[i].name];
  EXPECT_NEAR(heavy, keys * 3 / 4, keys / 50);
  int most = 0;
  for (const auto& [name, count] : chosen) most = std::max(most, count);
  EXPECT_LT(most, 80) << "30 are to be expected of the heavy ones";
}

TEST(ExitTable, MovesOnlyTheKeysOfAnExitThatIsDownAndTheyComeBack) {
  const auto table = table_of(many(20));
  const auto before = choices(table, 2000);
  const std::string failing = before[0];
  fail(table, failing);
  const auto during = choices(table, 2000);
  std::map<std::string, int> moved_to;
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_NE(during[i], failing);
    if (before[i] == failing) {
      ++moved_to[during[i]];
    } else {
      EXPECT_EQ(during[i], before[i]);
    }
  }
  EXPECT_GT(moved_to.size(), 10u) << "its load goes to all others, not to one";
  mend(table, failing);
  EXPECT_EQ(choices(table, 2000), before);
}

TEST(ExitTable, FindsTheOneThatIsUpAmongThousandsThatAreDown) {
  const auto table = table_of(many(1000));
  for (const auto& exit : table.exits())
    if (exit->name() != "exit-7") fail(table, exit->name());
  for (std::uint64_t key = 0; key < 20; ++key) EXPECT_EQ(name_at(table, key), "exit-7");
  fail(table, "exit-7");
  EXPECT_EQ(name_at(table, 1), "(none)");
}

TEST(ExitTable, MovesFewKeysWhenAnExitIsAdded) {
  constexpr std::uint64_t keys = 20'000;
  const auto fewer = choices(table_of(many(10)), keys);
  const auto more = choices(table_of(many(11)), keys);
  EXPECT_LT(differences(fewer, more), keys * 2 / 11) << "one in eleven is what it has to be at least";
  std::size_t to_others = 0;
  for (std::size_t i = 0; i < keys; ++i) to_others += fewer[i] != more[i] && more[i] != "exit-10";
  EXPECT_EQ(to_others, 0U) << "those that stay where they were keep all of their keys but the new one's";
  const auto thousand = choices(table_of(many(1000)), keys);
  const auto one_more = choices(table_of(many(1001)), keys);
  EXPECT_LT(differences(thousand, one_more), keys * 4 / 1000);
}

TEST(ExitTable, GivesAnotherOneThanThoseThatWereTried) {
  const auto table = table_of(many(3));
  std::vector<ExitRef> tried;
  for (int i = 0; i < 3; ++i) {
    tried.push_back(table.choose({}, 42, ExitUse::tcp, tried));
    ASSERT_NE(tried.back(), nullptr);
  }
  EXPECT_NE(tried[0], tried[1]);
  EXPECT_NE(tried[1], tried[2]);
  EXPECT_NE(tried[0], tried[2]);
  EXPECT_EQ(table.choose({}, 42, ExitUse::tcp, tried), nullptr);
}

TEST(ExitTable, SendsDatagramsByDirectExitsOnly) {
  const auto table = table_of({parent("a"), parent("b"), exit_at("c")});
  for (std::uint64_t key = 0; key < 100; ++key) EXPECT_EQ(name_at(table, key, {}, ExitUse::udp), "c");
  EXPECT_EQ(name_at(table_of({parent("a")}), 1, {}, ExitUse::udp), "(none)");
}

TEST(ExitTable, KeepsAnExitThatStaysAsItIsWithItsHealth) {
  const Configs before{exit_at("stays"), exit_at("moves", "de"), exit_at("goes")};
  const Configs after{exit_at("new"), exit_at("moves", "fr"), exit_at("stays")};
  const auto old_table = table_of(before);
  fail(old_table, "stays");
  fail(old_table, "moves");
  const ExitTable table(after, strict, &old_table);
  EXPECT_EQ(table.exits()[2], old_table.exits()[0]);
  EXPECT_FALSE(table.exits()[2]->health().is_up());
  EXPECT_NE(table.exits()[1], old_table.exits()[1]);
  EXPECT_TRUE(table.exits()[1]->health().is_up()) << "another exit by the same name";
}

TEST(ExitTable, ReportsEachExitAsItIs) {
  const auto table = table_of({exit_at("a", "de"), parent("b")});
  fail(table, "b");
  const auto reports = table.reports();
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].kind, "direct");
  EXPECT_EQ(reports[0].location.country, "de");
  EXPECT_EQ(reports[0].state, plugin::ExitState::up);
  EXPECT_EQ(reports[1].kind, "http");
  EXPECT_EQ(reports[1].state, plugin::ExitState::down);
  EXPECT_EQ(reports[1].why_down, "a test says so");
}

}  // namespace
}  // namespace payg::proxy
