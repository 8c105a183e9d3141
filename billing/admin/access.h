#pragma once

#include "billing/admin/call.h"
#include "plugin/base/result.h"

namespace payg::billing {

/// Who may make a call.
enum class Who { anyone, user, operating, user_or_operating };

/// Refuses what a web page of another site may have sent without its visitor's will; nullopt: go on. Any
/// thread, no ledger.
///
/// - Anything but GET, HEAD and OPTIONS is refused when an Origin field is there that is not the host that
/// was
///   asked, or Sec-Fetch-Site says "cross-site" or "same-site". Browsers send one or both with every such
///   request, also with a form's; programs like curl send neither.
/// - While requests without a token act as a user, the Host must be localhost, a loopback literal or the
///   configured address: a name that was rebound to us (DNS rebinding) is another site, too.
std::optional<Reply> refuse_foreign_page(const Request& request, const Settings& settings);

/// Whether the Authorization field has the operator's token. Any thread, no ledger, compared in constant
/// time.
bool speaks_for_operator(const Request& request, const Settings& settings);

/// Who the Authorization field (RFC 6750 §2.1) speaks for, or the refusal: 401 without a valid token, 403
/// when the user is disabled or may not make this call. Ledger thread. Users' tokens are found by their hash,
/// the operator's is compared in constant time.
Result<Caller, Reply> identify(const Request& request, Who who, const Settings& settings, Ledger& ledger);

}  // namespace payg::billing
