#include "proxy/configuration.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "plugin/base/unique_fd.h"

namespace payg::proxy {
namespace {

/// errno
struct SystemError {
  int number;
};

Result<std::string, SystemError> read_file(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return SystemError{errno};
  std::string text;
  char piece[16 * 1024];
  for (;;) {
    const ssize_t count = read(file.get(), piece, sizeof piece);
    if (count < 0) return SystemError{errno};
    if (count == 0) return text;
    text.append(piece, static_cast<std::size_t>(count));
  }
}

}  // namespace

Result<Configuration, config::Errors> read_configuration(const std::string& path) {
  auto text = read_file(path);
  if (!text.ok()) return config::Errors{path + ": cannot be read: " + std::strerror(text.error().number)};
  Configuration configuration{
      .proxy = {}, .path = path, .text = std::move(text).value(), .modules = {}, .certificates = {}};

  auto proxy = config::read_proxy_config(path, configuration.text);
  if (!proxy.ok()) return std::move(proxy).error();
  configuration.proxy = std::move(proxy).value();

  config::Errors errors;
  auto certificates = load_certificates(configuration.proxy);
  if (certificates.ok()) {
    configuration.certificates = std::move(certificates).value();
  } else {
    errors = certificates.error();
  }
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
