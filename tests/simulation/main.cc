#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>

#include "tests/simulation/shrink.h"

namespace payg::simulation {
namespace {

struct Options {
  std::uint64_t seed = 1;
  std::uint64_t runs = 1;
  double days = 0;
  std::string duration;
  std::string broken = "none";
  bool is_small = false;
};

using RealClock = std::chrono::steady_clock;

Sabotage parse_sabotage(const std::string& name) {
  for (const Sabotage one : all_sabotages)
    if (name_of(one) == name) return one;
  return Sabotage::none;
}

int fail(const Scenario& scenario, const Report& report) {
  std::cout << "seed " << scenario.seed << " breaks a law: " << name_of(report.finding->law) << ": "
            << report.finding->what << "\nlooking for the shortest way there…" << std::endl;
  std::cout << explain(scenario, shrink(scenario, report));
  return 1;
}

/// Seed after seed, until what was asked for is reached.
int simulate(const Options& options, std::chrono::duration<double> limit) {
  const auto begin = RealClock::now();
  const auto is_enough = [&](std::uint64_t runs, double days) {
    if (limit.count() > 0) return RealClock::now() - begin >= limit;
    return options.days > 0 ? days >= options.days : runs >= options.runs;
  };
  double days = 0;
  for (std::uint64_t run_count = 0; !is_enough(run_count, days); ++run_count) {
    const Size size = options.is_small ? Size::small : Size::full;
    const Scenario scenario =
        break_part(make_scenario(options.seed + run_count, size), parse_sabotage(options.broken));
    std::cout << describe(scenario) << std::endl;
    const Report report = run(scenario);
    if (report.finding) return fail(scenario, report);
    days += session_days(report.granted);
    const std::chrono::duration<double> took = RealClock::now() - begin;
    std::cout << "  held: " << session_days(report.granted) << " session-days, " << report.sessions
              << " sessions, " << report.charges << " charges, " << report.steps << " steps, digest "
              << std::hex << report.digest << std::dec << "; " << days << " session-days in " << took.count()
              << " s" << std::endl;
  }
  return 0;
}

int main(int argc, char** argv) {
  Options options;
  double limit_s = 0;
  CLI::App app{
      "Simulates nodes, users, faults and a ledger around the real meters, from a seed; exits 1 when a law "
      "is "
      "broken, with the shortest log that explains it."};
  app.add_option("--seed", options.seed, "where to begin (1)");
  app.add_option("--runs", options.runs, "how many seeds (1)");
  app.add_option("--days", options.days, "… or until so many session-days have gone by");
  app.add_option("--for", limit_s, "… or for so long: 90s, 30m, 1h")
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, double>{{"s", 1}, {"m", 60}, {"h", 3600}}));
  app.add_flag("--small", options.is_small, "small worlds: tens of users for a day");
  app.add_option("--broken", options.broken,
                 "with one part deliberately broken; see tests/simulation/README.md");
  CLI11_PARSE(app, argc, argv);
  return simulate(options, std::chrono::duration<double>(limit_s));
}

}  // namespace
}  // namespace payg::simulation

int main(int argc, char** argv) {
  return payg::simulation::main(argc, argv);
}
