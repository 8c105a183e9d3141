#include "proxy/client_address_limits.h"

namespace payg::proxy {

std::uint64_t ClientAddressLimits::key_of(const IpAddress& address) noexcept {
  const IpAddress client = address.unmapped();
  // No network of IPv6 clients begins with 0x00000001: 0000::/8 is reserved (RFC 4291 §2.4).
  std::uint64_t key = client.is_v4() ? 1 : 0;
  const std::size_t length = client.is_v4() ? 4 : 8;
  for (std::size_t i = 0; i < length; ++i) key = key << 8 | client.bytes()[i];
  return key;
}

ClientAddressLimits::Place ClientAddressLimits::enter(const IpAddress& address) {
  const std::uint64_t key = key_of(address);
  const unsigned most = most_.load(std::memory_order_relaxed);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Count& count = shard.counts[key];
  if (most == 0 || count.admitted < most) {
    ++count.admitted;
    return Place(this, key, Verdict::admitted);
  }
  if (count.refused == most_refused) return Place(nullptr, key, Verdict::unheard);
  ++count.refused;
  return Place(this, key, Verdict::refused);
}

void ClientAddressLimits::leave(std::uint64_t key, Verdict verdict) noexcept {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto entry = shard.counts.find(key);
  Count& count = entry->second;
  --(verdict == Verdict::admitted ? count.admitted : count.refused);
  if (count.admitted == 0 && count.refused == 0) shard.counts.erase(entry);
}

}  // namespace payg::proxy
