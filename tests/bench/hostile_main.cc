// payg_hostile: see --help. Exit codes: 0 the honest user was served and the books are right, 1 not so, 2 it
// could not run.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <optional>

#include "tests/bench/hostile_attacks.h"
#include "tests/bench/hostile_honest.h"
#include "tests/bench/hostile_report.h"
#include "tests/bench/origin.h"
#include "tests/bench/usage.h"
#include "tests/support/harness/patience.h"
#include "tests/support/postgres_server.h"

namespace payg::bench {
namespace {

using Time = std::chrono::steady_clock::time_point;

struct HostileOptions {
  double seconds = 5;
  double scale = 1;
  std::string only;
  std::string json_file;
};

HostileOptions read_options(int argc, char** argv) {
  HostileOptions options;
  CLI::App app{
      "Attacks payg-proxy in all the ways it knows of, each time a proxy of its own, and shows what that "
      "costs "
      "the proxy and a user who only wants to work. The attackers, the targets and that user share this "
      "machine with the proxy."};
  app.add_flag_callback(
         "--quick",
         [&] {
           options.seconds = 1;
           options.scale = 0.2;
         },
         "a second each, a fifth of the attackers")
      ->trigger_on_parse();
  app.add_option("--seconds", options.seconds, "how long each attack goes on (5)")
      ->check(CLI::PositiveNumber);
  app.add_option("--scale", options.scale, "share of the attackers (1)")->check(CLI::Range(0.0, 1.0));
  app.add_option("--only", options.only, "attacks that have this in their names");
  app.add_option("--json", options.json_file, "also write the results to this file");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  return options;
}

const char* name_of(HostileLedger ledger) {
  switch (ledger) {
    case HostileLedger::sqlite: return "SQLite";
    case HostileLedger::postgres: return "Postgres";
    case HostileLedger::postgres_stopped: return "stopped";
  }
  return "";
}

/// Time of a process between two looks, as a share of one core.
class CpuWatch {
 public:
  explicit CpuWatch(pid_t pid) : pid_(pid) { look(); }
  double look() {
    const Usage usage = usage_of(pid_);
    const Time now = std::chrono::steady_clock::now();
    const std::chrono::duration<double> used = usage.user + usage.system - used_, passed = now - at_;
    used_ = usage.user + usage.system;
    at_ = now;
    return used / passed;
  }

 private:
  const pid_t pid_;
  std::chrono::microseconds used_{0};
  Time at_{};
};

/// Takes descriptors away from a process that runs: it had counted on them.
class OpenFiles {
 public:
  OpenFiles(pid_t pid, std::optional<rlim_t> meanwhile) : pid_(pid) {
    prlimit(pid_, RLIMIT_NOFILE, nullptr, &before_);
    if (meanwhile) set({.rlim_cur = *meanwhile, .rlim_max = before_.rlim_max});
  }
  ~OpenFiles() { set(before_); }
  OpenFiles(const OpenFiles&) = delete;
  OpenFiles& operator=(const OpenFiles&) = delete;

 private:
  void set(const rlimit& limit) const { prlimit(pid_, RLIMIT_NOFILE, &limit, nullptr); }

  const pid_t pid_;
  rlimit before_{};
};

class Hostilities {
 public:
  explicit Hostilities(const HostileOptions& options) : options_(options) {}

  std::vector<HostileRow> run() {
    std::vector<HostileRow> rows;
    for (const Attack& attack : all_attacks()) {
      if (attack.name.find(options_.only) == std::string::npos) continue;
      rows.push_back(suffer(attack));
      std::fprintf(stderr, "%s, %s: done\n", rows.back().attack.c_str(), rows.back().ledger.c_str());
    }
    return rows;
  }

 private:
  std::chrono::milliseconds share(double of_the_attack) const {
    return std::chrono::milliseconds(static_cast<std::int64_t>(1000 * of_the_attack * options_.seconds));
  }

  test::PostgresServer& postgres() {
    if (!postgres_) postgres_.emplace();
    return *postgres_;
  }

  test::ProxyLaunch launch(const Attack& attack, const std::string& ledger) const {
    test::ProxyLaunch launch;
    launch.settings.workers = 0;
    launch.settings.proxy_lines = attack.proxy_lines;
    launch.settings.billing = test::BillingSettings{.ledger = ledger};
    launch.open_files = attack.open_files;
    launch.admin = test::HasAdmin::yes;
    return launch;
  }

