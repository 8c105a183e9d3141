#include <algorithm>

#include "billing/admin/body.h"
#include "billing/admin/calls.h"
#include "billing/admin/problem.h"
#include "billing/admin/row_json.h"
#include "billing/core/user_name.h"
#include "billing/payments/account_rules.h"
#include "billing/payments/secrets.h"

namespace payg::billing {
namespace {

void describe(JsonWriter& json, const UserOverview& row) {
  json.begin_object();
  write_user(json, row);
  json.end_object();
}

Reply describe(const Call& call, const User& user) {
  const auto balance = call.ledger.balance(user.id);
  if (!balance.ok()) return problem(balance.error());
  const auto sessions = call.ledger.live_sessions(user.id);
  if (!sessions.ok()) return problem(sessions.error());
  JsonWriter json;
  describe(json, {.user = user, .balance = *balance, .live_sessions = std::ssize(*sessions)});
  return {.body = std::move(json).take()};
}

Reply describe_token(int status, const std::string& name, const std::string& token) {
  JsonWriter json;
  json.begin_object().text("name", name).text("token", token).end_object();
  return {.status = status, .body = std::move(json).take()};
}

// The user that the path names.
Result<User, Reply> named_user(const Call& call) {
  auto user = call.ledger.find_user(call.parameter);
  if (user.ok()) return std::move(*user);
  if (user.error().code == LedgerError::Code::not_found)
    return problem(Problem::not_found, "There is no user of this name.");
  return problem(user.error());
}

Result<UserState, Reply> state_of(const JsonObject& body) {
  const auto name = optional_text(body, "state");
  const auto state = name.ok() ? parse_user_state(*name) : std::nullopt;
  if (state) return *state;
  return problem(Problem::invalid_value, "state is \"active\" or \"disabled\".");
}

void note(const Call& call, const std::string& what) {
  call.host.log(plugin::LogLevel::info, "admin", what);
}

struct Adjustment {
  Credits amount;
  std::string reason;
  std::string reference;
  std::string idempotency_key;

  Attempt attempt() const { return {.idempotency_key = idempotency_key, .reference = reference}; }
};

Result<Adjustment, Reply> read_adjustment(const Call& call) {
  const auto body = read_body(call.request);
  if (!body.ok()) return body.error();
  const auto amount = amount_of(*body, "credits");
  if (!amount.ok()) return amount.error();
  if (*amount == Credits()) return problem(Problem::invalid_value, "credits is not zero.");
  const auto reason = optional_text(*body, "reason");
  if (!reason.ok()) return reason.error();
  if (!is_reason(*reason))
    return problem(Problem::invalid_value, "reason says why, in one line of at most 200 bytes.");
  const auto key = idempotency_key(call.request);
  if (!key.ok()) return key.error();
  // The ledger does a reference once; a key of the client's becomes one, whatever its characters are.
  const std::string unique = key->empty() ? random_name() : sha256_hex("adjustment\n" + *key).substr(0, 32);
  return Adjustment{
      .amount = *amount, .reason = *reason, .reference = "adj-" + unique, .idempotency_key = *key};
}

}  // namespace

Reply list_users(const Call& call) {
  const auto users = call.ledger.list_users();
  if (!users.ok()) return problem(users.error());
  JsonWriter json;
  json.begin_object().begin_array("users");
  for (const UserOverview& row : *users) describe(json, row);
  json.end_array().end_object();
  return {.body = std::move(json).take()};
}

Reply create_user(const Call& call) {
  const auto body = read_body(call.request);
  if (!body.ok()) return body.error();
  const auto name = optional_text(*body, "name");
  if (!name.ok()) return name.error();
  if (!is_user(*name))
    return problem(Problem::invalid_value, "name is 1 to 64 characters of a-z, 0-9, '_' and '.'.");
  const auto email = optional_text(*body, "email");
  if (!email.ok()) return email.error();
  if (!is_email(*email)) return problem(Problem::invalid_value, "email is an address, or left out.");

  const std::string token = new_token();
  const auto user = call.ledger.create_user(*name, *email, hash_token(token), call.now());
  if (!user.ok()) return problem(user.error());
  call.metering.user_changed(*user);
  note(call, "user " + *name + " was created");
  Reply reply = describe_token(201, *name, token);
  reply.headers.emplace_back("Location", "/api/admin/users/" + *name);
  return reply;
}

Reply show_user(const Call& call) {
  const auto user = named_user(call);
  return user.ok() ? describe(call, *user) : user.error();
}

Reply change_user(const Call& call) {
  const auto body = read_body(call.request);
  if (!body.ok()) return body.error();
  const auto state = state_of(*body);
  if (!state.ok()) return state.error();
  auto user = named_user(call);
  if (!user.ok()) return user.error();
  const auto done = call.ledger.set_state(user->id, *state, call.now());
  if (!done.ok()) return problem(done.error());
  user->state = *state;
  call.metering.user_changed(*user);
  note(call, "user " + user->name + (*state == UserState::active ? " was enabled" : " was disabled"));
  return describe(call, *user);
}

Reply replace_token(const Call& call) {
  auto user = named_user(call);
  if (!user.ok()) return user.error();
  const std::string token = new_token();
  user->token = hash_token(token);
  const auto done = call.ledger.set_token(user->id, user->token, call.now());
  if (!done.ok()) return problem(done.error());
  call.metering.user_changed(*user);
  note(call, "user " + user->name + " got a new token");
  return describe_token(201, user->name, token);
}

Reply adjust_credits(const Call& call) {
  const auto asked = read_adjustment(call);
  if (!asked.ok()) return asked.error();
  const auto user = named_user(call);
  if (!user.ok()) return user.error();
  const auto row = call.ledger.adjust(user->id, asked->amount, asked->reference, asked->reason, call.now());
  if (!row.ok()) return problem(row.error(), asked->attempt());
  call.metering.user_changed(*user);
  const auto balance = call.ledger.balance(user->id);
  if (!balance.ok()) return problem(balance.error(), asked->attempt());
  note(call,
       "user " + user->name + " was given " + row->amount.to_exact_string() + " credits, " + row->reference);

  JsonWriter json;
  json.begin_object();
  write_adjustment(json, user->name, *row, *balance);
  json.end_object();
  return {.status = 201, .body = std::move(json).take()};
}

Reply show_audit(const Call& call) {
  const auto report = call.ledger.audit();
  if (!report.ok()) return problem(report.error());
  JsonWriter json;
  json.begin_object();
  write_audit(json, *report);
  json.end_object();
  return {.body = std::move(json).take()};
}

}  // namespace payg::billing
