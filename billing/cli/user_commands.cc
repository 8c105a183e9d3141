#include "billing/admin/row_json.h"
#include "billing/cli/commands.h"
#include "billing/cli/table.h"
#include "billing/core/user_name.h"
#include "billing/payments/account_rules.h"
#include "billing/payments/secrets.h"

namespace payg::billing::cli {
namespace {

void show_token(const Desk& desk, const std::string& name, const std::string& token) {
  if (desk.form == Form::json) {
    JsonWriter json;
    json.begin_object().text("name", name).text("token", token).end_object();
    desk.out << std::move(json).take() << '\n';
    return;
  }
  desk.out << "user   " << name << "\ntoken  " << token << "   (shown only now; keep it)\n";
}

}  // namespace

ExitCode add_user(const Desk& desk, const NewUser& wanted) {
  if (!is_user(wanted.name))
    return refuse(desk, ExitCode::usage, "a user name is 1 to 64 characters of a-z, 0-9, '_' and '.'");
  if (!is_email(wanted.email)) return refuse(desk, ExitCode::usage, "the e-mail address is not one");
  // The first thing done with a fresh ledger is this; said, lest it was meant for another one.
  const auto before = desk.ledger.schema();
  if (!before.ok()) return refuse(desk, before.error(), "the ledger");
  if (const auto schema = desk.ledger.migrate(); !schema.ok())
    return refuse(desk, schema.error(), "the ledger");
  if (*before == 0) desk.err << "paygctl: there was no ledger here: a new one was made\n";
  const std::string token = new_token();
  const auto user = desk.ledger.create_user(wanted.name, wanted.email, hash_token(token), desk.now());
  if (!user.ok()) return refuse(desk, user.error(), "user " + wanted.name);
  show_token(desk, wanted.name, token);
  return ExitCode::done;
}

ExitCode list_users(const Desk& desk) {
  const auto users = desk.ledger.list_users();
  if (!users.ok()) return refuse(desk, users.error(), "the users");
  if (desk.form == Form::table) {
    Table table({{"NAME"},
                 {"STATE"},
                 {"BALANCE", Table::Align::right},
                 {"SESSIONS", Table::Align::right},
                 {"CREATED"},
                 {"E-MAIL"}});
    for (const UserOverview& row : *users)
      table.add({row.user.name, std::string(name_of(row.user.state)), row.balance.to_string(),
                 std::to_string(row.live_sessions), time_text(row.user.created_at), row.user.email});
    table.print(desk.out);
    return ExitCode::done;
  }
  JsonWriter json;
  json.begin_array();
  for (const UserOverview& row : *users) {
    json.begin_object();
    write_user(json, row);
    json.end_object();
  }
  json.end_array();
  desk.out << std::move(json).take() << '\n';
  return ExitCode::done;
}

ExitCode set_user_state(const Desk& desk, const std::string& name, UserState state) {
  const auto user = desk.ledger.find_user(name);
  if (!user.ok()) return refuse(desk, user.error(), "user " + name);
  const auto done = desk.ledger.set_state(user->id, state, desk.now());
  if (!done.ok()) return refuse(desk, done.error(), "user " + name);
  if (desk.form == Form::json) {
    JsonWriter json;
    json.begin_object().text("name", name).text("state", name_of(state)).end_object();
    desk.out << std::move(json).take() << '\n';
  } else {
    desk.out << "user " << name << " is " << name_of(state) << '\n';
  }
  return ExitCode::done;
}

ExitCode replace_token(const Desk& desk, const std::string& name) {
  const auto user = desk.ledger.find_user(name);
  if (!user.ok()) return refuse(desk, user.error(), "user " + name);
  const std::string token = new_token();
  const auto done = desk.ledger.set_token(user->id, hash_token(token), desk.now());
  if (!done.ok()) return refuse(desk, done.error(), "user " + name);
  show_token(desk, name, token);
  return ExitCode::done;
}

}  // namespace payg::billing::cli
