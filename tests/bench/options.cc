#include "tests/bench/options.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

namespace payg::bench {
namespace {

void make_quick(Options& options) {
  options.duration = std::chrono::milliseconds(1000);
  options.idle_tunnels = 1000;
  options.cut_sessions = 50;
  options.audit_users = 10'000;
}

}  // namespace

Options read_options(int argc, char** argv) {
  Options options;
  double seconds = 0;
  std::size_t operations = 0;
  CLI::App app{
      "Puts load on payg-proxy and, beside it, on a direct connection. Without --proxy it starts the proxy "
      "itself, plain and with billing."};
  app.add_flag_callback(
         "--quick", [&] { make_quick(options); }, "about half a minute for everything")
      ->trigger_on_parse();
  app.add_option("--seconds", seconds, "how long each row takes (5)")->check(CLI::PositiveNumber);
  app.add_option("--operations", operations, "how many operations each row makes, however long it takes");
  app.add_option("--flows", options.flows, "connections side by side (64)")->check(CLI::Range(1, 10'000));
  app.add_option("--bulk-flows", options.bulk_flows, "the same for bulk (4)")->check(CLI::Range(1, 10'000));
  app.add_option("--bulk-bytes", options.bulk_bytes, "bytes of one bulk operation (64 MiB)");
  app.add_option("--idle-tunnels", options.idle_tunnels, "tunnels that stand idle (5000)");
  app.add_option("--cut-sessions", options.cut_sessions, "sessions that run dry (200)");
  app.add_option("--audit-users", options.audit_users,
                 "users of the ledgers that are audited, with ten transactions each (100000); 0: none")
      ->check(CLI::Range(0, 10'000'000));
  app.add_option("--json", options.json_file, "also write the results to this file");
  app.add_option("--proxy", options.proxy, "address of a running proxy, 127.0.0.1:8080");
  app.add_option("--proxy-pid", options.proxy_pid, "its process, for time and memory");
  app.add_option("--user", options.user, "name to give it");
  app.add_option("--password", options.password, "token to give it");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  if (seconds > 0) options.duration = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
  if (operations > 0) options.operations = operations;
  return options;
}

}  // namespace payg::bench
