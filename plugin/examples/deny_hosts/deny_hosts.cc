// A whole plugin: it lets everybody in and refuses some targets. plugin/README.md walks through it.
//
//   [[plugin]]
//   name = "deny_hosts"
//   module = "deny_hosts.so"
//
//   [deny_hosts]
//   hosts = ["example.com"]      # this name and every name below it

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <toml++/toml.h>

#include "plugin/api/plugin.h"

namespace {

using namespace payg::plugin;

using Hosts = std::vector<std::string>;

struct Configuration {
  Hosts hosts;
  ConfigurationErrors errors;
};

std::string at(const ConfigurationSource& source, const toml::source_region& where, std::string_view what) {
  return source.path + ":" + std::to_string(where.begin.line) + ":" + std::to_string(where.begin.column) +
         ": " + source.table + "." + std::string(what);
}

Configuration read(const ConfigurationSource& source) try {
  Configuration read;
  const toml::table file = toml::parse(source.text, source.path);
  const toml::table* table = file[source.table].as_table();
  if (table == nullptr)
    return {.hosts = {}, .errors = {source.path + ":1:1: " + source.table + ": expected a table"}};
  for (const auto& [key, value] : *table)
    if (key.str() != "hosts")
      read.errors.push_back(at(source, value.source(), std::string(key.str()) + ": unknown, expected hosts"));
  const toml::array* hosts = (*table)["hosts"].as_array();
  if (hosts == nullptr) {
    const toml::node* wrong = table->get("hosts");
    read.errors.push_back(at(source, (wrong ? *wrong : *table).source(), "hosts: expected a list of names"));
  }
  for (std::size_t i = 0; hosts != nullptr && i < hosts->size(); ++i) {
    const auto host = (*hosts)[i].value<std::string>();
    if (host && !host->empty() && host->find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos)
      read.hosts.push_back(*host);
    else
      read.errors.push_back(at(source, (*hosts)[i].source(), "hosts: expected a host name in lower case"));
  }
  return read;
} catch (const toml::parse_error& error) {
  return {.hosts = {}, .errors = {at(source, error.source(), error.description())}};
}

bool is_or_is_below(std::string_view host, std::string_view domain) {
  if (host.ends_with('.')) host.remove_suffix(1);  // "example.com." is the same name
  if (!host.ends_with(domain)) return false;
  return host.size() == domain.size() || host[host.size() - domain.size() - 1] == '.';
}

class DenyHosts final : public Plugin {
 public:
  explicit DenyHosts(Host& host) : host_(host) {}

  ConfigurationErrors start(const ConfigurationSource& source) override { return reload(source); }

  // Workers may be reading the old list at this moment, so every list is kept; reloads are rare.
  ConfigurationErrors reload(const ConfigurationSource& source) override {
    auto [hosts, errors] = read(source);
    if (errors.empty()) {
      host_.log(LogLevel::info, "deny_hosts", std::to_string(hosts.size()) + " hosts are denied");
      current_ = lists_.emplace_back(std::make_unique<const Hosts>(std::move(hosts))).get();
    }
    return errors;
  }

  void interrupt() noexcept override {}
  void stop() noexcept override {
    host_.log(LogLevel::info, "deny_hosts", std::to_string(denied_.load()) + " requests were denied");
  }

  // Everybody is welcome, and nobody needs to be remembered: no identity.
  void authenticate(const AuthenticationRequest&, AuthenticationAnswer answer) noexcept override {
    answer.accept({});
  }

  void admit(const AdmissionRequest& request, AdmissionAnswer answer) noexcept override {
    for (const auto& denied : *current_.load()) {
      if (!is_or_is_below(request.target_host, denied)) continue;
      denied_.fetch_add(1, std::memory_order_relaxed);
      host_.log(LogLevel::debug, "deny_hosts", "denied " + std::string(request.target_host));
      return answer.deny(
          {.reason = Reason::forbidden, .detail = "This host is not reachable here.", .url = {}});
    }
    answer.accept({});  // no session: nothing to be told of later
  }

  void on_established(const Attachment&) noexcept override {}
  void on_closed(const Attachment&) noexcept override {}

 private:
  Host& host_;
  std::vector<std::unique_ptr<const Hosts>> lists_;
  std::atomic<const Hosts*> current_{nullptr};
  std::atomic<std::uint64_t> denied_{0};
};

constexpr ModuleDescriptor descriptor{
    .magic = module_magic,
    .api_version = api_version,
    .name = "deny_hosts",
    .version = "1",
    .check_configuration = [](const ConfigurationSource& source) { return read(source).errors; },
    .create = [](Host& host) -> std::unique_ptr<Plugin> { return std::make_unique<DenyHosts>(host); }};

}  // namespace

PAYG_PLUGIN_EXPORT const ModuleDescriptor* payg_plugin_module() {
  return &descriptor;
}
