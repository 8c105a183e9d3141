// A body of the API, and an Idempotency-Key.

#include "billing/admin/body.h"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "billing/payments/account_rules.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

using billing::JsonObject;
using billing::JsonValue;
using billing::Reply;
using billing::Request;
using nlohmann::json;

/// The library's own tree, with the one thing that it lets pass: a name that stands in an object twice.
std::optional<json> plain_object(std::string_view text) {
  std::set<std::string> names;
  bool twice = false;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::key && depth == 1)
      twice |= !names.insert(parsed.get<std::string>()).second;
    return true;
  };
  auto tree = json::parse(text.begin(), text.end(), watch, false);
  if (tree.is_discarded() || !tree.is_object() || twice) return std::nullopt;
  return tree;
}

void is_a_problem(const Reply& reply, int status) {
  must(reply.status == status, "a refusal has its status");
  const auto document = json::parse(reply.body, nullptr, false);
  must(document.is_object() && document.at("status") == status, "a refusal is a problem document");
  must(!document.at("detail").get<std::string>().empty(), "a refusal says why");
}

void a_number_keeps_its_digits(const JsonValue& value, const json& expected) {
  must(value.kind == JsonValue::Kind::number, "a number is one");
  if (expected.is_number_float()) {
    must(std::strtod(value.text.c_str(), nullptr) == expected.get<double>(), "a number is what was sent");
  } else {
    must(value.text == expected.dump(), "a whole number is what was sent");
  }
}

void a_member_is_what_was_sent(const JsonValue& value, const json& expected) {
  using Kind = JsonValue::Kind;
  if (expected.is_structured()) {
    must(value.kind == Kind::nested, "what is nested is known as such");
  } else if (expected.is_string()) {
    must(value.kind == Kind::string && value.text == expected.get<std::string>(),
         "a string is what was sent");
  } else if (expected.is_number()) {
    a_number_keeps_its_digits(value, expected);
  } else {
    must(value.kind == (expected.is_null() ? Kind::null : Kind::boolean), "a constant is what was sent");
  }
}

void values_are_read_strictly(const JsonObject& body) {
  for (const auto& [name, value] : body) {
    const auto amount = billing::amount_of(body, name);
    const bool digits = value.kind == JsonValue::Kind::number || value.kind == JsonValue::Kind::string;
    const auto wanted = digits ? billing::Credits::parse(value.text) : std::nullopt;
    must(amount.ok() == wanted.has_value(), "an amount is a decimal, as a number or as text");
    if (amount.ok()) {
      must(*amount == *wanted, "an amount is what it says");
    } else {
      is_a_problem(amount.error(), 422);
    }
    const auto text = billing::optional_text(body, name);
    const bool may_be_text = value.kind == JsonValue::Kind::string || value.kind == JsonValue::Kind::null;
    must(text.ok() == may_be_text, "a text is one, or left out");
    if (!text.ok()) is_a_problem(text.error(), 422);
  }
  must(!billing::amount_of(body, "no such member").ok() || body.contains("no such member"),
       "an amount that is missing is no amount");
}

bool has_control(std::string_view text) {
  for (const char c : text)
    if ((c >= 0 && c < ' ') || c == 0x7f) return true;
  return false;
}

void what_is_written_down_is_one_line(std::string_view text) {
  if (billing::is_reason(text)) must(!text.empty() && text.size() <= 200 && !has_control(text), "one line");
  if (billing::is_email(text)) must(text.size() <= 254 && !has_control(text), "an address is one line");
}

void a_key_is_visible(std::string_view text) {
  Request request;
  request.idempotency_key = text;
  bool visible = text.size() <= 255;
  for (const char c : text) visible = visible && c > ' ' && c < 0x7f;
  const auto key = billing::idempotency_key(request);
  must(key.ok() == visible, "a key is at most 255 visible characters");
  if (key.ok()) {
    must(*key == text, "a key is what was sent");
  } else {
    is_a_problem(key.error(), 400);
  }
}

}  // namespace

void api_body(std::string_view input) {
  Request request;
  request.body = input;
  const auto body = billing::read_body(request);
  const auto expected = plain_object(input);
  must(body.ok() == expected.has_value(), "a body is a JSON object with each name once, and nothing else");
  if (body.ok()) {
    must(body->size() == expected->size(), "every member is there");
    for (const auto& [name, value] : *body) {
      must(expected->contains(name), "a member was sent");
      a_member_is_what_was_sent(value, expected->at(name));
      if (value.kind == JsonValue::Kind::string) what_is_written_down_is_one_line(value.text);
    }
    values_are_read_strictly(*body);
  } else {
    is_a_problem(body.error(), 400);
  }
  a_key_is_visible(input);
}

}  // namespace payg::fuzz
