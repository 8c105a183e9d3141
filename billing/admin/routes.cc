#include "billing/admin/routes.h"

#include <array>
#include <optional>

#include "billing/admin/calls.h"
#include "billing/admin/json_text.h"
#include "billing/admin/problem.h"
#include "billing/admin/url_text.h"

namespace payg::billing {
namespace {

Reply show_index(const LocalCall&) {
  JsonWriter json;
  json.begin_object().text("service", "payg-proxy").begin_array("calls");
  for (const Route& route : routes()) json.text(std::string(route.method) + ' ' + std::string(route.pattern));
  json.end_array().end_object();
  return {.body = std::move(json).take()};
}

Reply show_packages(const LocalCall& call) {
  return list_packages(*call.metering.pricing());
}

Reply show_health(const LocalCall&) {
  return {.body = R"({"status":"ok"})"};
}

Reply show_readiness(const LocalCall& call) {
  if (!call.metering.is_in_service())
    return problem(Problem::out_of_service,
                   "This process is stopping, or another one has started by the name of its node.");
  if (call.metering.ledger_state() == LedgerState::away)
    return problem(Problem::ledger_unavailable, "Live sessions go on for a while; new ones are refused.");
  return {.body = R"({"status":"ready"})"};
}

Reply show_metrics(const LocalCall& call) {
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
          .body = metrics_text(call.host.metrics(), call.metering.counters(), call.metering.ledger_state(),
                               call.requests)};
}

constexpr std::array table{
    Route{"GET", "/", Who::anyone, show_index},
    Route{"GET", "/api/credits/balance", Who::user, show_balance},
    Route{"GET", "/api/credits/packages", Who::anyone, show_packages},
    Route{"POST", "/api/credits/purchase", Who::user, purchase_package},
    Route{"GET", "/api/credits/orders/{}", Who::user, show_order},
    Route{"GET", "/api/credits/transactions", Who::user, show_transactions},
    Route{"GET", "/api/credits/usage", Who::user, show_usage},
    Route{"GET", "/api/sessions", Who::user_or_operating, list_sessions, Reads::whole_ledger},
    Route{"DELETE", "/api/sessions/{}", Who::user_or_operating, end_session},
    Route{"GET", "/api/locations", Who::user, show_locations},
    Route{"PUT", "/api/locations/default", Who::user, set_default_location},
    Route{"GET", "/api/addresses", Who::user, list_addresses},
    Route{"POST", "/api/addresses", Who::user, add_address},
    Route{"DELETE", "/api/addresses/{}", Who::user, remove_address},
    Route{"GET", "/api/admin/exits", Who::operating, list_exits},
    Route{"GET", "/api/admin/users", Who::operating, list_users, Reads::whole_ledger},
    Route{"POST", "/api/admin/users", Who::operating, create_user},
    Route{"GET", "/api/admin/users/{}", Who::operating, show_user},
    Route{"PATCH", "/api/admin/users/{}", Who::operating, change_user},
    Route{"POST", "/api/admin/users/{}/token", Who::operating, replace_token},
    Route{"POST", "/api/admin/users/{}/credits", Who::operating, adjust_credits},
    Route{"GET", "/api/admin/users/{}/addresses", Who::operating, list_addresses},
    Route{"POST", "/api/admin/users/{}/addresses", Who::operating, add_address},
    Route{"DELETE", "/api/admin/users/{}/addresses", Who::operating, remove_address},
    Route{"GET", "/api/admin/audit", Who::operating, show_audit, Reads::whole_ledger},
    Route{"GET", "/healthz", Who::anyone, show_health},
    Route{"GET", "/readyz", Who::anyone, show_readiness},
    Route{"GET", "/metrics", Who::anyone, show_metrics},
};

// What stands in the place of {}, the empty string when there is none; nullopt: the path is another one.
std::optional<std::string> match(std::string_view pattern, std::string_view path) {
  const auto hole = pattern.find("{}");
  if (hole == std::string_view::npos) return path == pattern ? std::optional(std::string()) : std::nullopt;
  const std::string_view before = pattern.substr(0, hole), after = pattern.substr(hole + 2);
  if (path.size() <= before.size() + after.size()) return std::nullopt;
  if (!path.starts_with(before) || !path.ends_with(after)) return std::nullopt;
  const auto segment = path.substr(before.size(), path.size() - before.size() - after.size());
  if (segment.find('/') != std::string_view::npos) return std::nullopt;
  return decode_segment(segment);
}

bool answers(const Route& route, const std::string& method) {
  return route.method == method || (method == "HEAD" && route.method == "GET");
}

Reply refuse_method(const Request& request, const std::string& allowed) {
  Reply reply{.status = 204, .content_type = {}, .headers = {}, .body = {}};
  if (request.method != "OPTIONS")
    reply = problem(Problem::method_not_allowed, "This path answers " + allowed + ".");
  reply.headers.emplace_back("Allow", allowed);
  return reply;
}

}  // namespace

std::span<const Route> routes() {
  return table;
}

Result<Destination, Reply> find_route(const Request& request) {
  std::string allowed;
  for (const Route& route : table) {
    auto parameter = match(route.pattern, request.path);
    if (!parameter) continue;
    if (answers(route, request.method)) return Destination{&route, std::move(*parameter)};
    allowed += std::string(route.method) + (route.method == "GET" ? ", HEAD, " : ", ");
  }
  if (allowed.empty()) return problem(Problem::not_found, "No call has this path.");
  return refuse_method(request, allowed + "OPTIONS");
}

}  // namespace payg::billing
