#pragma once

#include "billing/admin/json_text.h"
#include "billing/ledger/ledger.h"
#include "config/billing_config.h"

namespace payg::billing {

/// Whether a session of the user would be let in at this moment, as far as his balance goes, as three members
/// of an object that was begun: can_start; code and reason, which are null when it would.
void write_can_start(JsonWriter& json, const Standing& standing, const config::PricingConfig& pricing,
                     WallTime now);

}  // namespace payg::billing
