#include <algorithm>

#include "billing/admin/calls.h"
#include "billing/admin/can_start.h"
#include "billing/admin/problem.h"
#include "billing/admin/row_json.h"

namespace payg::billing {

Reply show_balance(const Call& call) {
  auto standing = call.ledger.standing(call.caller.user.id);
  if (!standing.ok()) return problem(standing.error());
  auto sessions = call.ledger.live_sessions(call.caller.user.id);
  if (!sessions.ok()) return problem(sessions.error());

  const auto pricing = call.metering.pricing();
  const Credits balance = standing->balance;
  const auto left = pricing->rate.time_for(std::max(balance, Credits()));
  JsonWriter json;
  json.begin_object().text("user", call.caller.user.name);
  write_balance(json, balance);
  json.text("currency", pricing->currency)
      .digits("rate_per_hour", rate_text(pricing->rate))
      .digits("hours_left", hours_text(left))
      .number("seconds_left", std::chrono::floor<std::chrono::seconds>(left).count());
  write_can_start(json, *standing, *pricing, call.now());
  json.money("minimum_to_start", pricing->minimum_to_start).number("sessions", sessions->size()).end_object();
  return {.body = std::move(json).take()};
}

Reply list_packages(const config::PricingConfig& pricing) {
  JsonWriter json;
  json.begin_array();
  for (const config::PackageConfig& package : pricing.packages) {
    json.begin_object()
        .money("amount", package.price)
        .money("price", package.price)
        .text("currency", pricing.currency)
        .money("credits", package.credits)
        .money("bonus", package.credits.minus(package.price).value_or(Credits()))
        .digits("hours", hours_text(pricing.rate.time_for(package.credits)))
        .end_object();
  }
  json.end_array();
  return {.body = std::move(json).take()};
}

}  // namespace payg::billing
