#include "billing/failure_limit.h"

#include <algorithm>

namespace payg::billing {
namespace {

constexpr std::chrono::nanoseconds minute = std::chrono::minutes(1);

/// Spreads all bits (the finalizer of splitmix64).
constexpr std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

}  // namespace

FailureLimit::FailureLimit(unsigned per_minute, std::uint64_t seed)
    : seed_(seed), per_minute_(per_minute), table_(sets) {}

/// IPv4 addresses stand where the multicast prefixes of IPv6 are, from which nobody connects.
std::uint64_t FailureLimit::key_of(const IpAddress& client) noexcept {
  const IpAddress ip = client.unmapped();
  const std::size_t length = ip.is_v4() ? 4 : 8;
  std::uint64_t key = ip.is_v4() ? 0xffff'ffffU : 0;
  for (std::size_t i = 0; i < length; ++i) key = (key << 8) | ip.bytes()[i];
  return key;
}

std::size_t FailureLimit::set_of(std::uint64_t key) const noexcept {
  return mix(key ^ seed_) % sets;
}

std::chrono::nanoseconds FailureLimit::share() const {
  return minute / per_minute_;
}

std::chrono::seconds FailureLimit::wait(const IpAddress& client, MonotonicTime now) const {
  const std::uint64_t key = key_of(client);
  const std::lock_guard lock(mutex_);
  if (per_minute_ == no_limit) return std::chrono::seconds(0);
  const Set& set = table_[set_of(key)];
  const auto record =
      std::find_if(set.begin(), set.end(), [key](const Record& one) { return one.client == key; });
  if (record == set.end() || record->made_up_at <= now) return std::chrono::seconds(0);
  const auto missing = record->made_up_at - now + share() - minute;
  return std::max(std::chrono::seconds(0), std::chrono::ceil<std::chrono::seconds>(missing));
}

void FailureLimit::note_failure(const IpAddress& client, MonotonicTime now) {
  const std::uint64_t key = key_of(client);
  const std::lock_guard lock(mutex_);
  if (per_minute_ == no_limit) return;
  Set& set = table_[set_of(key)];
  auto record = std::find_if(set.begin(), set.end(), [key](const Record& one) { return one.client == key; });
  if (record == set.end()) {
    record = std::min_element(set.begin(), set.end(),
                              [](const Record& a, const Record& b) { return a.made_up_at < b.made_up_at; });
    *record = {.client = key, .made_up_at = now};
  }
  record->made_up_at = std::min(std::max(record->made_up_at, now) + share(), now + minute);
}

void FailureLimit::set_per_minute(unsigned per_minute) {
  const std::lock_guard lock(mutex_);
  per_minute_ = per_minute;
}

}  // namespace payg::billing
