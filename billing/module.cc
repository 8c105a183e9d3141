#include "billing/billing_plugin.h"

namespace {

using payg::billing::BillingPlugin;

std::unique_ptr<payg::plugin::Plugin> create(payg::plugin::Host& host) {
  return std::make_unique<BillingPlugin>(host);
}

constexpr payg::plugin::ModuleDescriptor descriptor{
    .magic = payg::plugin::module_magic,
    .api_version = payg::plugin::api_version,
    .name = "billing",
    .version = PAYG_VERSION,
    .check_configuration = &BillingPlugin::check,
    .create = &create,
};

}  // namespace

PAYG_PLUGIN_EXPORT const payg::plugin::ModuleDescriptor* payg_plugin_module() {
  return &descriptor;
}
