#include "billing/admin/routes.h"

#include <array>
#include <optional>

#include "billing/admin/calls.h"
#include "billing/admin/json_text.h"
#include "billing/admin/problem.h"

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
    Route{"GET", "/api/sessions", Who::user_or_operating, list_sessions},
    Route{"DELETE", "/api/sessions/{}", Who::user_or_operating, end_session},
    Route{"GET", "/api/admin/users", Who::operating, list_users, Reads::whole_ledger},
    Route{"POST", "/api/admin/users", Who::operating, create_user},
    Route{"GET", "/api/admin/users/{}", Who::operating, show_user},
    Route{"PATCH", "/api/admin/users/{}", Who::operating, change_user},
    Route{"POST", "/api/admin/users/{}/token", Who::operating, replace_token},
    Route{"POST", "/api/admin/users/{}/credits", Who::operating, adjust_credits},
    Route{"GET", "/api/admin/audit", Who::operating, show_audit, Reads::whole_ledger},
    Route{"GET", "/healthz", Who::anyone, show_health},
    Route{"GET", "/readyz", Who::anyone, show_readiness},
    Route{"GET", "/metrics", Who::anyone, show_metrics},
};

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// How many bytes of UTF-8 (RFC 3629 §4) stand at the beginning of `text` for one character that a name may
// have; 0: none do.
std::size_t character_at(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto in = [](unsigned value, unsigned low, unsigned high) { return value >= low && value <= high; };
  const unsigned first = byte(0);
  if (in(first, 0x20, 0x7e)) return 1;
  if (in(first, 0xc2, 0xdf)) return in(byte(1), 0x80, 0xbf) ? 2 : 0;
  const bool follow = in(byte(2), 0x80, 0xbf);
  if (in(first, 0xe0, 0xef)) {
    const unsigned low = first == 0xe0 ? 0xa0 : 0x80, high = first == 0xed ? 0x9f : 0xbf;
    return in(byte(1), low, high) && follow ? 3 : 0;
  }
  const unsigned low = first == 0xf0 ? 0x90 : 0x80, high = first == 0xf4 ? 0x8f : 0xbf;
  return in(first, 0xf0, 0xf4) && in(byte(1), low, high) && follow && in(byte(3), 0x80, 0xbf) ? 4 : 0;
}

bool is_text(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = character_at(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

// nullopt: a broken escape, a control character or no UTF-8, which no name has.
std::optional<std::string> decoded(std::string_view segment) {
  std::string out;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] != '%') {
      out += segment[i];
      continue;
    }
    if (i + 2 >= segment.size()) return std::nullopt;
    const int high = hex_value(segment[i + 1]), low = hex_value(segment[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return is_text(out) ? std::optional(out) : std::nullopt;
}

// What stands in the place of {}, the empty string when there is none; nullopt: the path is another one.
std::optional<std::string> match(std::string_view pattern, std::string_view path) {
  const auto hole = pattern.find("{}");
  if (hole == std::string_view::npos) return path == pattern ? std::optional(std::string()) : std::nullopt;
  const std::string_view before = pattern.substr(0, hole), after = pattern.substr(hole + 2);
  if (path.size() <= before.size() + after.size()) return std::nullopt;
  if (!path.starts_with(before) || !path.ends_with(after)) return std::nullopt;
  const auto segment = path.substr(before.size(), path.size() - before.size() - after.size());
  if (segment.find('/') != std::string_view::npos) return std::nullopt;
  return decoded(segment);
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
