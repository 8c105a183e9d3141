// A module as a future version of this program would build it: only the first two members are where they are.

#include "plugin/api/plugin.h"

namespace {

constexpr payg::plugin::ModuleDescriptor descriptor{.magic = payg::plugin::module_magic,
                                                    .api_version = payg::plugin::api_version + 1,
                                                    .name = nullptr,
                                                    .version = nullptr,
                                                    .check_configuration = nullptr,
                                                    .create = nullptr};

}  // namespace

PAYG_PLUGIN_EXPORT const payg::plugin::ModuleDescriptor* payg_plugin_module() {
  return &descriptor;
}
