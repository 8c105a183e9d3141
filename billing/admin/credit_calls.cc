#include <algorithm>

#include "billing/admin/body.h"
#include "billing/admin/calls.h"
#include "billing/admin/can_start.h"
#include "billing/admin/csv.h"
#include "billing/admin/problem.h"
#include "billing/admin/row_json.h"

namespace payg::billing {
namespace {

constexpr std::int64_t most_transactions = 500, usual_transactions = 50;

struct Page {
  std::vector<Transaction> rows;
  std::string next_cursor;  // empty: this is the last page
};

LedgerResult<Page> read_page(const Call& call, std::optional<std::int64_t> before, std::int64_t limit) {
  // One more than is shown tells whether there is a next page.
  auto rows = call.ledger.transactions(call.caller.user.id, before, static_cast<int>(limit) + 1);
  if (!rows.ok()) return rows.error();
  Page page{.rows = std::move(*rows), .next_cursor = {}};
  if (std::cmp_greater(page.rows.size(), limit)) {
    page.rows.pop_back();
    page.next_cursor = std::to_string(page.rows.back().id);
  }
  return page;
}

Reply as_json(const Page& page) {
  JsonWriter json;
  json.begin_object().begin_array("transactions");
  for (const Transaction& row : page.rows) {
    json.begin_object()
        .number("id", row.id)
        .text("type", name_of(row.type))
        .money("amount", row.amount)
        .number("amount_units", row.amount.units())
        .text("reference", row.reference)
        .text("note", row.note)
        .time("created_at", row.created_at)
        .end_object();
  }
  json.end_array();
  page.next_cursor.empty() ? json.null("next_cursor") : json.text("next_cursor", page.next_cursor);
  json.end_object();
  return {.body = std::move(json).take()};
}

Reply as_csv(const Page& page) {
  CsvWriter csv;
  csv.row({"id", "type", "amount", "amount_units", "reference", "note", "created_at"});
  for (const Transaction& row : page.rows)
    csv.row({std::to_string(row.id), std::string(name_of(row.type)), money_text(row.amount),
             std::to_string(row.amount.units()), row.reference, row.note, time_text(row.created_at)});
  return {.content_type = "text/csv; charset=utf-8; header=present", .body = std::move(csv).take()};
}

// How far back each bucket reaches when the client does not say, and at most: an answer has a bounded length.
struct Reach {
  UsageBucket bucket;
  std::chrono::days usual, most;
};

std::optional<Reach> reach_of(const std::string& bucket) {
  using std::chrono::days;
  if (bucket.empty() || bucket == "day") return Reach{UsageBucket::day, days(30), days(3660)};
  if (bucket == "hour") return Reach{UsageBucket::hour, days(2), days(62)};
  return std::nullopt;
}

std::string parameter_of(const Request& request, const std::string& name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? std::string() : found->second;
}

Reply as_json(const std::vector<UsageRow>& rows, UsageBucket bucket, WallTime since) {
  JsonWriter json;
  json.begin_object()
      .text("bucket", bucket == UsageBucket::hour ? "hour" : "day")
      .time("since", since)
      .begin_array("usage");
  for (const UsageRow& row : rows) {
    json.begin_object()
        .time("from", row.from)
        .digits("minutes", minutes_text(row.time))
        .money("credits", row.amount)
        .number("credits_units", row.amount.units())
        .end_object();
  }
  json.end_array().end_object();
  return {.body = std::move(json).take()};
}

}  // namespace

Reply show_balance(const Call& call) {
  auto standing = call.ledger.standing(call.caller.user.id);
  if (!standing.ok()) return problem(standing.error());
  auto sessions = call.ledger.live_sessions(call.caller.user.id);
  if (!sessions.ok()) return problem(sessions.error());

  const auto pricing = call.metering.pricing();
  const Credits balance = standing->balance;
  const auto left = pricing->rate.time_for(std::max(balance, Credits()));
  JsonWriter json;
  json.begin_object().text("user", call.caller.user.name);
  write_balance(json, balance);
  json.text("currency", pricing->currency)
      .digits("rate_per_hour", rate_text(pricing->rate))
      .digits("hours_left", hours_text(left))
      .number("seconds_left", std::chrono::floor<std::chrono::seconds>(left).count());
  write_can_start(json, *standing, *pricing, call.now());
  json.money("minimum_to_start", pricing->minimum_to_start).number("sessions", sessions->size()).end_object();
  return {.body = std::move(json).take()};
}

Reply list_packages(const config::PricingConfig& pricing) {
  JsonWriter json;
  json.begin_array();
  for (const config::PackageConfig& package : pricing.packages) {
    json.begin_object()
        .money("amount", package.price)
        .money("price", package.price)
        .text("currency", pricing.currency)
        .money("credits", package.credits)
        .money("bonus", package.credits.minus(package.price).value_or(Credits()))
        .digits("hours", hours_text(pricing.rate.time_for(package.credits)))
        .end_object();
  }
  json.end_array();
  return {.body = std::move(json).take()};
}

Reply show_transactions(const Call& call) {
  const auto limit = whole_number(call.request, "limit", 1, most_transactions);
  if (!limit.ok()) return limit.error();
  const auto before = whole_number(call.request, "cursor", 1, INT64_MAX);
  if (!before.ok()) return before.error();

  const auto page = read_page(call, *before, limit->value_or(usual_transactions));
  if (!page.ok()) return problem(page.error());
  Reply reply = prefers_csv(call.request.accept) ? as_csv(*page) : as_json(*page);
  reply.headers.emplace_back("Vary", "Accept");
  if (!page->next_cursor.empty())  // RFC 8288: also those who read CSV find the next page
    reply.headers.emplace_back("Link", "</api/credits/transactions?cursor=" + page->next_cursor +
                                           "&limit=" + std::to_string(limit->value_or(usual_transactions)) +
                                           ">; rel=\"next\"");
  return reply;
}

Reply show_usage(const Call& call) {
  const auto reach = reach_of(parameter_of(call.request, "bucket"));
  if (!reach) return problem(Problem::invalid_value, "bucket is hour or day.");
  const WallTime now = call.now();
  WallTime since = now - reach->usual;
  if (const std::string asked = parameter_of(call.request, "since"); !asked.empty()) {
    const auto parsed = parse_time(asked);
    if (!parsed || *parsed < now - reach->most)
      return problem(Problem::invalid_value,
                     "since is a day or a time in UTC (2026-11-22T13:00:00Z), at most " +
                         std::to_string(reach->most.count()) + " days ago.");
    since = *parsed;
  }
  const auto rows = call.ledger.usage(call.caller.user.id, reach->bucket, since, now);
  if (!rows.ok()) return problem(rows.error());
  return as_json(*rows, reach->bucket, since);
}

}  // namespace payg::billing
