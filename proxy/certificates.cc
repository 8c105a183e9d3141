#include "proxy/certificates.h"

#include <chrono>

namespace payg::proxy {
namespace {

using std::chrono::days;

constexpr days warned_before{14};

std::string remark_on(const TlsContext& tls, WallTime now) {
  const auto left = tls.valid_until() - now;
  if (left <= left.zero()) return "has expired";
  if (tls.valid_from() > now) return "is not valid yet";
  if (left > warned_before) return "";
  return "expires in less than " + std::to_string(std::chrono::ceil<days>(left).count()) + " days";
}

}  // namespace

Result<Certificates, config::Errors> load_certificates(const config::ProxyConfig& config) {
  Certificates certificates;
  config::Errors errors;
  for (const auto& listener : config.listeners) {
    auto& certificate = certificates.emplace_back();
    if (!listener.tls) continue;
    auto loaded = TlsContext::load(listener.tls->certificate.path, listener.tls->key.path);
    if (loaded.ok()) {
      certificate = std::move(loaded).value();
      continue;
    }
    const bool is_key = loaded.error().file == TlsContext::File::key;
    const config::NamedFile& file = is_key ? listener.tls->key : listener.tls->certificate;
    errors.push_back(file.place + ": " + loaded.error().what);
  }
  if (!errors.empty()) return errors;
  return certificates;
}

std::vector<std::string> certificate_remarks(const config::ProxyConfig& config,
                                             const Certificates& certificates, WallTime now) {
  std::vector<std::string> remarks;
  for (std::size_t i = 0; i < certificates.size(); ++i) {
    if (!certificates[i]) continue;
    const std::string remark = remark_on(*certificates[i], now);
    if (remark.empty()) continue;
    const auto& file = config.listeners[i].tls->certificate;
    remarks.push_back(file.place + ": the certificate in \"" + file.path + "\" " + remark);
  }
  return remarks;
}

}  // namespace payg::proxy
