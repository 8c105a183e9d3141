#include "billing/admin/row_json.h"
#include "billing/cli/commands.h"
#include "billing/cli/table.h"

namespace payg::billing::cli {
namespace {

void print_json(const Desk& desk, const AuditReport& report) {
  JsonWriter json;
  json.begin_object();
  write_audit(json, report);
  json.end_object();
  desk.out << std::move(json).take() << '\n';
}

void print_table(const Desk& desk, const AuditReport& report) {
  desk.out << "read " << report.users << " users, " << report.transactions << " transactions, "
           << report.sessions << " sessions, " << report.orders << " orders\n";
  if (report.found == 0) {
    desk.out << "the books are right\n";
    return;
  }
  Table table({{"INVARIANT"}, {"SUBJECT"}, {"DETAIL"}});
  for (const AuditFinding& finding : report.findings)
    table.add({finding.invariant, finding.subject, finding.detail});
  table.print(desk.out);
  desk.out << report.found << " findings\n";
}

}  // namespace

ExitCode audit(const Desk& desk) {
  const auto report = desk.ledger.audit(AuditListing::all);
  if (!report.ok()) return refuse(desk, report.error(), "the audit");
  desk.form == Form::json ? print_json(desk, *report) : print_table(desk, *report);
  return report->found == 0 ? ExitCode::done : ExitCode::findings;
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
