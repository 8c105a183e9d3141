#include "billing/admin/row_json.h"

namespace payg::billing {

void write_balance(JsonWriter& json, Credits balance) {
  json.money("balance", balance).number("balance_units", balance.units());
}

void write_user(JsonWriter& json, const UserOverview& row) {
  json.text("name", row.user.name).text("email", row.user.email).text("state", name_of(row.user.state));
  write_balance(json, row.balance);
  json.number("sessions", row.live_sessions).time("created_at", row.user.created_at);
}

void write_network(JsonWriter& json, const ListedNetwork& row) {
  json.text("network", row.network.to_string()).time("added_at", row.added_at);
  row.confirmed_at ? json.time("confirmed_at", *row.confirmed_at) : json.null("confirmed_at");
}

void write_session(JsonWriter& json, const SessionRow& row) {
  json.text("id", to_string(row.id))
      .text("user", row.user_name)
      .text("node", row.node)
      .text("label", row.label)
      .text("exit", row.exit)
      .time("started_at", row.started_at)
      .time("paid_until", row.paid_until)
      .money("charged", row.charged)
      .number("charged_units", row.charged.units())
      .digits("minutes", minutes_text(row.granted));
}

void write_adjustment(JsonWriter& json, const std::string& user, const Transaction& row, Credits balance) {
  json.text("user", user)
      .number("id", row.id)
      .money("credits", row.amount)
      .number("credits_units", row.amount.units())
      .text("reason", row.note)
      .text("reference", row.reference);
  write_balance(json, balance);
  json.time("created_at", row.created_at);
}

void write_audit(JsonWriter& json, const AuditReport& report) {
  json.truth("clean", report.found == 0)
      .number("users", report.users)
      .number("transactions", report.transactions)
      .number("sessions", report.sessions)
      .number("orders", report.orders)
      .number("found", report.found)
      .begin_array("findings");
  for (const AuditFinding& finding : report.findings)
    json.begin_object()
        .text("invariant", finding.invariant)
        .text("subject", finding.subject)
        .text("detail", finding.detail)
        .end_object();
  json.end_array();
}

}  // namespace payg::billing
