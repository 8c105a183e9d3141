#include <algorithm>

#include "billing/admin/calls.h"
#include "billing/admin/problem.h"
#include "billing/admin/row_json.h"

namespace payg::billing {
namespace {

Reply no_such_session() {
  return problem(Problem::not_found, "There is no such live session.");
}

void describe(JsonWriter& json, const SessionRow& row, const std::optional<LiveSession>& live) {
  json.begin_object();
  write_session(json, row);
  // Another node's connections are not known here.
  if (live) {
    json.number("connections", live->connections)
        .number("bytes_up", live->up_bytes)
        .number("bytes_down", live->down_bytes);
  } else {
    json.null("connections").null("bytes_up").null("bytes_down");
  }
  json.end_object();
}

// Whose sessions the caller may see; nullopt: everybody's.
LedgerResult<std::optional<UserId>> whose(const Call& call) {
  if (call.caller.kind == Caller::Kind::user) return std::optional(call.caller.user.id);
  const auto name = call.request.query.find("user");
  if (name == call.request.query.end()) return std::optional<UserId>();
  auto user = call.ledger.find_user(name->second);
  if (!user.ok()) return user.error();
  return std::optional(user->id);
}

}  // namespace

Reply list_sessions(const Call& call) {
  const auto user = whose(call);
  if (!user.ok()) return problem(user.error());
  const auto rows = call.ledger.live_sessions(*user);
  if (!rows.ok()) return problem(rows.error());
  JsonWriter json;
  json.begin_object().begin_array("sessions");
  for (const SessionRow& row : *rows) describe(json, row, call.metering.find(row.id));
  json.end_array().end_object();
  return {.body = std::move(json).take()};
}

Reply end_session(const Call& call) {
  const auto id = parse_session_id(call.parameter);
  if (!id) return no_such_session();
  const auto user = whose(call);
  if (!user.ok()) return problem(user.error());
  const Reply ended_it{.status = 204, .content_type = {}, .headers = {}, .body = {}};
  // Whose it is need not be asked, which is to read every live session of every node.
  if (!*user && call.metering.end(*id, EndReason::requested)) return ended_it;

  const auto rows = call.ledger.live_sessions(*user);
  if (!rows.ok()) return problem(rows.error());
  const auto row = std::find_if(rows->begin(), rows->end(), [&](const SessionRow& r) { return r.id == *id; });
  if (row == rows->end()) return no_such_session();

  if (!call.metering.end(row->id, EndReason::requested)) {
    // Another node's, which learns of it by asking the ledger four times a second.
    const EndRequest request{
        .user = row->user, .session = row->id, .why = EndReason::requested, .at = call.now()};
    const auto ended = end_one_session(call.ledger, request);
    if (!ended.ok()) return problem(ended.error());
  }
  return ended_it;
}

}  // namespace payg::billing
