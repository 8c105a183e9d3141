#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "plugin/base/address.h"

namespace payg::proxy {

/// The host of a target: an address literal, or a name that a resolver has to be asked for. Filled by
/// classify_host(); reuse one to save its allocation.
struct TargetHost {
  /// A name in lower case, without a trailing dot; or the address in its canonical form, without brackets.
  std::string text;
  /// Set when the client named an address. An IPv4-mapped IPv6 address stays as it is.
  std::optional<IpAddress> address;
};

enum class HostKind { name, address, invalid };

/// Tells what `host`, as a client wrote it, means. It comes without brackets and without a port.
///
/// A name keeps is_host_name(); one trailing dot is dropped, so that "localhost." and "localhost" are the
/// same target everywhere. Resolve it without a search list. What is no strict literal of an address, but
/// some resolver would take for one ("127.1", "2130706433", "0x7f.1", "1.2.3.4."), is invalid: nobody may
/// guess.
///
/// `out` is undefined when invalid.
HostKind classify_host(std::string_view host, TargetHost& out);

/// "name:80", "[2001:db8::1]:80", of a host as TargetHost::text has it.
std::string authority_of(std::string_view host, std::uint16_t port);

}  // namespace payg::proxy
