#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "billing/metering.h"
#include "plugin/api/plugin.h"

namespace payg::billing {

/// How many requests the admin port answered, by route and status.
struct AnsweredBy {
  std::string_view route;  ///< the route's pattern; lives as long as the program
  int status = 0;
  auto operator<=>(const AnsweredBy&) const = default;
};
using RequestCounts = std::map<AnsweredBy, std::uint64_t>;

/// Everything there is to watch, in the Prometheus text format 0.0.4: the proxy's own counters, the meter's,
/// the ledger's state and the admin port's.
std::string metrics_text(const std::vector<plugin::Metric>& proxy, const MeteringCounters& metering,
                         LedgerState ledger, const RequestCounts& requests);

}  // namespace payg::billing
