#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/proxy_config.h"
#include "plugin/api/plugin.h"
#include "plugin/host/module.h"
#include "proxy/certificates.h"

namespace payg::proxy {

/// A configuration file that was read and found right, with the modules it names.
struct Configuration {
  config::ProxyConfig proxy;
  std::string path;
  std::string text;
  /// In the order of the file, beside config::ProxyConfig::plugins.
  std::vector<plugin::Module> modules;
  Certificates certificates;

  /// What the plugin number `index` gets to read.
  plugin::ConfigurationSource source_for(std::size_t index) const {
    return {.path = path, .text = text, .table = proxy.plugins[index].name};
  }
};

/// Reads and checks the whole file: the proxy's part, its certificates, that each module loads, and each
/// plugin's own table. May block; main thread. The errors are lines for the operator.
Result<Configuration, config::Errors> read_configuration(const std::string& path);

}  // namespace payg::proxy
