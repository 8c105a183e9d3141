#pragma once

#include <cstdint>

#include "tests/contract/books.h"

namespace payg::bench {

/// Fills a fresh, migrated ledger behind its back: for each user an order, two sessions (one of them lives,
/// and has charges that are not posted) and ten transactions. The books are right: every balance is computed
/// from what was written, not from what an audit adds up.
void fill_with_users(test::Books& books, test::Engine engine, std::int64_t users);

/// The live session of a user of such a ledger, and its next charge, at the price of minute().
billing::ChargeRequest next_charge(std::int64_t user, std::uint32_t later);

}  // namespace payg::bench
