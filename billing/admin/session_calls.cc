#include <algorithm>
#include <charconv>

#include "billing/admin/body.h"
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

constexpr std::int64_t most_ended = 500, usual_ended = 50;

std::string cursor_behind(const SessionRow& row) {
  return std::to_string(row.ended_at->time_since_epoch().count()) + '-' + to_string(row.id);
}

std::optional<EndedBefore> parse_cursor(std::string_view text) {
  const auto hyphen = text.find('-');
  if (hyphen == text.npos) return std::nullopt;
  std::int64_t ms = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + hyphen, ms);
  const auto id = parse_session_id(text.substr(hyphen + 1));
  if (error != std::errc() || end != text.data() + hyphen || !id) return std::nullopt;
  return EndedBefore{.ended_at = WallTime(std::chrono::milliseconds(ms)), .id = *id};
}

// All of one user's are many already; of everybody there would be no end.
Reply list_ended_sessions(const Call& call) {
  const auto user = whose(call);
  if (!user.ok()) return problem(user.error());
  if (!*user) return problem(Problem::invalid_value, "Name the user whose ended sessions are to be shown.");
  const auto limit = whole_number(call.request, "limit", 1, most_ended);
  if (!limit.ok()) return limit.error();
  const std::string_view asked = query_text(call.request, "cursor");
  const auto before = parse_cursor(asked);
  if (!asked.empty() && !before) return problem(Problem::invalid_value, "This is no cursor of this list.");

  const auto most = static_cast<std::size_t>(limit->value_or(usual_ended));
  // One more than is shown tells whether there is a next page.
  auto rows = call.ledger.ended_sessions(**user, before, static_cast<int>(most) + 1);
  if (!rows.ok()) return problem(rows.error());
  const bool has_more = rows->size() > most;
  if (has_more) rows->pop_back();
  JsonWriter json;
  json.begin_object().begin_array("sessions");
  for (const SessionRow& row : *rows) {
    json.begin_object();
    write_session(json, row);
    json.time("ended_at", *row.ended_at).text("why", row.why).end_object();
  }
  json.end_array();
  has_more ? json.text("next_cursor", cursor_behind(rows->back())) : json.null("next_cursor");
  json.end_object();
  return {.body = std::move(json).take()};
}

}  // namespace

Reply list_sessions(const Call& call) {
  const std::string_view state = query_text(call.request, "state");
  if (state == "ended") return list_ended_sessions(call);
  if (!state.empty() && state != "live") return problem(Problem::invalid_value, "state is live or ended.");
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
