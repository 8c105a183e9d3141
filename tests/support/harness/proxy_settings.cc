#include "tests/support/harness/proxy_settings.h"

#include <sstream>

namespace payg::test {

namespace {

std::string quoted(const std::string& text) {
  return '"' + text + '"';
}

std::string list_of(const std::vector<std::string>& texts) {
  std::string list;
  for (const auto& text : texts) list += (list.empty() ? "" : ", ") + quoted(text);
  return "[" + list + "]";
}

void write_billing(std::ostream& out, const BillingSettings& billing, const std::string& folder) {
  const std::string ledger = billing.ledger.empty() ? "sqlite:" + folder + "/ledger.db" : billing.ledger;
  out << "[[plugin]]\nname = \"billing\"\nmodule = \"billing.so\"\n"
      << "[billing]\nledger = " << quoted(ledger) << "\nnode = " << quoted(billing.node)
      << "\nspool = " << quoted(billing.spool.empty() ? folder + "/spool" : billing.spool)
      << "\noutage_grace = " << quoted(billing.outage_grace) << "\n";
  for (const auto& line : billing.lines) out << line << "\n";
  out << "[billing.pricing]\nrate_per_hour = " << quoted(billing.rate_per_hour)
      << "\nincrement = " << quoted(billing.increment)
      << "\nminimum_to_start = " << quoted(billing.minimum_to_start)
      << "\nresume_window = " << quoted(billing.resume_window)
      << "\npackages = [ { price = \"10\", credits = \"10\" }, { price = \"25\", credits = \"27\" } ]\n"
      << "[billing.admin]\naddress = \"127.0.0.1:0\"\noperator_token_env = \"PAYG_OPERATOR_TOKEN\"\n";
  for (const auto& line : billing.admin_lines) out << line << "\n";
  out << "[billing.payments.simulated]\nenabled = true\n";
}

}  // namespace

std::string ProxySettings::toml(const std::string& folder) const {
  std::ostringstream out;
  out << "[proxy]\nworkers = " << workers << "\ndrain_timeout = " << quoted(drain_timeout)
      << "\nallow_targets = " << list_of(allow_targets) << "\n";
  if (!nameservers.empty()) out << "nameservers = " << list_of(nameservers) << "\n";
  for (const auto& line : proxy_lines) out << line << "\n";
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    out << "[[listener]]\naddress = " << quoted(listeners[i]) << "\nprotocols = " << list_of(protocols)
        << "\n";
    if (transport_of(i) == Transport::tls) {
      out << "tls = { certificate = " << quoted(certificate_file) << ", key = " << quoted(key_file) << " }\n";
    }
    for (const auto& line : listener_lines) out << line << "\n";
  }
  if (billing) write_billing(out, *billing, folder);
  out << more;
  return out.str();
}

}  // namespace payg::test
