#include "billing/admin/row_json.h"
#include "billing/cli/commands.h"
#include "billing/cli/table.h"
#include "billing/payments/account_rules.h"
#include "billing/payments/secrets.h"

namespace payg::billing::cli {

ExitCode add_credit(const Desk& desk, const CreditRequest& wanted) {
  const auto amount = Credits::parse(wanted.amount);
  if (!amount || *amount == Credits())
    return refuse(desk, ExitCode::usage,
                  "an amount is a decimal number other than zero, such as 10 or -2.50");
  if (!is_reason(wanted.reason))
    return refuse(desk, ExitCode::usage, "a reason is one line of at most 200 bytes");
  const auto user = desk.ledger.find_user(wanted.name);
  if (!user.ok()) return refuse(desk, user.error(), "user " + wanted.name);
  const std::string reference = wanted.reference.empty() ? "adj-" + random_name() : wanted.reference;
  const auto row = desk.ledger.adjust(user->id, *amount, reference, wanted.reason, desk.now());
  if (!row.ok()) return refuse(desk, row.error(), "user " + wanted.name + ", reference " + reference);
  const auto balance = desk.ledger.balance(user->id);
  if (!balance.ok()) return refuse(desk, balance.error(), "user " + wanted.name);

  if (desk.form == Form::table) {
    desk.out << "credits    " << row->amount.to_exact_string() << "\nreference  " << row->reference
             << "\nbalance    " << balance->to_string() << '\n';
    return ExitCode::done;
  }
  JsonWriter json;
  json.begin_object();
  write_adjustment(json, wanted.name, *row, *balance);
  json.end_object();
  desk.out << std::move(json).take() << '\n';
  return ExitCode::done;
}

ExitCode show_balance(const Desk& desk, const std::string& name) {
  const auto user = desk.ledger.find_user(name);
  if (!user.ok()) return refuse(desk, user.error(), "user " + name);
  const auto balance = desk.ledger.balance(user->id);
  if (!balance.ok()) return refuse(desk, balance.error(), "user " + name);
  if (desk.form == Form::table) {
    desk.out << balance->to_exact_string() << '\n';
    return ExitCode::done;
  }
  JsonWriter json;
  json.begin_object().text("user", name);
  write_balance(json, *balance);
  json.end_object();
  desk.out << std::move(json).take() << '\n';
  return ExitCode::done;
}

}  // namespace payg::billing::cli
