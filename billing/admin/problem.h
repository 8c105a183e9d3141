#pragma once

#include <string>
#include <string_view>

#include "billing/admin/http_message.h"
#include "billing/ledger/ledger.h"

namespace payg::billing {

/// Everything that the admin port refuses. problem.cc has the one table of statuses, titles and the stable
/// codes that clients tell them apart by.
enum class Problem {
  malformed_request,
  invalid_json,
  invalid_value,
  not_a_package,
  unknown_method,
  no_payment_method,
  idempotency_key_reused,
  unauthorized,
  forbidden,
  user_disabled,
  cross_origin,
  host_not_allowed,
  not_found,
  method_not_allowed,
  too_large,
  no_such_location,
  user_exists,
  network_taken,
  too_many_networks,
  insufficient_credits,
  payment_refused,
  payment_unavailable,
  busy,
  ledger_unavailable,
  out_of_service,
  internal,
};

/// A problem document (RFC 9457). `detail` is one sentence for a person; never a secret.
Reply problem(Problem what, std::string_view detail);

/// A write that a client may want to send again when it does not learn what came of it.
struct Attempt {
  std::string_view idempotency_key;  ///< empty: the client sent none
  std::string_view reference;        ///< what it is known by in the books, if it was done
};

/// What a ledger's refusal is to a client. `not_found` and `already_exists` are said in the words of users
/// and orders by those who know what was asked for; here they are the general ones. What the operator should
/// hear of goes into the reply's log_line.
Reply problem(const LedgerError& error);
/// The same for a write; while its outcome is unknown, with the `reference` to look for.
Reply problem(const LedgerError& error, const Attempt& attempt);

}  // namespace payg::billing
