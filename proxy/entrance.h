#pragma once

#include <optional>
#include <vector>

#include "plugin/base/address.h"
#include "proxy/tls_context.h"

namespace payg::proxy {

/// Which protocols a listener lets in.
struct ListenerProtocols {
  bool http = true;
  bool socks5 = true;
};

/// What one listener lets in, and in which wrapping. Each worker has its own.
struct Entrance {
  ListenerProtocols protocols{};
  /// Clients speak TLS, with this certificate; another one after SIGHUP.
  std::optional<TlsContext> tls{};
  /// Peers that stand in front of the clients, and say who those are before anything else.
  std::vector<Cidr> proxy_protocol_from{};
  /// Where clients are told to send their datagrams; nullopt: where they are connected to.
  std::optional<IpAddress> udp_address{};

  bool is_front(const IpAddress& peer) const noexcept {
    for (const Cidr& block : proxy_protocol_from)
      if (block.contains(peer)) return true;
    return false;
  }
};

}  // namespace payg::proxy
