#include "proxy/plugin_host.h"

#include "plugin/base/address.h"
#include "proxy/log.h"

namespace payg::proxy {

void PluginHost::end_session(plugin::SessionHandle session, plugin::Denial why) noexcept {
  services_.end_session(plugin_, session, why);
}

void PluginHost::protect_address(const sockaddr* address) {
  if (const auto known = SocketAddress::from(address)) services_.protect_address(*known);
}

void PluginHost::log(plugin::LogLevel level, std::string_view area, std::string_view message) noexcept {
  proxy::log(level, area, message);
}

}  // namespace payg::proxy
