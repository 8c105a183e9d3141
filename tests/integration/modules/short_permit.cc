// A plugin that permits bytes for two seconds from the first connection on, and never comes back to say more.
// On SIGHUP it logs what was moved: "moved BYTES, held CONNECTIONS".

#include <chrono>
#include <memory>
#include <string>

#include "plugin/api/plugin.h"

namespace {

using namespace payg::plugin;

class ShortPermit final : public Plugin {
 public:
  explicit ShortPermit(Host& host) : host_(host) {}

  ConfigurationErrors start(const ConfigurationSource&) override { return {}; }
  ConfigurationErrors reload(const ConfigurationSource&) override {
    std::string held;
    for (const auto& metric : host_.metrics())
      if (metric.name == "payg_proxy_connections_held") held = std::to_string(static_cast<int>(metric.value));
    host_.log(LogLevel::info, "short_permit",
              "moved " + std::to_string(traffic_.down_bytes.load()) + ", held " + held + ".");
    return {};
  }
  void interrupt() noexcept override {}
  void stop() noexcept override {}
  void authenticate(const AuthenticationRequest&, AuthenticationAnswer answer) noexcept override {
    answer.accept({});
  }
  void admit(const AdmissionRequest&, AdmissionAnswer answer) noexcept override {
    constexpr std::chrono::seconds permitted{2};
    auto unbounded = payg::MonotonicTime::max();
    traffic_.relay_until.compare_exchange_strong(unbounded, host_.clock().now() + permitted);
    answer.accept({.session = SessionHandle{1}, .location = {}, .traffic = &traffic_});
  }
  void on_established(const Attachment&) noexcept override {}
  void on_closed(const Attachment&) noexcept override {}

 private:
  Host& host_;
  SessionTraffic traffic_;
};

constexpr ModuleDescriptor descriptor{
    .magic = module_magic,
    .api_version = api_version,
    .name = "short_permit",
    .version = "1",
    .check_configuration = [](const ConfigurationSource&) { return ConfigurationErrors{}; },
    .create = [](Host& host) -> std::unique_ptr<Plugin> { return std::make_unique<ShortPermit>(host); }};

}  // namespace

PAYG_PLUGIN_EXPORT const ModuleDescriptor* payg_plugin_module() {
  return &descriptor;
}
