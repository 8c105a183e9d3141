#include "proxy/exit.h"

#include <cstdlib>

#include "plugin/base/spread_bits.h"

namespace payg::proxy {
namespace {

/// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/): std::hash may differ from build to build, and nodes
/// have to agree.
std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return spread_bits(hash);
}

}  // namespace

Exit::Exit(const config::ExitConfig& config)
    : config_(config),
      location_{config.country, config.state, config.city, config.isp},
      source_(IpAddress::parse(config.source_address)),
      name_hash_(stable_hash(config.name)),
      health_(name_hash_) {
  if (config.kind == config::ExitKind::direct) return;
  auto parent = parse_host_and_port(config.address);
  parent_host_ = std::move(parent.host);
  parent_port_ = parent.port;
}

plugin::ExitReport Exit::report() const {
  const bool up = health_.is_up();
  return {.name = name(),
          .kind = config::name_of(kind()),
          .location = location_,
          .weight = weight(),
          .state = up ? plugin::ExitState::up : plugin::ExitState::down,
          .why_down = health_.why_down(),
          .carries_udp = can_carry(ExitUse::udp)};
}

HostAndPort parse_host_and_port(const std::string& text) {
  HostAndPort parsed;
  const auto colon = text.rfind(':');
  std::string_view host = std::string_view(text).substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (colon == text.npos || classify_host(host, parsed.host) == HostKind::invalid) std::abort();
  parsed.port = static_cast<std::uint16_t>(std::strtoul(text.c_str() + colon + 1, nullptr, 10));
  return parsed;
}

}  // namespace payg::proxy
