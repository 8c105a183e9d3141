#pragma once

#include "billing/admin/call.h"

namespace payg::billing {

// The calls that need the ledger, one function each. They run on the ledger thread, after the caller was
// identified. Their shapes are DESIGN.md's, "HTTP API".

// credit_calls.cc
Reply show_balance(const Call& call);
/// Asks nothing but the configuration in force: any thread.
Reply list_packages(const config::PricingConfig& pricing);

// history_calls.cc
Reply show_transactions(const Call& call);
Reply show_usage(const Call& call);

// purchase_calls.cc
Reply purchase_package(const Call& call);
Reply show_order(const Call& call);

// session_calls.cc
Reply list_sessions(const Call& call);
Reply end_session(const Call& call);

// location_calls.cc
Reply show_locations(const Call& call);
Reply set_default_location(const Call& call);
Reply list_exits(const Call& call);

// address_calls.cc; of the caller, or of the user whom the operator names
Reply list_addresses(const Call& call);
Reply add_address(const Call& call);
Reply remove_address(const Call& call);

// operator_calls.cc
Reply list_users(const Call& call);
Reply create_user(const Call& call);
Reply show_user(const Call& call);
Reply change_user(const Call& call);
Reply replace_token(const Call& call);
Reply adjust_credits(const Call& call);
Reply show_audit(const Call& call);

}  // namespace payg::billing
