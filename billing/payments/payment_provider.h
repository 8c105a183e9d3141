#pragma once

#include <string>
#include <string_view>

#include "billing/ledger/ledger.h"

namespace payg::billing {

struct PaymentError {
  enum class Code {
    ledger,       ///< the ledger refused; `ledger` says how
    refused,      ///< the provider will not take this payment
    unavailable,  ///< the provider cannot be reached: nothing was credited, ask again with the same key
  };
  Code code = Code::unavailable;
  LedgerError::Code ledger = LedgerError::Code::unavailable;
  std::string message;  ///< one line, for the log
};

/// A way to pay for an order. Stateless towards orders: what is known about one stands in the ledger, so that
/// another process can go on with it.
class PaymentProvider {
 public:
  virtual ~PaymentProvider() = default;

  /// What a purchase names as its method and an order keeps as its provider.
  virtual std::string_view name() const noexcept = 0;

  /// A reference that nobody else has and nobody can guess: letters, digits and '-', which every provider
  /// takes.
  virtual std::string new_reference() const = 0;

  /// Places the order and takes the payment as far as it goes without the customer: paid, or pending with a
  /// place to pay at. The same idempotency key goes on with the order that it began. Blocks; a thread that
  /// owns `ledger`.
  virtual Result<PlacedOrder, PaymentError> begin(Ledger& ledger, const Order& order, WallTime at) const = 0;
};

}  // namespace payg::billing
