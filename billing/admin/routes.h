#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "billing/admin/access.h"
#include "billing/admin/call.h"
#include "billing/admin/metrics_text.h"

namespace payg::billing {

/// What a call that needs no ledger may look at; on the admin loop.
struct LocalCall {
  Metering& metering;
  plugin::Host& host;
  const RequestCounts& requests;
};

/// How much of the ledger a call of the operator's may look at. What reads all of it, or all that is live,
/// takes its time, on a thread where no customer waits; a user's own reads what is his, where everybody
/// waits.
enum class Reads { few_rows, whole_ledger };

/// One call: what it is asked by, who may, and the function that answers.
struct Route {
  using OnLedger = Reply (*)(const Call&);
  using AtOnce = Reply (*)(const LocalCall&);

  std::string_view method;
  std::string_view pattern;  ///< a path in which one segment may be {}
  Who who;
  std::variant<OnLedger, AtOnce> answer;
  Reads reads = Reads::few_rows;
};

/// The table of all calls.
std::span<const Route> routes();

/// Where a request leads: a route and what stood in the place of {}; or the refusal (404, 405 with Allow, or
/// the answer to OPTIONS).
struct Destination {
  const Route* route;
  std::string parameter;
};
Result<Destination, Reply> find_route(const Request& request);

}  // namespace payg::billing
