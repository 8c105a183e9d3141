#include "billing/admin/can_start.h"

#include "billing/core/admission.h"
#include "config/duration.h"
#include "plugin/api/plugin.h"

namespace payg::billing {
namespace {

std::string reason_of(const Standing& standing, const config::PricingConfig& pricing) {
  if (standing.balance <= Credits()) return "The balance is used up; buy credits to go on.";
  return "The balance is below minimum_to_start, " + money_text(pricing.minimum_to_start) +
         ", and no session has ended within the last " + config::format_duration(pricing.resume_window) + ".";
}

}  // namespace

void write_can_start(JsonWriter& json, const Standing& standing, const config::PricingConfig& pricing,
                     WallTime now) {
  const StartTerms terms{.minimum_to_start = pricing.minimum_to_start,
                         .resume_window = pricing.resume_window};
  if (may_start(standing.balance, standing.last_session_end, terms, now) == StartVerdict::may_start) {
    json.truth("can_start", true).null("code").null("reason");
    return;
  }
  json.truth("can_start", false)
      .text("code", name_of(plugin::Reason::payment_required))
      .text("reason", reason_of(standing, pricing));
}

}  // namespace payg::billing
