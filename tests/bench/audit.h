#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "billing/ledger/ledger.h"
#include "tests/contract/books.h"

namespace payg::bench {

/// One audit of a large ledger, and what it does to the charges that go on beside it.
struct AuditResult {
  std::string ledger;
  billing::AuditReport report;
  std::chrono::milliseconds filled_in{0};
  std::chrono::milliseconds took{0};
  /// Of batches of charges, before the audit and during it.
  std::vector<std::chrono::nanoseconds> charges_before, charges_during;
};

/// REQUIRES: users >= 100.
AuditResult measure_audit(test::Engine engine, std::int64_t users);

}  // namespace payg::bench
