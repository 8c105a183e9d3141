#include "billing/ledger/client_network.h"

#include <optional>

namespace payg::billing {
namespace {

constexpr int mapped_bits = 96;  // of ::ffff:0:0/96

int bits_of(const IpAddress& address) {
  return address.is_v4() ? 32 : 128;
}

/// The IPv4 network that an IPv4-mapped one stands for; itself otherwise.
Cidr unmapped(const Cidr& network) {
  const IpAddress plain = network.network().unmapped();
  const bool is_mapped = plain.family() != network.network().family();
  return is_mapped && network.bits() >= mapped_bits ? Cidr::around(plain, network.bits() - mapped_bits)
                                                    : network;
}

/// REQUIRES: it is not wider than widest_networks, so that it is either inside each of these blocks or
/// outside.
bool is_nobodys(const Cidr& network) {
  const auto first = network.network().bytes()[0];
  if (network.network().is_v4()) return first == 0 || first >= 224;
  return first == 0xff || network.network().is_unspecified();
}

std::optional<NetworkFlaw> flaw_of(const Cidr& network, const NetworkWidth& widest) {
  const bool is_v4 = network.network().is_v4();
  if (network.bits() < (is_v4 ? widest_networks.v4 : widest_networks.v6)) return NetworkFlaw::too_wide;
  if (is_nobodys(network)) return NetworkFlaw::nobodys;
  if (network.bits() < (is_v4 ? widest.v4 : widest.v6)) return NetworkFlaw::too_wide;
  return std::nullopt;
}

/// What is wrong with a text that Cidr does not take.
NetworkFlaw flaw_of(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address || slash == text.npos) return NetworkFlaw::malformed;
  // With an address without bits behind any prefix the prefix is all that can be wrong.
  const std::string without_bits = (address->is_v4() ? "0.0.0.0" : "::") + std::string(text.substr(slash));
  return Cidr::parse(without_bits) ? NetworkFlaw::bits_behind_prefix : NetworkFlaw::malformed;
}

}  // namespace

std::string describe(NetworkFlaw flaw, const NetworkWidth& widest) {
  switch (flaw) {
    case NetworkFlaw::malformed: break;
    case NetworkFlaw::bits_behind_prefix:
      return "it has bits behind its prefix: either the address alone is meant, or the network that it is in";
    case NetworkFlaw::nobodys: return "no client comes from such an address";
    case NetworkFlaw::too_wide:
      return "it is too wide: a prefix has at least " + std::to_string(widest.v4) + " bits, of IPv6 " +
             std::to_string(widest.v6);
  }
  return "it is an IP address, or a network such as 203.0.113.0/24";
}

Result<Cidr, NetworkFlaw> read_client_network(std::string_view text, const NetworkWidth& widest) {
  const auto parsed = Cidr::parse(text);
  if (!parsed) return flaw_of(text);
  const Cidr network = unmapped(*parsed);
  if (const auto flaw = flaw_of(network, widest)) return *flaw;
  return network;
}

bool is_client_network(const Cidr& network) {
  const bool is_plain = network.bits() <= bits_of(network.network()) && unmapped(network) == network;
  return is_plain && !flaw_of(network, widest_networks);
}

}  // namespace payg::billing
