#include "billing/admin/json_text.h"
#include "billing/cli/commands.h"
#include "billing/cli/table.h"

namespace payg::billing::cli {
namespace {

void print_json(const Desk& desk, const AuditReport& report) {
  JsonWriter json;
  json.begin_object()
      .truth("clean", report.findings.empty())
      .number("users", report.users)
      .number("transactions", report.transactions)
      .number("sessions", report.sessions)
      .number("orders", report.orders)
      .begin_array("findings");
  for (const AuditFinding& finding : report.findings)
    json.begin_object()
        .text("invariant", finding.invariant)
        .text("subject", finding.subject)
        .text("detail", finding.detail)
        .end_object();
  json.end_array().end_object();
  desk.out << std::move(json).take() << '\n';
}

void print_table(const Desk& desk, const AuditReport& report) {
  desk.out << "read " << report.users << " users, " << report.transactions << " transactions, "
           << report.sessions << " sessions, " << report.orders << " orders\n";
  if (report.findings.empty()) {
    desk.out << "the books are right\n";
    return;
  }
  Table table({{"INVARIANT"}, {"SUBJECT"}, {"DETAIL"}});
  for (const AuditFinding& finding : report.findings)
    table.add({finding.invariant, finding.subject, finding.detail});
  table.print(desk.out);
}

}  // namespace

ExitCode audit(const Desk& desk) {
  const auto report = desk.ledger.audit();
  if (!report.ok()) return refuse(desk, report.error(), "the audit");
  desk.form == Form::json ? print_json(desk, *report) : print_table(desk, *report);
  return report->findings.empty() ? ExitCode::done : ExitCode::findings;
}

ExitCode migrate(const Desk& desk) {
  const auto schema = desk.ledger.migrate();
  if (!schema.ok()) return refuse(desk, schema.error(), "the ledger");
  if (desk.form == Form::json) {
    JsonWriter json;
    json.begin_object().number("schema", *schema).end_object();
    desk.out << std::move(json).take() << '\n';
  } else {
    desk.out << "the schema is number " << *schema << '\n';
  }
  return ExitCode::done;
}

}  // namespace payg::billing::cli
