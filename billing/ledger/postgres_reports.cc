#include "billing/ledger/audit_queries.h"
#include "billing/ledger/postgres_ledger.h"
#include "billing/ledger/postgres_rows.h"

namespace payg::billing {
namespace {

PostgresStatement user_exists(UserId user) {
  return {"SELECT FROM user_credits WHERE user_id = $1", parameters(to_integer(user))};
}

using Isolation = PostgresConnection::Isolation;
using Patience = PostgresConnection::Patience;

}  // namespace

LedgerResult<std::vector<Transaction>> PostgresLedger::transactions(UserId user,
                                                                    const TransactionFilter& filter,
                                                                    std::optional<std::int64_t> before,
                                                                    int limit) {
  if (auto refusal = check_page(limit)) return *refusal;
  const auto results = connection_.transact(
      {user_exists(user),
       {"SELECT " PAYG_TRANSACTION_COLUMNS " FROM credit_transactions t WHERE t.user_id = $1 AND t.id < $2"
        " AND ($3::text = '' OR strpos($3::text, ',' || t.type || ',') > 0)"
        " AND t.created_at >= $4 AND t.created_at < $5 ORDER BY t.id DESC LIMIT $6",
        parameters(to_integer(user), before.value_or(INT64_MAX), types_text(filter), to_ms(filter.since),
                   to_ms(filter.until), std::int64_t{limit})}},
      Isolation::snapshot);
  if (!results) return results.error();
  if (results->front().empty()) return no_such_user();
  const PostgresRows& rows = results->back();
  std::vector<Transaction> page;
  for (int row = 0; row < rows.count(); ++row) {
    auto transaction = postgres::read_transaction(rows, row);
    if (!transaction) return unreadable("transaction");
    page.push_back(std::move(*transaction));
  }
  return page;
}

LedgerResult<std::vector<UsageRow>> PostgresLedger::usage(UserId user, UsageBucket bucket, WallTime since,
                                                          WallTime now) {
  // Only a live session has something that is not posted.
  constexpr const char* usage_sql = R"sql(
SELECT bucket, sum(time_ms)::bigint, sum(amount)::bigint FROM (
  SELECT created_at - created_at % $1::bigint AS bucket, time_ms, -amount AS amount FROM credit_transactions
  WHERE user_id = $2::bigint AND type = 'usage' AND created_at >= $3::bigint
  UNION ALL
  SELECT $4::bigint - $4::bigint % $1::bigint, granted - granted_posted, charged - posted FROM metered_sessions
  WHERE user_id = $2::bigint AND ended_at IS NULL AND charged > posted AND $4::bigint >= $3::bigint
) used GROUP BY bucket ORDER BY bucket)sql";
  const auto results = connection_.transact(
      {user_exists(user),
       {usage_sql,
        parameters(std::int64_t{length_of(bucket).count()}, to_integer(user), to_ms(since), to_ms(now))}},
      Isolation::snapshot);
  if (!results) return results.error();
  if (results->front().empty()) return no_such_user();
  const PostgresRows& rows = results->back();
  std::vector<UsageRow> usage;
  for (int row = 0; row < rows.count(); ++row) {
    usage.push_back({from_ms(rows.integer(row, 0)), rows.milliseconds(row, 1), rows.credits(row, 2)});
  }
  return usage;
}

LedgerResult<std::vector<SessionRow>> PostgresLedger::ended_sessions(UserId user,
                                                                     std::optional<EndedBefore> before,
                                                                     int limit) {
  if (auto refusal = check_page(limit)) return *refusal;
  const auto results = connection_.transact(
      {user_exists(user),
       {PAYG_SESSION
        " WHERE s.user_id = $1 AND s.ended_at IS NOT NULL AND (s.ended_at, s.session_id) < ($2, $3)"
        " ORDER BY s.ended_at DESC, s.session_id DESC LIMIT $4",
        parameters(to_integer(user), before ? to_ms(before->ended_at) : INT64_MAX,
                   before ? to_integer(before->id) : INT64_MAX, std::int64_t{limit})}},
      Isolation::snapshot);
  if (!results) return results.error();
  if (results->front().empty()) return no_such_user();
  return postgres::read_sessions(results->back());
}

LedgerResult<AuditReport> PostgresLedger::audit(AuditListing listing) {
  std::vector<PostgresStatement> statements{{audit_counts}};
  const auto queries = audit_queries("lpad(to_hex(session_id), 16, '0')");
  for (const std::string& query : queries)
    statements.push_back({query.c_str(), parameters(findings_of_a_kind(listing))});
  const auto results = connection_.transact(std::move(statements), Isolation::snapshot, Patience::report);
  if (!results) return results.error();
  const PostgresRows& counts = results->front();
  AuditReport report{.users = counts.integer(0, 0),
                     .transactions = counts.integer(0, 1),
                     .sessions = counts.integer(0, 2),
                     .orders = counts.integer(0, 3),
                     .found = 0,
                     .findings = {}};
  for (std::size_t query = 1; query < results->size(); ++query) {
    const PostgresRows& rows = (*results)[query];
    if (!rows.empty()) report.found += rows.integer(0, 3);
    for (int row = 0; row < rows.count(); ++row) {
      report.findings.push_back({rows.text(row, 0), rows.text(row, 1), rows.text(row, 2)});
    }
  }
  return report;
}

}  // namespace payg::billing
