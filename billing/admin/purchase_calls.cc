#include <algorithm>

#include "billing/admin/body.h"
#include "billing/admin/calls.h"
#include "billing/admin/json_text.h"
#include "billing/admin/problem.h"
#include "billing/payments/secrets.h"

namespace payg::billing {
namespace {

Result<std::shared_ptr<const PaymentProvider>, Reply> choose_provider(const Call& call,
                                                                      const JsonObject& body) {
  const auto& providers = call.settings.providers;
  if (providers.empty())
    return problem(Problem::no_payment_method, "Ask the operator for credits; nothing is sold here.");
  const auto method = optional_text(body, "method");
  if (!method.ok()) return method.error();
  if (method->empty() && providers.size() == 1) return providers.front();
  for (const auto& provider : providers)
    if (provider->name() == *method) return provider;
  std::string known;
  for (const auto& provider : providers) known += (known.empty() ? "" : ", ") + std::string(provider->name());
  return problem(Problem::unknown_method, "method is one of: " + known + ".");
}

Result<config::PackageConfig, Reply> choose_package(const config::PricingConfig& pricing,
                                                    const JsonObject& body) {
  const auto price = amount_of(body, "amount");
  if (!price.ok()) return price.error();
  for (const config::PackageConfig& package : pricing.packages)
    if (package.price == *price) return package;
  std::string prices;
  for (const config::PackageConfig& package : pricing.packages)
    prices += (prices.empty() ? "" : ", ") + money_text(package.price);
  return problem(Problem::not_a_package, "amount is the price of a package: " + prices + ".");
}

// What makes two requests with one idempotency key the same: what they ask for, not how they are spelled.
std::string digest_of(std::string_view method, Credits price) {
  return sha256_hex("purchase\n" + std::string(method) + '\n' + std::to_string(price.units()));
}

Reply refusal_of(const PaymentError& error, const Attempt& attempt) {
  if (error.code == PaymentError::Code::ledger)
    return problem(LedgerError{.code = error.ledger, .message = error.message}, attempt);
  Reply reply =
      error.code == PaymentError::Code::refused
          ? problem(Problem::payment_refused, "Nothing was credited.")
          : problem(Problem::payment_unavailable,
                    attempt.idempotency_key.empty()
                        ? "Nothing was credited."
                        : "Nothing was credited; the same Idempotency-Key goes on with the same order.");
  reply.log_line = error.message;
  return reply;
}

Reply describe(const Order& order) {
  JsonWriter json;
  json.begin_object()
      .text("reference", order.reference)
      .text("status", name_of(order.state))
      .text("method", order.provider)
      .money("price", order.price)
      .text("currency", order.currency)
      .money("credits", order.credits.plus(order.bonus).value_or(order.credits))
      .money("bonus", order.bonus);
  order.authorization_url.empty() ? json.null("authorization_url")
                                  : json.text("authorization_url", order.authorization_url);
  json.time("created_at", order.created_at);
  order.paid_at ? json.time("paid_at", *order.paid_at) : json.null("paid_at");
  json.end_object();
  return {.body = std::move(json).take()};
}

}  // namespace

Reply purchase_package(const Call& call) {
  const auto body = read_body(call.request);
  if (!body.ok()) return body.error();
  const auto provider = choose_provider(call, *body);
  if (!provider.ok()) return provider.error();
  const auto pricing = call.metering.pricing();
  const auto package = choose_package(*pricing, *body);
  if (!package.ok()) return package.error();
  const auto key = idempotency_key(call.request);
  if (!key.ok()) return key.error();

  const WallTime now = call.now();
  const Order order{
      .reference = (*provider)->new_reference(),
      .user = call.caller.user.id,
      .provider = std::string((*provider)->name()),
      .state = OrderState::pending,
      .price = package->price,
      .currency = pricing->currency,
      .credits = package->price,
      .bonus = package->credits.minus(package->price).value_or(Credits()),
      .idempotency_key = *key,
      .request_digest = key->empty() ? std::string() : digest_of((*provider)->name(), package->price),
      .authorization_url = {},
      .created_at = now,
      .paid_at = {}};
  const auto placed = (*provider)->begin(call.ledger, order, now);
  if (!placed.ok()) {
    // With a key it may have been an order of an earlier request, which has another reference.
    const std::string_view reference = key->empty() ? order.reference : std::string_view();
    return refusal_of(placed.error(), {.idempotency_key = *key, .reference = reference});
  }
  call.metering.user_changed(call.caller.user);

  Reply reply = describe(placed->order);
  // By its reference, which is this request's own: the ledger may have asked twice, and found the second time
  // what the first had made.
  reply.status = placed->order.reference == order.reference ? 201 : 200;
  reply.headers.emplace_back("Location", "/api/credits/orders/" + placed->order.reference);
  return reply;
}

Reply show_order(const Call& call) {
  const auto order = call.ledger.find_order(call.parameter);
  const bool missing = !order.ok() && order.error().code == LedgerError::Code::not_found;
  if (missing || (order.ok() && order->user != call.caller.user.id))
    return problem(Problem::not_found, "You have no order with this reference.");
  if (!order.ok()) return problem(order.error());
  return describe(*order);
}

}  // namespace payg::billing
