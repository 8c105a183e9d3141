#include "billing/failure_limit.h"

#include <algorithm>

#include "plugin/base/spread_bits.h"

namespace payg::billing {
namespace {

constexpr std::chrono::nanoseconds minute = std::chrono::minutes(1);

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

FailureLimit::Set& FailureLimit::set_of(std::uint64_t key) {
  return table_[spread_bits(key ^ seed_) % sets];
}

FailureLimit::Record* FailureLimit::find(Set& set, std::uint64_t key) {
  const auto found =
      std::find_if(set.begin(), set.end(), [key](const Record& one) { return one.client == key; });
  return found == set.end() ? nullptr : &*found;
}

std::chrono::nanoseconds FailureLimit::share() const {
  return minute / per_minute_;
}

FailureLimit::Try FailureLimit::begin(const IpAddress& client, MonotonicTime now) {
  const std::uint64_t key = key_of(client);
  const std::lock_guard lock(mutex_);
  if (per_minute_ == no_limit) return {};
  Record* const record = find(set_of(key), key);
  if (record == nullptr || record->made_up_at <= now) return {};
  const auto missing = record->made_up_at + share() - now - minute;
  if (missing > std::chrono::nanoseconds(0))
    return {.wait = std::chrono::ceil<std::chrono::seconds>(missing)};
  record->made_up_at += share();
  return {.stake = Stake::a_failure};
}

void FailureLimit::failed(const IpAddress& client, Stake stake, MonotonicTime now) {
  const std::uint64_t key = key_of(client);
  const std::lock_guard lock(mutex_);
  if (per_minute_ == no_limit || stake == Stake::a_failure) return;
  Set& set = set_of(key);
  Record* record = find(set, key);
  if (record == nullptr) {
    record = &*std::min_element(set.begin(), set.end(),
                                [](const Record& a, const Record& b) { return a.made_up_at < b.made_up_at; });
    *record = {.client = key, .made_up_at = now};
  }
  record->made_up_at = std::min(std::max(record->made_up_at, now) + share(), now + minute);
}

void FailureLimit::did_not_fail(const IpAddress& client, Stake stake) {
  const std::uint64_t key = key_of(client);
  const std::lock_guard lock(mutex_);
  if (per_minute_ == no_limit || stake == Stake::nothing) return;
  if (Record* const record = find(set_of(key), key)) record->made_up_at -= share();
}

void FailureLimit::set_per_minute(unsigned per_minute) {
  const std::lock_guard lock(mutex_);
  per_minute_ = per_minute;
}

}  // namespace payg::billing
