#include "proxy/configuration.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace payg::proxy {

Result<Configuration, config::Errors> read_configuration(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return config::Errors{path + ": cannot be read: " + std::strerror(errno)};
  Configuration configuration{.proxy = {}, .path = path, .text = {}, .modules = {}};
  configuration.text.assign(std::istreambuf_iterator<char>(file), {});

  auto proxy = config::read_proxy_config(path, configuration.text);
  if (!proxy.ok()) return std::move(proxy).error();
  configuration.proxy = std::move(proxy).value();

  config::Errors errors;
  for (std::size_t i = 0; i < configuration.proxy.plugins.size(); ++i) {
    const auto file_name = plugin::find_module(configuration.proxy.plugins[i].module);
    if (!file_name.ok()) {
      errors.push_back(path + ": plugin: " + file_name.error());
      continue;
    }
    auto module = plugin::Module::load(*file_name);
    if (!module.ok()) {
      errors.push_back(path + ": plugin: " + module.error());
      continue;
    }
    const auto wrong = module->check_configuration(configuration.source_for(i));
    errors.insert(errors.end(), wrong.begin(), wrong.end());
    configuration.modules.push_back(std::move(module).value());
  }
  if (!errors.empty()) return errors;
  return configuration;
}

}  // namespace payg::proxy
