#include <algorithm>

#include "billing/admin/body.h"
#include "billing/admin/calls.h"
#include "billing/admin/csv.h"
#include "billing/admin/problem.h"
#include "billing/admin/row_json.h"

namespace payg::billing {
namespace {

// A page of JSON is for a screen, one of CSV for a spreadsheet.
struct PageSize {
  std::int64_t usual, most;
};
constexpr PageSize of_json{50, 500}, of_csv{5000, 5000};

struct Page {
  std::vector<Transaction> rows;
  std::string next_cursor;  // empty: this is the last page
};

LedgerResult<Page> read_page(const Call& call, const TransactionFilter& filter,
                             std::optional<std::int64_t> before, std::int64_t limit) {
  // One more than is shown tells whether there is a next page.
  auto rows = call.ledger.transactions(call.caller.user.id, filter, before, static_cast<int>(limit) + 1);
  if (!rows.ok()) return rows.error();
  Page page{.rows = std::move(*rows), .next_cursor = {}};
  if (std::cmp_greater(page.rows.size(), limit)) {
    page.rows.pop_back();
    page.next_cursor = std::to_string(page.rows.back().id);
  }
  return page;
}

Result<std::set<TransactionType>, Reply> types_of(std::string_view list) {
  std::set<TransactionType> types;
  while (!list.empty()) {
    const auto comma = list.find(',');
    const auto type = parse_transaction_type(list.substr(0, comma));
    if (!type)
      return problem(Problem::invalid_value,
                     "type is one or more of purchase, bonus, usage, refund and adjustment, with commas.");
    types.insert(*type);
    list.remove_prefix(comma == list.npos ? list.size() : comma + 1);
  }
  return types;
}

Result<TransactionFilter, Reply> filter_of(const Request& request) {
  auto types = types_of(query_text(request, "type"));
  if (!types.ok()) return types.error();
  const auto since = moment(request, "since");
  if (!since.ok()) return since.error();
  const auto until = moment(request, "until");
  if (!until.ok()) return until.error();
  return TransactionFilter{.types = *std::move(types),
                           .since = since->value_or(WallTime()),
                           .until = until->value_or(WallTime::max())};
}

enum class Format { json, csv };

// A link in a page cannot send Accept, so it names the format.
Result<Format, Reply> format_of(const Request& request) {
  const std::string_view format = query_text(request, "format");
  if (format.empty()) return prefers_csv(request.accept) ? Format::csv : Format::json;
  if (format == "csv") return Format::csv;
  if (format == "json") return Format::json;
  return problem(Problem::invalid_value, "format is csv or json.");
}

// The same question behind this page; what it repeats was found to need no escape.
std::string next_page(const Request& request, const std::string& cursor, std::int64_t limit) {
  std::string target = "/api/credits/transactions?cursor=" + cursor + "&limit=" + std::to_string(limit);
  for (const std::string_view name : {"type", "since", "until", "format"})
    if (const auto value = query_text(request, name); !value.empty())
      target.append("&").append(name).append("=").append(value);
  return target;
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

std::optional<Reach> reach_of(std::string_view bucket) {
  using std::chrono::days;
  if (bucket.empty() || bucket == "day") return Reach{UsageBucket::day, days(30), days(3660)};
  if (bucket == "hour") return Reach{UsageBucket::hour, days(2), days(62)};
  return std::nullopt;
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

Reply show_transactions(const Call& call) {
  const auto format = format_of(call.request);
  if (!format.ok()) return format.error();
  const PageSize size = *format == Format::csv ? of_csv : of_json;
  const auto asked_limit = whole_number(call.request, "limit", 1, size.most);
  if (!asked_limit.ok()) return asked_limit.error();
  const std::int64_t limit = asked_limit->value_or(size.usual);
  const auto before = whole_number(call.request, "cursor", 1, INT64_MAX);
  if (!before.ok()) return before.error();
  const auto filter = filter_of(call.request);
  if (!filter.ok()) return filter.error();

  const auto page = read_page(call, *filter, *before, limit);
  if (!page.ok()) return problem(page.error());
  Reply reply = *format == Format::csv ? as_csv(*page) : as_json(*page);
  reply.headers.emplace_back("Vary", "Accept");
  if (query_text(call.request, "format") == "csv")
    reply.headers.emplace_back("Content-Disposition", "attachment; filename=\"credits.csv\"");
  if (!page->next_cursor.empty())  // RFC 8288: also those who read CSV find the next page
    reply.headers.emplace_back("Link",
                               "<" + next_page(call.request, page->next_cursor, limit) + ">; rel=\"next\"");
  return reply;
}

Reply show_usage(const Call& call) {
  const auto reach = reach_of(query_text(call.request, "bucket"));
  if (!reach) return problem(Problem::invalid_value, "bucket is hour or day.");
  const WallTime now = call.now();
  WallTime since = now - reach->usual;
  if (const auto asked = query_text(call.request, "since"); !asked.empty()) {
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
