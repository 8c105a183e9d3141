#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "plugin/api/plugin.h"
#include "plugin/base/address.h"

namespace payg::proxy {

/// What a plugin's Host needs of the server. Thread-safe.
class HostServices {
 public:
  virtual void end_session(std::size_t plugin, plugin::SessionHandle session,
                           const plugin::Denial& why) noexcept = 0;
  virtual void protect_address(const SocketAddress& address) = 0;
  virtual const Clock& clock() const noexcept = 0;
  virtual std::vector<plugin::Metric> metrics() const = 0;
  virtual std::vector<plugin::ExitReport> exits() const = 0;

 protected:
  ~HostServices() = default;
};

/// The Host of one plugin: knows which one speaks, so that two plugins may use the same session handles.
class PluginHost final : public plugin::Host {
 public:
  PluginHost(HostServices& services, std::size_t plugin) : services_(services), plugin_(plugin) {}

  void end_session(plugin::SessionHandle session, plugin::Denial why) noexcept override;
  void protect_address(const sockaddr* address) override;
  const Clock& clock() const noexcept override { return services_.clock(); }
  void log(plugin::LogLevel level, std::string_view area, std::string_view message) noexcept override;
  std::vector<plugin::Metric> metrics() const override { return services_.metrics(); }
  std::vector<plugin::ExitReport> exits() const override { return services_.exits(); }

 private:
  HostServices& services_;
  const std::size_t plugin_;
};

}  // namespace payg::proxy
