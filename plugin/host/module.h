#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/api/plugin.h"
#include "plugin/base/result.h"

namespace payg::plugin {

/// Where a module with a relative name is looked for, in this order: beside the program, then the installed
/// plugin folder.
std::vector<std::filesystem::path> module_folders();

/// The file that `name` (of a [[plugin]] table, "billing.so") means: an absolute path is taken as it is, a
/// relative one is looked for in `folders`. The error names every place that was looked at.
Result<std::filesystem::path, std::string> find_module(
    std::string_view name, const std::vector<std::filesystem::path>& folders = module_folders());

/// A plugin's shared object, loaded, and known to be made for this program's plugin API.
///
/// It is never unloaded: its code stands behind identities, answers and threads that outlive any one owner,
/// and the proxy loads each module once in its life. Main thread only, before the workers run.
class Module {
 public:
  /// The error is one line: what dlopen said, or why the module is not ours ("billing.so: made for plugin
  /// API 2, this program has 1"). Nothing of the module but its entry has run then.
  static Result<Module, std::string> load(const std::filesystem::path& path);

  std::string_view name() const noexcept { return descriptor_->name; }
  std::string_view version() const noexcept { return descriptor_->version; }

  /// Reads the configuration without starting anything. May block.
  ConfigurationErrors check_configuration(const ConfigurationSource& source) const;
  /// `host` outlives the plugin. The error is one line: what the module threw.
  Result<std::unique_ptr<Plugin>, std::string> create(Host& host) const;

 private:
  Module(std::string file, const ModuleDescriptor& descriptor)
      : file_(std::move(file)), descriptor_(&descriptor) {}

  std::string file_;
  const ModuleDescriptor* descriptor_;
};

}  // namespace payg::plugin
