#include "billing/ledger/migration.h"

namespace payg::billing {

LedgerResult<std::span<const Migration>> missing_migrations(std::span<const Migration> known, int found) {
  if (found < 0 || static_cast<std::size_t>(found) > known.size()) {
    return LedgerError{LedgerError::Code::broken, "the database has schema " + std::to_string(found) +
                                                      ", this program knows schemas up to " +
                                                      std::to_string(known.size()) +
                                                      ": it needs a newer payg-proxy"};
  }
  return known.subspan(static_cast<std::size_t>(found));
}

}  // namespace payg::billing
