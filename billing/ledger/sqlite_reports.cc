#include "billing/ledger/audit_queries.h"
#include "billing/ledger/sqlite_ledger.h"
#include "billing/ledger/sqlite_rows.h"

namespace payg::billing {

using Kind = SqliteTransaction::Kind;

LedgerResult<std::vector<Transaction>> SqliteLedger::transactions(UserId user,
                                                                  const TransactionFilter& filter,
                                                                  std::optional<std::int64_t> before,
                                                                  int limit) {
  if (auto refusal = check_page(limit)) return *refusal;
  SqliteTransaction transaction(database_, Kind::read);
  const bool known = sqlite::read_balance(transaction, user).has_value();
  const std::string types = types_text(filter);
  std::vector<Transaction> page;
  {
    auto rows = transaction.select(
        "SELECT id, type, amount, reference, note, created_at FROM credit_transactions"
        " WHERE user_id = ?1 AND id < ?2 AND (?3 = '' OR instr(?3, ',' || type || ',') > 0)"
        "   AND created_at >= ?4 AND created_at < ?5 ORDER BY id DESC LIMIT ?6",
        to_integer(user), before.value_or(INT64_MAX), std::string_view(types), to_ms(filter.since),
        to_ms(filter.until), std::int64_t{limit});
    while (rows.next()) page.push_back(sqlite::read_transaction(transaction, rows));
  }
  if (auto done = transaction.commit(); !done) return done.error();
  if (!known) return no_such_user();
  return page;
}

LedgerResult<std::vector<UsageRow>> SqliteLedger::usage(UserId user, UsageBucket bucket, WallTime since,
                                                        WallTime now) {
  SqliteTransaction transaction(database_, Kind::read);
  const bool known = sqlite::read_balance(transaction, user).has_value();
  std::vector<UsageRow> usage;
  {
    // Only a live session has something that is not posted.
    auto rows = transaction.select(
        "SELECT bucket, sum(time_ms), sum(amount) FROM ("
        " SELECT created_at - created_at % ?1 AS bucket, time_ms, -amount AS amount FROM credit_transactions"
        "  WHERE user_id = ?2 AND type = 'usage' AND created_at >= ?3"
        " UNION ALL"
        " SELECT ?4 - ?4 % ?1, granted - granted_posted, charged - posted FROM metered_sessions"
        "  WHERE user_id = ?2 AND ended_at IS NULL AND charged > posted AND ?4 >= ?3"
        ") GROUP BY bucket ORDER BY bucket",
        std::int64_t{length_of(bucket).count()}, to_integer(user), to_ms(since), to_ms(now));
    while (rows.next()) {
      usage.push_back({from_ms(rows.integer(0)), rows.milliseconds(1), rows.credits(2)});
    }
  }
  if (auto done = transaction.commit(); !done) return done.error();
  if (!known) return no_such_user();
  return usage;
}

LedgerResult<std::vector<SessionRow>> SqliteLedger::ended_sessions(UserId user,
                                                                   std::optional<EndedBefore> before,
                                                                   int limit) {
  if (auto refusal = check_page(limit)) return *refusal;
  SqliteTransaction transaction(database_, Kind::read);
  const bool known = sqlite::read_balance(transaction, user).has_value();
  std::vector<SessionRow> sessions;
  {
    auto rows = transaction.select(
        PAYG_SESSION
        " WHERE s.user_id = ?1 AND s.ended_at IS NOT NULL AND (s.ended_at, s.session_id) < (?2, ?3)"
        " ORDER BY s.ended_at DESC, s.session_id DESC LIMIT ?4",
        to_integer(user), before ? to_ms(before->ended_at) : INT64_MAX,
        before ? to_integer(before->id) : INT64_MAX, std::int64_t{limit});
    while (rows.next()) sessions.push_back(sqlite::read_session(rows));
  }
  if (auto done = transaction.commit(); !done) return done.error();
  if (!known) return no_such_user();
  return sessions;
}

LedgerResult<AuditReport> SqliteLedger::audit(AuditListing listing) {
  SqliteTransaction transaction(database_, Kind::read);
  AuditReport report;
  {
    auto rows = transaction.select(audit_counts);
    if (rows.next()) {
      report = {.users = rows.integer(0),
                .transactions = rows.integer(1),
                .sessions = rows.integer(2),
                .orders = rows.integer(3),
                .found = 0,
                .findings = {}};
    }
  }
  for (const std::string& query : audit_queries("printf('%016x', session_id)")) {
    auto rows = transaction.select(query, findings_of_a_kind(listing));
    std::int64_t found = 0;  // each row says how many there are
    while (rows.next()) {
      report.findings.push_back({rows.text(0), rows.text(1), rows.text(2)});
      found = rows.integer(3);
    }
    report.found += found;
  }
  if (auto done = transaction.commit(); !done) return done.error();
  return report;
}

}  // namespace payg::billing
