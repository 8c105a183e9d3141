#include "tests/foreign/foreign_world.h"

namespace payg::test {
namespace {

BillingSettings tenths_of_seconds() {
  BillingSettings billing;
  billing.increment = "100ms";
  billing.minimum_to_start = "0.0001";
  return billing;
}

ProxySettings with_names(ProxySettings settings, const FakeDns& names) {
  settings.nameservers = {names.address()};
  return settings;
}

}  // namespace

ForeignWorld::ForeignWorld() : ForeignWorld(ProxySettings{}) {}

ForeignWorld::ForeignWorld(ProxySettings settings)
    : certificate_(make_certificate(folder_)),
      origin_(certificate_),
      metered_(LedgerKind::sqlite, tenths_of_seconds(), with_names(std::move(settings), names_)),
      alice_(metered_.user("alice", "10")),
      proxy_address_(metered_.proxy().address().to_string()) {
  names_.set(origin_name, {"127.0.0.1"});
}

Errand ForeignWorld::errand(const Account& account, const std::string& url) const {
  return Errand{.proxy = proxy_address_,
                .account = account,
                .url = url,
                .file = folder_.path() + "/fetched",
                .certificate = certificate_,
                .folder = folder_.path()};
}

Finished ForeignWorld::run(ProgramCall call) const {
  for (const char* variable : {"no_proxy=", "NO_PROXY=", "LC_ALL=C.UTF-8"})
    call.environment.emplace_back(variable);
  call.environment.push_back("HOME=" + folder_.path());
  if (call.working_folder.empty()) call.working_folder = folder_.path();
  return run_program(call);
}

}  // namespace payg::test
