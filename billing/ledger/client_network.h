#pragma once

#include <string>
#include <string_view>

#include "plugin/base/address.h"
#include "plugin/base/result.h"

namespace payg::billing {

/// How wide the networks may be that somebody lists as his own: the fewest bits that their prefixes have. By
/// default no wider than what one token shown from inside proves: an address, and what is given to one
/// customer of IPv6 at least (RFC 6177 §2).
struct NetworkWidth {
  int v4 = 32;
  int v6 = 64;
};
/// Nobody lists a wider one, the operator neither.
inline constexpr NetworkWidth widest_networks{.v4 = 8, .v6 = 16};

enum class NetworkFlaw {
  malformed,
  bits_behind_prefix,  ///< 203.0.113.7/24, where 203.0.113.0/24 is meant, or 203.0.113.7
  nobodys,             ///< no client has such an address: 0.0.0.0/8, ::, multicast, 240.0.0.0/4
  too_wide,
};
/// One sentence for the person who wrote it.
std::string describe(NetworkFlaw flaw, const NetworkWidth& widest);

/// Reads an address, which is a network of one, or a network with its prefix. IPv4-mapped ones are the IPv4
/// ones that they stand for. Private and loopback ones are as good as others: who runs a proxy in an office
/// has clients there.
Result<Cidr, NetworkFlaw> read_client_network(std::string_view text, const NetworkWidth& widest);

/// True for what read_client_network() may come to.
bool is_client_network(const Cidr& network);

}  // namespace payg::billing
