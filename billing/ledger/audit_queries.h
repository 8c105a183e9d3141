#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace payg::billing {

// The audit in SQL that both databases understand. All of it runs in one snapshot, and no table is read more
// than a few times, so that a million transactions are a matter of seconds.

/// users, transactions, sessions, orders.
inline constexpr const char* audit_counts =
    "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM credit_transactions),"
    "       (SELECT count(*) FROM metered_sessions), (SELECT count(*) FROM payment_orders)";

/// Each gives rows of (invariant, subject, detail, how many such rows there are in all); its one parameter is
/// how many to list at most. `session_hex` is how the database writes the column session_id as 16 hexadecimal
/// digits.
std::vector<std::string> audit_queries(std::string_view session_hex);

}  // namespace payg::billing
