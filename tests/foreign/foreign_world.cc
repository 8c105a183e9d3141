#include "tests/foreign/foreign_world.h"

#include <filesystem>

#include "tests/support/harness/patience.h"

namespace payg::test {
namespace {

constexpr std::int64_t units_of_a_ten_thousandth = 360;

/// An increment costs 0.0001 credits: balances have four decimals.
BillingSettings tenths_of_seconds() {
  BillingSettings billing;
  billing.increment = "100ms";
  billing.minimum_to_start = "0.0001";
  return billing;
}

std::string lines_of(Door door, const Certificate& certificate) {
  switch (door) {
    case Door::plain: return {};
    case Door::tls:
      return "tls = { certificate = \"" + certificate.path + "\", key = \"" + certificate.key_path + "\" }";
    case Door::proxy_protocol: return "proxy_protocol_from = [\"127.0.0.0/8\"]";
  }
  throw HarnessError("no such door");
}

ProxySettings furnished(ProxySettings settings, Door door, const Certificate& certificate,
                        const FakeDns& names) {
  settings.nameservers = {names.address()};
  settings.proxy_lines.emplace_back("access_log = \"-\"");
  settings.listener_lines.push_back(lines_of(door, certificate));
  return settings;
}

}  // namespace

ForeignWorld::ForeignWorld(Door door, ProxySettings settings)
    : certificate_(make_certificate(folder_)),
      origin_(certificate_),
      metered_(LedgerKind::sqlite, tenths_of_seconds(),
               furnished(std::move(settings), door, certificate_, names_)),
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

bool ForeignWorld::is_there(const std::string& file) {
  std::error_code ignored;
  const auto size = std::filesystem::file_size(file, ignored);
  return !ignored && size > 0;
}

ProgramCall ForeignWorld::called(const std::vector<std::string>& arguments) {
  return ProgramCall{.arguments = arguments, .environment = {}, .working_folder = {}, .open_files = {}};
}

std::unique_ptr<Process> ForeignWorld::start(ProgramCall call) const {
  for (const char* variable : {"no_proxy=", "NO_PROXY=", "LC_ALL=C.UTF-8"})
    call.environment.emplace_back(variable);
  call.environment.push_back("HOME=" + folder_.path());
  if (call.working_folder.empty()) call.working_folder = folder_.path();
  return std::make_unique<Process>(call);
}

Finished ForeignWorld::run(const ProgramCall& call) const {
  const auto process = start(call);
  const ExitStatus status = process->wait();
  return Finished{status, process->output(), process->errors()};
}

Finished ForeignWorld::run_out_of_money(const ProgramCall& call, const Account& account,
                                        const std::function<bool(const Process&)>& has_begun) const {
  const auto process = start(call);
  const bool begun = eventually([&] { return has_begun(*process) || !process->running(); });
  if (begun && process->running()) take_all_money(account);
  const ExitStatus status = process->wait();
  return Finished{status, process->output(), process->errors()};
}

void ForeignWorld::take_all_money(const Account& account) const {
  const AdminClient operator_client = metered_.operator_client();
  const bool taken = eventually([&] {
    // Less is left when it is charged in between: then it is refused, and asked again.
    const auto ten_thousandths = metered_.balance_units(account) / units_of_a_ten_thousandth;
    const std::string digits = std::to_string(10'000 + ten_thousandths % 10'000).substr(1);
    const std::string credits = "-" + std::to_string(ten_thousandths / 10'000) + "." + digits;
    const std::string body = R"({"credits": ")" + credits + R"(", "reason": "test"})";
    return operator_client.post("/api/admin/users/" + account.name + "/credits", body).status() == 201;
  });
  if (!taken) throw HarnessError("the money of " + account.name + " cannot be taken");
}

}  // namespace payg::test
