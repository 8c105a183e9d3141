#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/proxy_config.h"
#include "plugin/base/clock.h"
#include "plugin/base/result.h"
#include "proxy/tls_context.h"

namespace payg::proxy {

/// What each listener shows its clients, in the order of the configuration; nothing where it speaks no TLS.
using Certificates = std::vector<std::optional<TlsContext>>;

/// Reads all the files. Blocks on the disk; main thread. The errors name the place in the configuration.
Result<Certificates, config::Errors> load_certificates(const config::ProxyConfig& config);

/// What an operator is to know about the certificates' days: those that have ended, that end within two
/// weeks, or that have not begun. One line for each.
std::vector<std::string> certificate_remarks(const config::ProxyConfig& config,
                                             const Certificates& certificates, WallTime now);

}  // namespace payg::proxy
