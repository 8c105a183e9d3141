#include <gtest/gtest.h>

#include <map>

#include "proxy/exit.h"

namespace payg::proxy {
namespace {

config::ExitConfig exit_at(std::string name, std::string country, std::string city, unsigned weight = 1) {
  config::ExitConfig exit;
  exit.name = std::move(name);
  exit.country = std::move(country);
  exit.city = std::move(city);
  exit.weight = weight;
  return exit;
}

TEST(ExitTable, GivesOnlyWhatStandsWhereItIsWanted) {
  const ExitTable table(
      {exit_at("a", "de", "berlin"), exit_at("b", "de", "bonn"), exit_at("c", "fr", "paris")});
  for (std::uint64_t key = 0; key < 100; ++key) {
    EXPECT_EQ(table.choose({.country = "fr", .state = {}, .city = {}, .isp = {}}, key)->name, "c");
    EXPECT_EQ(table.choose({.country = "de", .state = {}, .city = "bonn", .isp = {}}, key)->name, "b");
  }
}

TEST(ExitTable, HasNothingForAPlaceWithoutExit) {
  const ExitTable table({exit_at("a", "de", "berlin")});
  EXPECT_EQ(table.choose({.country = "us", .state = {}, .city = {}, .isp = {}}, 1), nullptr);
  EXPECT_EQ(table.choose({.country = "de", .state = {}, .city = "bonn", .isp = {}}, 1), nullptr);
}

TEST(ExitTable, GivesTheSameKeyTheSameExit) {
  const ExitTable table({exit_at("a", "de", ""), exit_at("b", "de", ""), exit_at("c", "de", "")});
  for (std::uint64_t key = 0; key < 50; ++key) {
    EXPECT_EQ(table.choose({}, key), table.choose({}, key));
  }
}

TEST(ExitTable, SharesByWeight) {
  const ExitTable table({exit_at("a", "", "", 1), exit_at("b", "", "", 3)});
  std::map<std::string, int> chosen;
  constexpr int keys = 40'000;
  for (std::uint64_t key = 0; key < keys; ++key) ++chosen[table.choose({}, key)->name];
  EXPECT_NEAR(chosen["a"], keys / 4, keys / 50);
  EXPECT_NEAR(chosen["b"], keys * 3 / 4, keys / 50);
}

}  // namespace
}  // namespace payg::proxy
