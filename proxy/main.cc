#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "proxy/configuration.h"
#include "proxy/log.h"
#include "proxy/server.h"

namespace {

using namespace payg;

enum ExitCode { ok = 0, refused = 1 };

int report(const std::vector<std::string>& errors) {
  for (const auto& error : errors) std::fprintf(stderr, "%s\n", error.c_str());
  return refused;
}

int check(const std::string& path) {
  const auto configuration = proxy::read_configuration(path);
  if (!configuration.ok()) return report(configuration.error());
  const auto now = SystemClock().wall_now();
  for (const auto& remark :
       proxy::certificate_remarks(configuration->proxy, configuration->certificates, now)) {
    std::fprintf(stderr, "warning: %s\n", remark.c_str());
  }
  std::printf("%s: ok\n", path.c_str());
  return ok;
}

int serve(const std::string& path) {
  proxy::Server::block_signals();
  auto configuration = proxy::read_configuration(path);
  if (!configuration.ok()) return report(configuration.error());
  proxy::start_log(configuration->proxy.log_level);
  const SystemClock clock;
  try {
    proxy::Server server(std::move(configuration).value(), clock);
    if (const auto errors = server.start(); !errors.empty()) return report(errors);
    server.run();
  } catch (const std::exception& error) {
    return report({error.what()});
  }
  proxy::log(plugin::LogLevel::info, "proxy", "stopped");
  return ok;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"payg-proxy: a forward proxy that sells its own time"};
  app.set_version_flag("--version", PAYG_VERSION);
  std::string config;
  std::string check_config;
  auto* run = app.add_option("--config", config, "serve as this TOML file says")->type_name("FILE");
  auto* checked =
      app.add_option("--check-config", check_config, "say whether this TOML file is right, and start nothing")
          ->type_name("FILE");
  run->excludes(checked);
  app.require_option(1);
  app.footer(
      "Signals: SIGTERM and SIGINT drain and exit 0; a second one does not wait for connections, but still "
      "for what the plugins keep safe, up to 45 s while their database is away. SIGHUP reads FILE again.");
  CLI11_PARSE(app, argc, argv);
  return check_config.empty() ? serve(config) : check(check_config);
}
