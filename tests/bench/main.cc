// payg_bench: see --help. Exit codes: 0 all operations succeeded, 1 some failed, 2 it could not run.

#include <sys/resource.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <stdexcept>

#include "tests/bench/audit.h"
#include "tests/bench/cut.h"
#include "tests/bench/idle.h"
#include "tests/bench/options.h"
#include "tests/bench/origin.h"
#include "tests/bench/report.h"
#include "tests/bench/tls.h"
#include "tests/support/harness/proxy_process.h"

namespace payg::bench {
namespace {

using test::AdminClient;
using test::BillingSettings;
using test::ProxyProcess;
using test::ProxySettings;

ProxySettings roomy_settings() {
  ProxySettings settings;
  settings.workers = 0;
  settings.proxy_lines = {"max_connections_per_user = 100000"};
  return settings;
}

ProxySettings billing_settings(const std::string& increment) {
  ProxySettings settings = roomy_settings();
  settings.billing = BillingSettings{.ledger = {}, .increment = increment};
  return settings;
}

class Bench {
 public:
  explicit Bench(const Options& options) : options_(options) {}

  Report run() {
    run_scripts(direct(), 0);
    if (!options_.proxy.empty()) {
      measure_running_proxy();
    } else {
      measure_plain();
      measure_tls();
      measure_billing();
      if (options_.cut_sessions > 0) measure_cut_latency();
      if (options_.audit_users > 0) measure_audits();
    }
    return std::move(report_);
  }

 private:
  Route direct() const {
    return {.name = "direct", .proxy = {}, .origin = origin_.address(), .user = {}, .password = {}};
  }
  Route through(const char* name, const SocketAddress& proxy) const {
    return {.name = name, .proxy = proxy, .origin = origin_.address(), .user = {}, .password = {}};
  }

  void measure_running_proxy() {
    const auto address = SocketAddress::parse(options_.proxy);
    if (!address) throw std::runtime_error("--proxy: expected ADDRESS:PORT, got " + options_.proxy);
    Route route = through("proxy", *address);
    route.user = options_.user;
    route.password = options_.password;
    measure(route, options_.proxy_pid);
  }

  void measure_plain() {
    ProxyProcess proxy(roomy_settings());
    measure(through("proxy", proxy.address()), proxy.process().pid());
  }

  void measure_tls() {
    ProxySettings settings = roomy_settings();
    settings.transport = test::Transport::tls;
    ProxyProcess proxy(settings);
    const Route route = through("proxy+tls", proxy.address());
    const pid_t pid = proxy.process().pid();
    constexpr std::size_t handshakes = 1000, downloads = 20;
    count_usage("handshake", route, pid, 0,
                [&] { return shake_hands(route, options_.operations.value_or(handshakes)); });
    count_usage("bulk", route, pid, options_.bulk_bytes, [&] {
      return move_bulk_by_tls(route, options_.operations.value_or(downloads), options_.bulk_bytes);
    });
    report_.idle.push_back({route.name, measure_idle_by_tls(route, pid, options_.idle_tunnels)});
  }

  void count_usage(const char* name, const Route& route, pid_t proxy, std::size_t bytes,
                   const std::function<LoadResult()>& load) {
    const Usage before = usage_of(proxy);
    LoadResult result = load();
    const Script script{.name = name, .entry = route.entry(), .greet = {}, .work = {}};
    report_.rows.push_back(make_row(script, route, std::move(result), bytes, before, usage_of(proxy)));
    std::fprintf(stderr, "%s, %s: done\n", name, route.name.c_str());
  }

  void measure_billing() {
    ProxyProcess proxy(billing_settings("1m"));
    Route route = through("proxy+billing", proxy.address());
    route.user = "bench";
    route.password = customer(proxy, route.user, "1000").token;
    measure(route, proxy.process().pid());
  }

  void measure_cut_latency() {
    ProxyProcess proxy(billing_settings("1s"));
    std::vector<ShortOfMoney> users;
    for (std::size_t i = 0; i < options_.cut_sessions; ++i)
      users.push_back(customer(proxy, "short" + std::to_string(i), "0.002"));
    // At 3.6 credits an hour 0.002 credits are two increments of one second.
    report_.cuts = measure_cuts(through("proxy+billing", proxy.address()), users, std::chrono::seconds(2));
  }

  void measure_audits() {
    for (const auto engine : {test::Engine::sqlite, test::Engine::postgres})
      report_.audits.push_back(measure_audit(engine, options_.audit_users));
  }

  static ShortOfMoney customer(const ProxyProcess& proxy, const std::string& name,
                               const std::string& credits) {
    const AdminClient as_operator = proxy.operator_client();
    ShortOfMoney user{name, as_operator.create_user(name)};
    as_operator.add_credits(name, credits);
    return user;
  }

  void measure(const Route& route, pid_t proxy) {
    run_scripts(route, proxy);
    if (proxy != 0 && options_.idle_tunnels > 0)
      report_.idle.push_back({route.name, measure_idle(route, proxy, options_.idle_tunnels)});
  }

  void run_scripts(const Route& route, pid_t proxy) {
    run_script(open_tunnels(route, Handshake::connect), route, proxy);
    if (route.proxy) run_script(open_tunnels(route, Handshake::socks5), route, proxy);
    run_script(ping_pong(route, Handshake::connect), route, proxy);
    if (route.proxy) run_script(ping_pong(route, Handshake::socks5), route, proxy);
    run_script(open_request_close(route), route, proxy);
    run_script(forward_requests(route), route, proxy);
    run_bulk(route, proxy);
  }

  void run_script(const Script& script, const Route& route, pid_t proxy) {
    run(script, route, proxy, options_.flows, 0);
  }
  void run_bulk(const Route& route, pid_t proxy) {
    run(move_bulk(route, options_.bulk_bytes), route, proxy, options_.bulk_flows, options_.bulk_bytes);
  }

  void run(const Script& script, const Route& route, pid_t proxy, std::size_t flows, std::size_t bytes) {
    std::optional<Usage> before, after;
    const auto look = [proxy](std::optional<Usage>& at) {
      if (proxy != 0) at = usage_of(proxy);
    };
    LoadResult load = run_load(
        script, {.flows = flows, .operations = options_.operations, .duration = options_.duration},
        [&] { look(before); }, [&] { look(after); });
    report_.rows.push_back(make_row(script, route, std::move(load), bytes, before, after));
    std::fprintf(stderr, "%s, %s: done\n", script.name.c_str(), route.name.c_str());
  }

  const Options& options_;
  Origin origin_;
  Report report_;
};

/// Every tunnel is two descriptors here and in the origin, and two in the proxy, which inherits the limit.
void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int run(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  raise_descriptor_limit();
  const Report report = Bench(options).run();
  std::fputs(report.to_text().c_str(), stdout);
  if (!options.json_file.empty() && !(std::ofstream(options.json_file) << report.to_json()))
    throw std::runtime_error("cannot write " + options.json_file);
  return report.errors() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace payg::bench

int main(int argc, char** argv) {
  try {
    return payg::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "payg_bench: %s\n", error.what());
    return 2;
  }
}
