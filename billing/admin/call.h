#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "billing/admin/http_message.h"
#include "billing/ledger/client_network.h"
#include "billing/ledger/ledger.h"
#include "billing/metering.h"
#include "billing/payments/payment_provider.h"
#include "plugin/api/plugin.h"
#include "plugin/base/address.h"

namespace payg::billing {

/// What of the configuration the calls go by; replaced as a whole when it is reloaded.
struct Settings {
  std::optional<TokenHash> operator_token;  ///< nullopt: no operator calls
  std::string anonymous_user;               ///< empty: a token is needed
  IpAddress own_address;                    ///< as configured
  std::vector<std::shared_ptr<const PaymentProvider>> providers;
  NetworkWidth widest_networks;  ///< that users list by themselves
};

/// Who a request speaks for.
struct Caller {
  enum class Kind { nobody, user, operating };
  Kind kind = Kind::nobody;
  User user;  ///< when kind is user
};

/// One request on its way through the ledger thread. Everything referred to lives until it is answered.
struct Call {
  const Request& request;
  std::string parameter;  ///< what stood in the place of {} in the route, decoded
  Caller caller;
  const Settings& settings;
  Metering& metering;
  plugin::Host& host;
  Ledger& ledger;

  WallTime now() const { return host.clock().wall_now(); }
};

}  // namespace payg::billing
