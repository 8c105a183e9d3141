#include "billing/admin/problem.h"

#include <array>
#include <cstdlib>

#include "billing/admin/json_text.h"

namespace payg::billing {
namespace {

struct Row {
  Problem what;
  int status;
  std::string_view code;
  std::string_view title;
};

constexpr std::array table{
    Row{Problem::malformed_request, 400, "malformed_request", "The request cannot be read"},
    Row{Problem::invalid_json, 400, "invalid_json", "The body is not a JSON object"},
    Row{Problem::invalid_value, 422, "invalid_value", "A value is missing or not acceptable"},
    Row{Problem::not_a_package, 422, "not_a_package", "No package has this price"},
    Row{Problem::unknown_method, 422, "unknown_method", "No such payment method"},
    Row{Problem::no_payment_method, 409, "no_payment_method", "No payment method is set up here"},
    Row{Problem::idempotency_key_reused, 422, "idempotency_key_reused",
        "The idempotency key was used for something else"},
    Row{Problem::unauthorized, 401, "unauthorized", "A valid token is needed"},
    Row{Problem::forbidden, 403, "forbidden", "This token may not do that"},
    Row{Problem::user_disabled, 403, "user_disabled", "The user is disabled"},
    Row{Problem::cross_origin, 403, "cross_origin", "Other sites may not do that"},
    Row{Problem::host_not_allowed, 421, "host_not_allowed", "This host name is not served here"},
    Row{Problem::not_found, 404, "not_found", "There is nothing here by that name"},
    Row{Problem::method_not_allowed, 405, "method_not_allowed", "This cannot be done here"},
    Row{Problem::too_large, 413, "too_large", "The body is too large"},
    Row{Problem::no_such_location, 422, "no_such_location", "No exit stands there"},
    Row{Problem::user_exists, 409, "user_exists", "The name is taken"},
    Row{Problem::network_taken, 409, "network_taken", "Another user has listed this network"},
    Row{Problem::too_many_networks, 409, "too_many_networks", "No more networks can be listed"},
    Row{Problem::insufficient_credits, 409, "insufficient_credits", "The balance does not cover it"},
    Row{Problem::payment_refused, 502, "payment_refused", "The payment provider refused"},
    Row{Problem::payment_unavailable, 503, "payment_unavailable", "The payment provider cannot be reached"},
    Row{Problem::busy, 503, "busy", "Too much is being asked at once"},
    Row{Problem::ledger_unavailable, 503, "ledger_unavailable", "The ledger cannot be reached"},
    Row{Problem::out_of_service, 503, "out_of_service", "No session starts here any more"},
    Row{Problem::internal, 500, "internal", "Something is wrong here"},
};

const Row& row_of(Problem what) {
  for (const Row& row : table)
    if (row.what == what) return row;
  std::abort();  // a Problem without a row: our own bug
}

// What only the operator can do something about.
bool is_for_the_log(LedgerError::Code code) {
  using Code = LedgerError::Code;
  return code == Code::unavailable || code == Code::broken || code == Code::invalid;
}

Reply document(Problem what, std::string_view detail, std::string_view reference) {
  const Row& row = row_of(what);
  JsonWriter json;
  json.begin_object()
      .text("type", "urn:payg-proxy:problem:" + std::string(row.code))
      .text("title", row.title)
      .number("status", row.status)
      .text("detail", detail)
      .text("code", row.code);
  if (!reference.empty()) json.text("reference", reference);
  json.end_object();
  Reply reply{.status = row.status,
              .content_type = "application/problem+json",
              .headers = {},
              .body = std::move(json).take()};
  if (row.status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"payg-proxy\"");
  if (row.status == 503) reply.headers.emplace_back("Retry-After", "2");
  return reply;
}

std::string log_line_of(const LedgerError& error) {
  return std::string(name_of(error.code)) + ": " + error.message;
}

Reply in_words_of_the_port(const LedgerError& error) {
  switch (error.code) {
    case LedgerError::Code::unavailable: return problem(Problem::ledger_unavailable, "Ask again soon.");
    case LedgerError::Code::not_found: return problem(Problem::not_found, "There is nothing by that name.");
    case LedgerError::Code::already_exists: return problem(Problem::user_exists, "That name is taken.");
    case LedgerError::Code::conflict:
      return problem(Problem::idempotency_key_reused,
                     "This key or reference stands for another request already.");
    case LedgerError::Code::insufficient:
      return problem(Problem::insufficient_credits, "It would leave less than zero; nothing was changed.");
    case LedgerError::Code::too_many:
      return problem(Problem::too_many_networks, "A user has as many of them as he may.");
    case LedgerError::Code::invalid:
      return problem(Problem::invalid_value, "The ledger does not accept these values.");
    case LedgerError::Code::life_is_over:
    case LedgerError::Code::broken: break;
  }
  return problem(Problem::internal, "The log says more.");
}

}  // namespace

Reply problem(Problem what, std::string_view detail) {
  return document(what, detail, "");
}

Reply problem(const LedgerError& error) {
  Reply reply = in_words_of_the_port(error);
  if (is_for_the_log(error.code)) reply.log_line = log_line_of(error);
  return reply;
}

Reply problem(const LedgerError& error, const Attempt& attempt) {
  if (error.code != LedgerError::Code::unavailable) return problem(error);
  const std::string_view advice =
      attempt.idempotency_key.empty()
          ? "It may have been done. Look for this reference before you ask again, and send an "
            "Idempotency-Key with what must not happen twice."
          : "Ask again soon; with the same Idempotency-Key nothing happens twice.";
  Reply reply = document(Problem::ledger_unavailable, advice, attempt.reference);
  reply.log_line = log_line_of(error);
  return reply;
}

}  // namespace payg::billing
