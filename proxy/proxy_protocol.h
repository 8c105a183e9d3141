#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "plugin/base/address.h"

namespace payg::proxy {

/// The header by which a load balancer says for whom it connects: the PROXY protocol, versions 1 and 2
/// (haproxy.org, doc/proxy-protocol.txt).
struct ProxyHeader {
  enum class State { incomplete, complete, malformed };

  /// Of version 1, with its CRLF: section 2.1.
  static constexpr std::size_t most_text_bytes = 107;
  /// Of version 2 behind its first 16 bytes: addresses and TLVs. The longest that are known in practice have
  /// a few hundred.
  static constexpr std::size_t most_binary_bytes = 2048;
  static constexpr std::size_t most_bytes = 16 + most_binary_bytes;

  State state = State::incomplete;
  /// When complete: how long it is.
  std::size_t bytes = 0;
  /// When complete: the client. None (LOCAL, UNKNOWN, or an address that is not of TCP): it is whoever
  /// connected. An IPv4-mapped address is unmapped.
  std::optional<SocketAddress> client{};
};

/// Reads the header that `received` begins with. Bytes that cannot become one are malformed as soon as that
/// is certain. Pure.
ProxyHeader parse_proxy_header(std::string_view received) noexcept;

}  // namespace payg::proxy
