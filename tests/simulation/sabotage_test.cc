// Each part that is deliberately broken is noticed, by the law that it breaks.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tests/simulation/shrink.h"

namespace payg::simulation {
namespace {

struct Damage {
  Sabotage part;
  /// Those that may notice it first.
  std::vector<Law> laws;
};

void PrintTo(const Damage& damage, std::ostream* out) {
  *out << name_of(damage.part);
}

const std::vector<Damage>& damages() {
  static const std::vector<Damage> all = {
      {Sabotage::charge_again_on_retry, {Law::charged_once}},
      {Sabotage::locks_in_order_asked, {Law::no_deadlock}},
      {Sabotage::clamp_after, {Law::price, Law::books}},
      {Sabotage::below_zero, {Law::never_below_zero}},
      {Sabotage::skip_fence, {Law::nothing_after_end}},
      {Sabotage::sell_to_the_disabled, {Law::nothing_after_end}},
      {Sabotage::forget_end, {Law::one_end, Law::lost_nodes}},
      {Sabotage::end_again, {Law::books}},
      {Sabotage::stale_balance, {Law::price, Law::books}},
      {Sabotage::round_grant_up, {Law::price}},
      {Sabotage::credit_again_on_retry, {Law::credited_once}},
      {Sabotage::forget_purchase, {Law::nothing_lost}},
      {Sabotage::charge_in_any_life, {Law::one_life}},
      {Sabotage::take_from_the_living, {Law::lost_nodes}},
      {Sabotage::limit_on_each_node, {Law::session_limit}},
      {Sabotage::limit_holds_on, {Law::session_limit}},
      {Sabotage::limit_at_the_door, {Law::session_limit}},
      {Sabotage::end_what_was_ended, {Law::one_end}},
      {Sabotage::drop_cut, {Law::cut_in_time, Law::outage, Law::nothing_after_end}},
      {Sabotage::drop_closed, {Law::connected}},
      {Sabotage::restart_without_settling, {Law::one_end}},
      {Sabotage::answer_of_the_last_batch,
       {Law::cut_in_time, Law::increments_follow, Law::no_cut_without_cause, Law::paid_or_kept}},
      {Sabotage::deadline_from_answer, {Law::increments_follow, Law::cut_in_time, Law::connected}},
      {Sabotage::deadline_by_wall_clock,
       {Law::increments_follow, Law::cut_in_time, Law::connected, Law::paid_or_kept}},
      {Sabotage::ignore_grace, {Law::outage}},
      {Sabotage::session_for_each_connection, {Law::one_payer, Law::start}},
      {Sabotage::start_below_minimum, {Law::start}},
      {Sabotage::ignore_resume_window, {Law::start}},
      {Sabotage::write_no_spool, {Law::paid_or_kept}},
      {Sabotage::restart_without_spool, {Law::nothing_lost}},
      {Sabotage::no_renewal_after_reload, {Law::price}},
      {Sabotage::leave_the_lost, {Law::lost_nodes}},
      {Sabotage::lease_without_grace, {Law::lost_nodes}},
  };
  return all;
}

/// The first finding. Most are found in the first world, wherever one begins.
struct Caught {
  Scenario scenario;
  Report report;
};
std::optional<Caught> catch_it(Sabotage part) {
  constexpr std::uint64_t most_worlds = 5;
  for (std::uint64_t seed = 1; seed <= most_worlds; ++seed) {
    const bool needs_crowd = part == Sabotage::locks_in_order_asked;
    const Scenario scenario =
        break_part(needs_crowd ? make_crowd(seed) : make_scenario(seed, Size::small), part);
    Report report = run(scenario);
    if (report.finding) return Caught{scenario, std::move(report)};
  }
  return std::nullopt;
}

class BrokenPart : public testing::TestWithParam<Damage> {};

TEST_P(BrokenPart, IsNoticedByTheLawThatItBreaks) {
  const auto caught = catch_it(GetParam().part);
  ASSERT_TRUE(caught) << "nobody noticed " << name_of(GetParam().part);
  const Finding& finding = *caught->report.finding;
  const auto& laws = GetParam().laws;
  EXPECT_NE(std::find(laws.begin(), laws.end(), finding.law), laws.end())
      << "noticed by " << name_of(finding.law) << ": " << finding.what << "\n"
      << describe(caught->scenario);
  RecordProperty("noticed_by", std::string(name_of(finding.law)));
}

INSTANTIATE_TEST_SUITE_P(Damages, BrokenPart, testing::ValuesIn(damages()),
                         [](const auto& damage) { return std::string(name_of(damage.param.part)); });

TEST(BrokenParts, AreAllTried) {
  EXPECT_EQ(damages().size(), all_sabotages.size());
}

TEST(AFinding, IsShrunkToAShortStoryThatNamesSeedLawAndUser) {
  const auto caught = catch_it(Sabotage::round_grant_up);
  ASSERT_TRUE(caught);
  const Shrunk shrunk = shrink(caught->scenario, caught->report);
  ASSERT_TRUE(shrunk.report.finding);
  EXPECT_EQ(shrunk.report.finding->law, caught->report.finding->law);
  EXPECT_LT(shrunk.scenario.users.size(), caught->scenario.users.size());
  EXPECT_LE(shrunk.scenario.length, caught->scenario.length);
  const std::string text = explain(caught->scenario, shrunk);
  EXPECT_NE(text.find("--seed " + std::to_string(caught->scenario.seed)), std::string::npos) << text;
  EXPECT_NE(text.find(name_of(shrunk.report.finding->law)), std::string::npos) << text;
  EXPECT_NE(text.find("charged, node-1"), std::string::npos) << text;
  // The shrunken scenario is a scenario like any other.
  EXPECT_EQ(run(shrunk.scenario).finding->what, shrunk.report.finding->what);
}

TEST(AFinding, IsToldTheSameWayTwice) {
  const auto caught = catch_it(Sabotage::drop_closed);
  ASSERT_TRUE(caught);
  EXPECT_EQ(explain(caught->scenario, shrink(caught->scenario, caught->report)),
            explain(caught->scenario, shrink(caught->scenario, caught->report)));
}

}  // namespace
}  // namespace payg::simulation
