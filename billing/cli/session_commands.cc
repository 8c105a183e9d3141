#include <algorithm>

#include "billing/admin/row_json.h"
#include "billing/cli/commands.h"
#include "billing/cli/table.h"

namespace payg::billing::cli {
namespace {

void print_json(const Desk& desk, const std::vector<SessionRow>& rows) {
  JsonWriter json;
  json.begin_array();
  for (const SessionRow& row : rows) {
    json.begin_object();
    write_session(json, row);
    json.end_object();
  }
  json.end_array();
  desk.out << std::move(json).take() << '\n';
}

void print_table(const Desk& desk, const std::vector<SessionRow>& rows) {
  Table table({{"ID"},
               {"USER"},
               {"LABEL"},
               {"NODE"},
               {"EXIT"},
               {"STARTED"},
               {"PAID UNTIL"},
               {"MINUTES", Table::Align::right},
               {"CHARGED", Table::Align::right}});
  for (const SessionRow& row : rows)
    table.add({to_string(row.id), row.user_name, row.label, row.node, row.exit, time_text(row.started_at),
               time_text(row.paid_until), minutes_text(row.granted), row.charged.to_string()});
  table.print(desk.out);
}

ExitCode end_session(const Desk& desk, const std::vector<SessionRow>& rows, const std::string& hex) {
  const auto id = parse_session_id(hex);
  const auto row =
      std::find_if(rows.begin(), rows.end(), [&](const SessionRow& r) { return id && r.id == *id; });
  if (row == rows.end()) return refuse(desk, ExitCode::refused, "there is no live session " + hex);
  const EndRequest request{
      .user = row->user, .session = row->id, .why = EndReason::requested, .at = desk.now()};
  const auto ended = end_one_session(desk.ledger, request);
  if (!ended.ok()) return refuse(desk, ended.error(), "session " + hex);
  if (desk.form == Form::json) {
    JsonWriter json;
    json.begin_object().text("ended", to_string(row->id)).end_object();
    desk.out << std::move(json).take() << '\n';
  } else {
    desk.out << "session " << to_string(row->id) << " is ended; its node cuts it within about a second\n";
  }
  return ExitCode::done;
}

}  // namespace

ExitCode sessions(const Desk& desk, const SessionSelection& selection) {
  std::optional<UserId> user;
  if (!selection.user.empty()) {
    const auto found = desk.ledger.find_user(selection.user);
    if (!found.ok()) return refuse(desk, found.error(), "user " + selection.user);
    user = found->id;
  }
  const auto rows = desk.ledger.live_sessions(user);
  if (!rows.ok()) return refuse(desk, rows.error(), "the sessions");
  if (!selection.end.empty()) return end_session(desk, *rows, selection.end);
  desk.form == Form::json ? print_json(desk, *rows) : print_table(desk, *rows);
  return ExitCode::done;
}

}  // namespace payg::billing::cli
