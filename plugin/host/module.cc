#include "plugin/host/module.h"

#include <dlfcn.h>

#include <exception>
#include <system_error>
#include <utility>

namespace payg::plugin {
namespace {

namespace fs = std::filesystem;

/// Empty: this is a module for us.
std::string refusal(const ModuleDescriptor* descriptor) {
  if (descriptor == nullptr || descriptor->magic != module_magic)
    return "not a payg-proxy plugin: what " + std::string(module_entry) + " gives is no module descriptor";
  if (descriptor->api_version != api_version)
    return "made for plugin API " + std::to_string(descriptor->api_version) + ", this program has " +
           std::to_string(api_version);
  if (descriptor->name == nullptr || descriptor->version == nullptr ||
      descriptor->check_configuration == nullptr || descriptor->create == nullptr)
    return "its module descriptor is incomplete";
  return {};
}

}  // namespace

std::vector<fs::path> module_folders() {
  std::vector<fs::path> folders;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) folders.push_back(program.parent_path());
  folders.emplace_back(PAYG_PLUGIN_DIR);
  return folders;
}

Result<fs::path, std::string> find_module(std::string_view name, const std::vector<fs::path>& folders) {
  const fs::path wanted(name);
  std::vector<fs::path> places;
  if (wanted.is_absolute())
    places.push_back(wanted);
  else
    for (const auto& folder : folders) places.push_back(folder / wanted);

  std::string looked_at;
  for (const auto& place : places) {
    std::error_code error;
    if (fs::is_regular_file(place, error)) return place;
    looked_at += (looked_at.empty() ? "" : ", ") + place.string();
  }
  return std::string(name) + ": no such module; looked for " + looked_at;
}

Result<Module, std::string> Module::load(const fs::path& path) {
  const std::string file = path.filename().string();
  // A name without a slash would be searched for in the system's library folders.
  void* handle = dlopen(fs::absolute(path).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return file + ": cannot be loaded: " + dlerror();
  const auto entry = reinterpret_cast<ModuleEntry>(dlsym(handle, module_entry));
  if (entry == nullptr) {
    dlclose(handle);
    return file + ": not a payg-proxy plugin: it exports no " + module_entry;
  }
  const ModuleDescriptor* descriptor = entry();
  if (const std::string why = refusal(descriptor); !why.empty()) {
    dlclose(handle);
    return file + ": " + why;
  }
  return Module(file, *descriptor);
}

ConfigurationErrors Module::check_configuration(const ConfigurationSource& source) const {
  try {
    return descriptor_->check_configuration(source);
  } catch (const std::exception& error) {
    return {source.path + ": " + file_ + ": " + error.what()};
  }
}

Result<std::unique_ptr<Plugin>, std::string> Module::create(Host& host) const {
  try {
    if (auto plugin = descriptor_->create(host)) return plugin;
    return file_ + ": made no plugin";
  } catch (const std::exception& error) {
    return file_ + ": " + error.what();
  }
}

}  // namespace payg::plugin
