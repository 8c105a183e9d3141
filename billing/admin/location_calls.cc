#include <algorithm>
#include <array>
#include <tuple>

#include "billing/admin/body.h"
#include "billing/admin/calls.h"
#include "billing/admin/can_start.h"
#include "billing/admin/problem.h"
#include "billing/core/user_name.h"
#include "plugin/base/text.h"

namespace payg::billing {
namespace {

using plugin::ExitReport;
using plugin::ExitState;
using plugin::Location;

struct Part {
  std::string_view name;
  std::string Location::*value;
};
/// From the widest to the narrowest.
constexpr std::array parts{Part{"country", &Location::country}, Part{"state", &Location::state},
                           Part{"city", &Location::city}, Part{"isp", &Location::isp}};

struct Count {
  std::size_t all = 0, up = 0, up_for_udp = 0;

  void add(const ExitReport& exit) {
    ++all;
    if (exit.state != ExitState::up) return;
    ++up;
    if (exit.carries_udp) ++up_for_udp;
  }
};

bool stands_in(const ExitReport& exit, const Location& wanted) {
  return std::ranges::all_of(parts, [&](const Part& part) {
    return (wanted.*part.value).empty() || exit.location.*part.value == wanted.*part.value;
  });
}

template <class Wanted>
Count count(const std::vector<ExitReport>& exits, Wanted wanted) {
  Count found;
  for (const ExitReport& exit : exits)
    if (wanted(exit)) found.add(exit);
  return found;
}

void write(JsonWriter& json, const Location& location) {
  for (const Part& part : parts) {
    const std::string& value = location.*part.value;
    value.empty() ? json.null(part.name) : json.text(part.name, value);
  }
}

void write(JsonWriter& json, const Count& count) {
  json.number("exits", count.all).number("exits_up", count.up).number("exits_up_for_udp", count.up_for_udp);
}

void write_default(JsonWriter& json, const Location& location, const std::vector<ExitReport>& exits) {
  if (location.empty()) return void(json.null("default"));
  json.begin_object("default");
  write(json, location);
  write(json, count(exits, [&](const ExitReport& exit) { return stands_in(exit, location); }));
  json.end_object();
}

auto in_order(const ExitReport* exit) {
  const Location& at = exit->location;
  return std::tie(at.country, at.state, at.city, at.isp);
}

/// One row for each place; an exit that is nowhere in particular is in none.
void write_places(JsonWriter& json, const std::vector<ExitReport>& exits) {
  std::vector<const ExitReport*> sorted;
  sorted.reserve(exits.size());
  for (const ExitReport& exit : exits)
    if (!exit.location.empty()) sorted.push_back(&exit);
  std::ranges::sort(sorted, {}, in_order);

  json.begin_array("locations");
  for (auto begin = sorted.begin(); begin != sorted.end();) {
    Count count;
    auto end = begin;
    for (; end != sorted.end() && in_order(*end) == in_order(*begin); ++end) count.add(**end);
    json.begin_object();
    write(json, (*begin)->location);
    write(json, count);
    json.end_object();
    begin = end;
  }
  json.end_array();
}

// ---- a location that a client sent

std::string grammar_of(std::string_view name) {
  if (name == "country") return "country is two letters, or null.";
  return std::string(name) + " is 1 to 64 letters, digits and '_', or null.";
}

/// A misspelt part would take the default away.
std::optional<Reply> refuse_unknown_parts(const JsonObject& body) {
  for (const auto& [name, value] : body)
    if (std::ranges::find(parts, name, &Part::name) == parts.end())
      return problem(Problem::invalid_value,
                     "A location has country, state, city and isp, and nothing else.");
  return std::nullopt;
}

Result<Location, Reply> read_location(const Request& request) {
  if (trim_ows(request.body) == "null") return Location{};
  const auto body = read_body(request);
  if (!body.ok()) return body.error();
  if (auto refused = refuse_unknown_parts(*body)) return *std::move(refused);
  Location location;
  for (const Part& part : parts) {
    const auto value = optional_text(*body, part.name);
    if (!value.ok()) return value.error();
    std::string lower = ascii_lower(*value);
    if (!lower.empty() && check_value(part.name, lower))
      return problem(Problem::invalid_value, grammar_of(part.name));
    location.*part.value = std::move(lower);
  }
  return location;
}

/// The first part that nothing has which has the parts before it; an exit that is down has what it has.
std::optional<Reply> refuse_where_nobody_stands(const Location& location,
                                                const std::vector<ExitReport>& exits) {
  Location upto;
  std::string before;
  for (const Part& part : parts) {
    const std::string& value = location.*part.value;
    if (value.empty()) continue;
    upto.*part.value = value;
    const std::string said = std::string(part.name) + " " + value;
    if (std::ranges::none_of(exits, [&](const ExitReport& exit) { return stands_in(exit, upto); }))
      return problem(Problem::no_such_location, "No exit" + before + " has " + said + ".");
    before += (before.empty() ? " in " : ", ") + said;
  }
  return std::nullopt;
}

}  // namespace

Reply show_locations(const Call& call) {
  const auto standing = call.ledger.standing(call.caller.user.id);
  if (!standing.ok()) return problem(standing.error());
  const std::vector<ExitReport> exits = call.host.exits();
  JsonWriter json;
  json.begin_object().text("user", call.caller.user.name);
  write_can_start(json, *standing, *call.metering.pricing(), call.now());
  write_default(json, standing->user.location, exits);
  write(json, count(exits, [](const ExitReport&) { return true; }));
  write_places(json, exits);
  json.end_object();
  return {.body = std::move(json).take()};
}

Reply set_default_location(const Call& call) {
  const auto location = read_location(call.request);
  if (!location.ok()) return location.error();
  const std::vector<ExitReport> exits = call.host.exits();
  if (auto refused = refuse_where_nobody_stands(*location, exits)) return *std::move(refused);
  const auto done = call.ledger.set_location(call.caller.user.id, *location, call.now());
  if (!done.ok()) return problem(done.error());
  // As he stands now: what was read before the call may have been changed by somebody else since.
  const auto user = call.ledger.find_user(call.caller.user.name);
  if (!user.ok()) return problem(user.error());
  call.metering.user_changed(*user);
  JsonWriter json;
  json.begin_object();
  write_default(json, *location, exits);
  json.end_object();
  return {.body = std::move(json).take()};
}

Reply list_exits(const Call& call) {
  JsonWriter json;
  json.begin_object().begin_array("exits");
  for (const ExitReport& exit : call.host.exits()) {
    json.begin_object().text("name", exit.name).text("kind", exit.kind);
    write(json, exit.location);
    json.number("weight", exit.weight).truth("up", exit.state == ExitState::up);
    exit.why_down.empty() ? json.null("why_down") : json.text("why_down", exit.why_down);
    json.end_object();
  }
  json.end_array().end_object();
  return {.body = std::move(json).take()};
}

}  // namespace payg::billing
