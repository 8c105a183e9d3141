// Addresses, sockets' addresses and blocks of addresses, as operators write them and as clients name them.

#include "plugin/base/address.h"

#include <array>
#include <cstring>
#include <optional>
#include <string>

#include "billing/ledger/client_network.h"
#include "proxy/net/guard.h"
#include "proxy/net/target_host.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/target_rules.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

/// Four numbers of 0 to 255 without leading zeros.
std::optional<std::array<unsigned, 4>> plain_v4(std::string_view text) {
  std::array<unsigned, 4> bytes{};
  for (std::size_t i = 0; i < 4; ++i) {
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
    if (digits == 0 || digits > 3 || (digits > 1 && text[0] == '0')) return std::nullopt;
    bytes[i] = static_cast<unsigned>(std::stoi(std::string(text.substr(0, digits))));
    if (bytes[i] > 255) return std::nullopt;
    text.remove_prefix(digits);
    if (i == 3 ? !text.empty() : !text.starts_with('.')) return std::nullopt;
    if (i < 3) text.remove_prefix(1);
  }
  return bytes;
}

IpAddress mapped(const IpAddress& v4) {
  in6_addr address{};
  address.s6_addr[10] = address.s6_addr[11] = 0xff;
  std::memcpy(address.s6_addr + 12, v4.bytes().data(), 4);
  return IpAddress::v6(address);
}

void an_address_is_one(std::string_view text, const IpAddress& ip) {
  must(IpAddress::parse(ip.to_string()) == ip, "an address that is written is read again");
  must(text.find_first_not_of("0123456789abcdefABCDEF:.") == text.npos, "an address has no other characters");
  must(ip.unmapped().unmapped() == ip.unmapped(), "what is unmapped stays so");
  const proxy::Guard guard;
  must(guard.is_allowed(ip) == guard.is_allowed(ip.unmapped()), "a mapped address is judged as what it is");
  if (ip.is_v4()) must(guard.is_allowed(mapped(ip)) == guard.is_allowed(ip), "mapping opens nothing");
  must(!(ip.is_loopback() || ip.is_unspecified()) || !guard.is_allowed(ip), "this machine is guarded");

  proxy::TargetHost host;
  must(proxy::classify_host(text, host) == proxy::HostKind::address && host.address == ip,
       "a target that is an address is that address");
}

void sockets_addresses_are_read_back(std::string_view text) {
  const auto address = SocketAddress::parse(text);
  if (!address) return;
  must(SocketAddress::parse(address->to_string()) == address, "a socket's address is read again");
  sockaddr_storage storage;
  address->to(storage);
  must(SocketAddress::from(reinterpret_cast<const sockaddr*>(&storage)) == address,
       "the kernel is told the same address");
}

bool bit_of(const IpAddress& ip, int bit) {
  return (ip.bytes()[static_cast<std::size_t>(bit / 8)] >> (7 - bit % 8) & 1) != 0;
}

IpAddress with_bit_turned(const IpAddress& ip, int bit) {
  auto bytes = ip.bytes();
  bytes[static_cast<std::size_t>(bit / 8)] ^= static_cast<std::uint8_t>(1 << (7 - bit % 8));
  if (ip.is_v4()) {
    in_addr v4;
    std::memcpy(&v4, bytes.data(), sizeof v4);
    return IpAddress::v4(v4);
  }
  in6_addr v6;
  std::memcpy(&v6, bytes.data(), sizeof v6);
  return IpAddress::v6(v6);
}

/// A block holds exactly the addresses whose first bits are the network's.
void blocks_hold_what_they_say(std::string_view text) {
  const auto block = Cidr::parse(text);
  if (!block) return;
  const auto slash = text.find('/');
  const auto network = IpAddress::parse(text.substr(0, slash));
  must(network.has_value(), "a block begins with an address");
  const int width = network->is_v4() ? 32 : 128;
  const int bits = slash == text.npos ? width : std::stoi(std::string(text.substr(slash + 1)));
  must(bits >= 0 && bits <= width, "a prefix is no longer than the address");
  must(block->network() == *network && block->bits() == bits, "a block is what it says");
  must(Cidr::parse(block->to_string()) == block, "a block that is written is read again");
  must(block->contains(*network), "a block holds its network's address");
  if (network->is_v4()) must(block->contains(mapped(*network)), "a block of IPv4 holds the mapped form");
  for (int bit = 0; bit < width; ++bit) {
    must(bit < bits || !bit_of(*network, bit), "no bit is set behind the prefix");
    must(block->contains(with_bit_turned(*network, bit)) == (bit >= bits),
         "the prefix decides, and it alone");
  }
}

/// What a user may list is kept in one way only, and is never an address that no client has.
void listed_networks_are_read_back(std::string_view text) {
  const billing::NetworkWidth usual;
  const auto network = billing::read_client_network(text, usual);
  if (!network.ok()) return;
  must(billing::is_client_network(*network), "the ledger takes what may be listed");
  const auto again = billing::read_client_network(network->to_string(), usual);
  must(again.ok() && *again == *network, "a listed network is read again");
  must(network->network() == network->network().unmapped(), "a mapped network is the one that it stands for");
  must(!network->network().is_unspecified(), "nobody comes from nowhere");
}

}  // namespace

void addresses(std::string_view input) {
  const auto ip = IpAddress::parse(input);
  const auto v4 = plain_v4(input);
  must((ip && ip->is_v4()) == v4.has_value(), "IPv4 is four numbers and no shorthand");
  for (std::size_t i = 0; v4 && i < 4; ++i) must(ip->bytes()[i] == (*v4)[i], "IPv4 is what it says");
  if (ip) an_address_is_one(input, *ip);
  sockets_addresses_are_read_back(input);
  blocks_hold_what_they_say(input);
  listed_networks_are_read_back(input);

  proxy::TargetHost host;
  if (proxy::classify_host(input, host) != proxy::HostKind::invalid) is_unambiguous(host);
}

}  // namespace payg::fuzz