  HostileRow suffer(const Attack& attack) {
    std::optional<test::PostgresDatabase> database;
    if (attack.ledger != HostileLedger::sqlite) database.emplace(postgres().url());
    test::ProxyProcess proxy(launch(attack, database ? database->url() : std::string()));
    const Scene scene{.proxy = proxy,
                      .origin = origin_.address(),
                      .sink = local_address(sink_.get()).value(),
                      .black_hole = black_hole_.address()};
    const std::size_t members = std::max(
        attack.least_members, static_cast<std::size_t>(options_.scale * static_cast<double>(attack.members)));
    HostileRow row{.attack = attack.name, .ledger = name_of(attack.ledger), .members = members};
    const Habit habit = attack.prepare(scene, members);
    HonestUser honest(route_of_honest(scene));
    watch_peace(proxy, honest, row);
    watch_attack(attack, proxy, habit, honest, row);
    return row;
  }

  static Route route_of_honest(const Scene& scene) {
    const auto as_operator = scene.proxy.operator_client();
    Route route{.name = "honest",
                .proxy = scene.proxy.address(),
                .origin = scene.origin,
                .user = "honest",
                .password = {}};
    route.password = as_operator.create_user(route.user);
    as_operator.add_credits(route.user, "1000");
    return route;
  }

  void watch_peace(test::ProxyProcess& proxy, HonestUser& honest, HostileRow& row) const {
    std::this_thread::sleep_for(share(0.1));  // while pools and caches grow
    honest.take();
    CpuWatch cpu(proxy.process().pid());
    std::this_thread::sleep_for(share(0.4));
    row.cpu_before = cpu.look();
    row.memory_before_bytes = memory_bytes_of(proxy.process().pid());
    row.before = honest.take();
  }

  void watch_attack(const Attack& attack, test::ProxyProcess& proxy, const Habit& habit, HonestUser& honest,
                    HostileRow& row) {
    const auto metrics = proxy.operator_client();
    const double reads = metrics.metric("payg_standing_reads_total");
    if (attack.ledger == HostileLedger::postgres_stopped) postgres().stop_immediately();
    const OpenFiles fewer(proxy.process().pid(), attack.open_files_meanwhile);
    CpuWatch cpu(proxy.process().pid());
    Crowd crowd(proxy.address(), habit);
    row.memory_peak_bytes = peak_memory(proxy.process().pid());
    row.cpu_during = cpu.look();
    row.fate = crowd.stop();
    row.during = honest.take();
    if (attack.ledger == HostileLedger::postgres_stopped) postgres().start();
    if (!test::eventually([&] { return metrics.metric("payg_proxy_connections") < 8; }))
      ADD_FAILURE() << attack.name << ": connections are left";
    row.standing_reads = static_cast<std::uint64_t>(metrics.metric("payg_standing_reads_total") - reads);
    row.memory_after_bytes = memory_bytes_of(proxy.process().pid());
    std::this_thread::sleep_for(share(0.2));
    row.after = honest.take();
  }

  /// Looks on for as long as the attack goes on.
  std::uint64_t peak_memory(pid_t proxy) const {
    const Time over = std::chrono::steady_clock::now() + share(1);
    std::uint64_t most = 0;
    do {
      most = std::max(most, memory_bytes_of(proxy));
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    } while (std::chrono::steady_clock::now() < over);
    return most;
  }

  const HostileOptions& options_;
  Origin origin_;
  const UniqueFd sink_ = test::listen_on(test::parse_address("127.0.0.1:0"), 4096);
  const test::BlackHole black_hole_{test::parse_address("127.0.0.1:0")};
  std::optional<test::PostgresServer> postgres_;
};

/// Every tunnel is two descriptors in the proxy, which inherits the limit.
void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// His tunnel stood all the time, and when it was over he could make new ones again.
bool was_served(const HostileRow& row) {
  return row.before.failed_pings + row.during.failed_pings + row.after.failed_pings == 0 &&
         row.after.failed_opens == 0 && !row.during.pings.empty() && !row.after.opens.empty();
}

int run(int argc, char** argv) {
  const HostileOptions options = read_options(argc, argv);
  raise_descriptor_limit();
  const auto rows = Hostilities(options).run();
  std::fputs(to_text(rows).c_str(), stdout);
  if (!options.json_file.empty() && !(std::ofstream(options.json_file) << to_json(rows)))
    throw std::runtime_error("cannot write " + options.json_file);
  const bool is_sound = std::all_of(rows.begin(), rows.end(), was_served);
  // The harness reports a proxy that crashed, or books that are wrong, as a test would.
  return is_sound && !testing::UnitTest::GetInstance()->Failed() ? 0 : 1;
}

}  // namespace
}  // namespace payg::bench

int main(int argc, char** argv) {
  try {
    return payg::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "payg_hostile: %s\n", error.what());
    return 2;
  }
}
