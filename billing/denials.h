#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "billing/core/end_reason.h"
#include "plugin/api/plugin.h"

/// What people are told when they are refused or cut. One place, so that the words are the same everywhere.
namespace payg::billing::denials {

plugin::Denial bad_credentials();
/// From an address that others have tried wrong tokens from as well, perhaps. `wait`: until the next try.
plugin::Denial too_many_wrong_tokens(std::chrono::seconds wait);
plugin::Denial bad_user_name(std::string_view what);
plugin::Denial disabled();
plugin::Denial payment_required(const std::string& url);
plugin::Denial ledger_away();
plugin::Denial too_many_sessions();
plugin::Denial session_limit();
plugin::Denial stopping();

/// Why the connections of a session that ended are closed. `url`: where credits are bought.
plugin::Denial for_end(EndReason why, const std::string& url);

}  // namespace payg::billing::denials
