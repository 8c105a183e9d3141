#include "tests/simulation/shrink.h"

#include <algorithm>

#include "tests/simulation/scheduler.h"

namespace payg::simulation {
namespace {

using namespace std::chrono_literals;

class Shrinker {
 public:
  Shrinker(const Scenario& scenario, const Report& report)
      : best_(scenario), report_(report), law_(report.finding->law) {}

  Shrunk shrink() && {
    cut_time();
    keep_one_user();
    halve_users();
    drop_faults();
    drop_nodes();
    halve_users();
    report_ = run(best_, Journal::Keep::everything);
    return {best_, report_};
  }

 private:
  /// True: it still fails, and is what we go on from.
  bool try_out(const Scenario& smaller) {
    if (runs_ >= most_runs) return false;
    ++runs_;
    const Report report = run(smaller);
    if (!report.finding || report.finding->law != law_) return false;
    best_ = smaller;
    report_ = report;
    cut_time();
    return true;
  }

  /// Nothing after the finding has led to it. What is only seen at the end needs the end.
  void cut_time() {
    const auto length =
        std::chrono::ceil<std::chrono::minutes>(report_.finding->at - Scheduler::start) + 1min;
    if (length < best_.length) best_.length = length;
  }

  void keep_one_user() {
    const UserId culprit = report_.finding->user;
    if (!culprit || best_.users.size() == 1) return;
    Scenario smaller = best_;
    smaller.users = {culprit};
    try_out(smaller);
  }

  /// Drops ever smaller portions of the users.
  void halve_users() {
    for (std::size_t portion = best_.users.size() / 2; portion > 0; portion /= 2) {
      for (std::size_t begin = 0; begin < best_.users.size() && best_.users.size() > 1;) {
        Scenario smaller = best_;
        const auto end = std::min(begin + portion, smaller.users.size());
        smaller.users.erase(smaller.users.begin() + static_cast<std::ptrdiff_t>(begin),
                            smaller.users.begin() + static_cast<std::ptrdiff_t>(end));
        if (smaller.users.empty() || !try_out(smaller)) begin += portion;
      }
    }
  }

  void drop_faults() {
    for (const Fault fault : all_faults) {
      if (!best_.faults.has(fault)) continue;
      Scenario smaller = best_;
      smaller.faults.remove(fault);
      try_out(smaller);
    }
  }

  void drop_nodes() {
    while (best_.nodes > 1) {
      Scenario smaller = best_;
      --smaller.nodes;
      if (!try_out(smaller)) return;
    }
  }

  static constexpr int most_runs = 300;

  Scenario best_;
  Report report_;
  const Law law_;
  int runs_ = 0;
};

}  // namespace

Shrunk shrink(const Scenario& scenario, const Report& report) {
  return Shrinker(scenario, report).shrink();
}

std::string explain(const Scenario& original, const Shrunk& shrunk) {
  const Finding& finding = *shrunk.report.finding;
  std::string text = "BROKEN: " + std::string(name_of(finding.law)) + "\n  in " + describe(original) +
                     "\n  again: scripts/simulate --seed " + std::to_string(original.seed) +
                     "\n  shrunk to " + describe(shrunk.scenario) + "\n  at " + show_time(finding.at);
  if (finding.user) text += ", user " + std::to_string(finding.user.value);
  if (finding.session) text += ", session " + billing::to_string(finding.session);
  return text + ": " + finding.what + "\nwhat led to it:\n" + shrunk.report.story;
}

}  // namespace payg::simulation
