#pragma once

#include "billing/payments/payment_provider.h"

namespace payg::billing {

/// Pays every order at once, with nobody's money: for demonstrations and tests. The configuration refuses it
/// unless the admin port is on a loopback address.
class SimulatedProvider final : public PaymentProvider {
 public:
  std::string_view name() const noexcept override { return "simulated"; }
  std::string new_reference() const override;
  Result<PlacedOrder, PaymentError> begin(Ledger& ledger, const Order& order, WallTime at) const override;
};

}  // namespace payg::billing
