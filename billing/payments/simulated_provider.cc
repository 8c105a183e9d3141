#include "billing/payments/simulated_provider.h"

#include <utility>

#include "billing/payments/secrets.h"

namespace payg::billing {
namespace {

PaymentError from_ledger(const LedgerError& error) {
  return {.code = PaymentError::Code::ledger, .ledger = error.code, .message = error.message};
}

}  // namespace

std::string SimulatedProvider::new_reference() const {
  return "sim-" + random_name();
}

Result<PlacedOrder, PaymentError> SimulatedProvider::begin(Ledger& ledger, const Order& order,
                                                           WallTime at) const {
  auto placed = ledger.create_order(order);
  if (!placed.ok()) return from_ledger(placed.error());
  // Also an order that stood already: the call that placed it may have died before it could pay.
  auto paid = ledger.settle_order(placed->order.reference, at);
  if (!paid.ok()) return from_ledger(paid.error());
  return PlacedOrder{.order = std::move(*paid), .origin = placed->origin};
}

}  // namespace payg::billing
