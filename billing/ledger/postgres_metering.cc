#include <algorithm>

#include "billing/ledger/postgres_ledger.h"
#include "billing/ledger/postgres_rows.h"

namespace payg::billing {
namespace {

/// The whole batch in one statement. Several sessions of one user share his balance in the order of the
/// requests: each finds what the prices before it have left, and once a price is not covered nothing is left,
/// which is what greatest(0, …) says. Those that would be more than he may have count each other likewise,
/// row_number() being how many of them there are up to each. LIMIT 1 keeps the planner from joining whole
/// tables: a batch is looked up row by row, by primary key, however the tables grow.
constexpr const char* charge_sql = R"sql(
WITH request AS (
  SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                       $8::bigint[], $9::text[], $10::text[], $11::bigint[])
    WITH ORDINALITY AS r (user_id, session_id, number, price, increment, rate, starts, label, exit, session_limit,
                          place)
), looked_up AS (
  SELECT r.*, s.last_amount, s.last_grant, CASE WHEN u.state = 'active' THEN u.balance ELSE 0 END AS balance,
         CASE WHEN NOT EXISTS (SELECT FROM nodes n WHERE n.node = $1 AND n.life = $12) THEN 'life is over'
              WHEN u.balance IS NULL THEN 'fenced'
              WHEN NOT r.user_id = ANY ()sql" PAYG_LOCKED_USERS R"sql() THEN 'later'
              WHEN u.state <> 'active' OR s.ended_at IS NOT NULL OR s.node <> $1 THEN 'fenced'
              WHEN r.number = s.charge_number THEN 'again'
              WHEN r.number = coalesce(s.charge_number, 0) + 1 THEN 'buy'
              ELSE 'fenced' END AS claim,
         CASE WHEN r.number = 1 AND r.session_limit > 0 THEN (
           SELECT count(*) FROM (SELECT FROM metered_sessions l WHERE l.user_id = r.user_id AND l.ended_at IS NULL
                                 LIMIT r.session_limit) live) END AS live
  FROM request r
  LEFT JOIN LATERAL (
    SELECT c.balance, u.state FROM users u JOIN user_credits c ON c.user_id = u.user_id
    WHERE u.user_id = r.user_id LIMIT 1) u ON true
  LEFT JOIN LATERAL (
    SELECT * FROM metered_sessions s WHERE s.user_id = r.user_id AND s.session_id = r.session_id LIMIT 1) s ON true
), judged AS (
  SELECT *, CASE WHEN claim = 'buy' AND balance > 0 AND live + row_number() OVER (
                        PARTITION BY user_id, claim = 'buy' AND number = 1 ORDER BY place) > session_limit
                 THEN 'too_many' ELSE claim END AS verdict
  FROM looked_up
), paid AS (
  SELECT *, least(price, greatest(0, balance - coalesce(sum(price) OVER (
              PARTITION BY user_id ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)))::bigint
            AS amount
  FROM judged WHERE verdict = 'buy'
), bought AS (
  SELECT *, CASE WHEN amount = price THEN increment
                 ELSE least(div(amount::numeric * 1000, rate), increment)::bigint END AS granted
  FROM paid
), kept AS (
  INSERT INTO metered_sessions AS s (user_id, session_id, node, label, exit, charge_number, last_amount, last_grant,
                                     charged, posted, granted, granted_posted, started_at, paid_until,
                                     last_posted_at)
  SELECT user_id, session_id, $1, label, exit, number, amount, granted, amount, 0, granted, 0, starts,
         starts + granted, starts
  FROM bought WHERE amount > 0
  ON CONFLICT (user_id, session_id) DO UPDATE
    SET charge_number = excluded.charge_number, last_amount = excluded.last_amount,
        last_grant = excluded.last_grant, charged = s.charged + excluded.charged,
        granted = s.granted + excluded.granted, paid_until = excluded.paid_until
), taken AS (
  UPDATE user_credits c SET balance = c.balance - total.amount, updated_at = total.at
  FROM (SELECT user_id, sum(amount)::bigint AS amount, max(starts) AS at
        FROM bought WHERE amount > 0 GROUP BY user_id) total
  WHERE c.user_id = total.user_id
)
SELECT j.verdict,
       CASE j.verdict WHEN 'buy' THEN b.amount WHEN 'again' THEN j.last_amount ELSE 0 END,
       CASE j.verdict WHEN 'buy' THEN b.granted WHEN 'again' THEN j.last_grant ELSE 0 END,
       (j.balance - coalesce(sum(b.amount) OVER (PARTITION BY j.user_id ORDER BY j.place), 0))::bigint
FROM judged j LEFT JOIN bought b ON b.place = j.place
ORDER BY j.place)sql";

/// Ends sessions that are still open and posts what they owe the history. Returns for each request whether it
/// was dealt with, and how much was posted; of somebody whom nobody knows there is nothing to deal with.
constexpr const char* end_sql = R"sql(
WITH asked AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[])
    WITH ORDINALITY AS r (user_id, session_id, why, at, told, place)
), request AS (
  SELECT DISTINCT ON (user_id, session_id) * FROM asked ORDER BY user_id, session_id, place
), due AS (
  SELECT s.*, r.why AS reason, r.at, r.told = 1 AS told, r.place
  FROM request r JOIN metered_sessions s USING (user_id, session_id)
  WHERE s.ended_at IS NULL AND s.user_id = ANY ()sql" PAYG_LOCKED_USERS R"sql()
),)sql" PAYG_END_DUE R"sql(
SELECT r.user_id = ANY ()sql" PAYG_LOCKED_USERS R"sql()
         OR NOT EXISTS (SELECT FROM user_credits c WHERE c.user_id = r.user_id),
       coalesce(d.charged - d.posted, 0)
FROM asked r LEFT JOIN due d ON d.place = r.place ORDER BY r.place)sql";

/// Sessions of node $1 with usage to post, in the order of the index of live sessions, so that a portion does
/// not read what the later ones will.
#define PAYG_IS_DUE "s.node = $1 AND s.ended_at IS NULL AND s.last_posted_at <= $2 AND s.charged > s.posted"
#define PAYG_DUE_USAGE "metered_sessions s WHERE " PAYG_IS_DUE

/// Whoever of their users is free: the portion is counted of those, or a thousand sessions of somebody who is
/// locked would hold up everybody's. Who waits for nobody may lock in any order.
constexpr const char* lock_due_sql =
    "SELECT length(set_config('payg.locked_users', coalesce(string_agg(DISTINCT user_id::text, ','), ''), "
    "true))"
    " FROM (SELECT s.user_id FROM metered_sessions s JOIN user_credits c ON c.user_id = s.user_id"
    "       WHERE " PAYG_IS_DUE " ORDER BY s.last_posted_at LIMIT $3 FOR UPDATE OF c SKIP LOCKED) locked";

constexpr const char* post_sql =
    "WITH due AS ("
    "  SELECT s.* FROM " PAYG_DUE_USAGE " AND s.user_id = ANY (" PAYG_LOCKED_USERS
    ")"
    "  ORDER BY s.last_posted_at LIMIT $3"
    "), settled AS ("
    "  UPDATE metered_sessions s SET posted = due.charged, granted_posted = due.granted, last_posted_at = $4"
    "  FROM due WHERE s.user_id = due.user_id AND s.session_id = due.session_id"
    "), written AS ("
    "  INSERT INTO credit_transactions (user_id, type, amount, reference, note, time_ms, created_at)"
    "  SELECT user_id, 'usage', posted - charged,"
    "         'session-' || lpad(to_hex(session_id), 16, '0') || '-' || charge_number, '',"
    "         granted - granted_posted, $4::bigint"
    "  FROM due ORDER BY user_id, session_id"
    ") SELECT count(*) FROM due";

constexpr const char* one_due_sql = "SELECT 1 FROM " PAYG_DUE_USAGE " ORDER BY s.last_posted_at LIMIT 1";

/// The requests by column, as unnest takes them.
struct ChargeColumns {
  explicit ChargeColumns(std::span<const ChargeRequest> requests) {
    for (const ChargeRequest& request : requests) {
      users.push_back(to_integer(request.user));
      sessions.push_back(to_integer(request.session));
      numbers.push_back(request.number);
      prices.push_back(request.price.units());
      increments.push_back(request.increment.count());
      rates.push_back(request.rate.thousandths());
      starts.push_back(to_ms(request.from));
      labels.push_back(request.label);
      exits.push_back(request.exit);
      limits.push_back(request.session_limit);
    }
  }
  std::vector<std::int64_t> users, sessions, numbers, prices, increments, rates, starts, limits;
  std::vector<std::string> labels, exits;
};

template <class Request>
Turn turn_of(std::span<const Request> requests) {
  return requests.size() == 1 ? requests.front().turn : Turn::if_free;
}

/// The node's life goes on, or is over, for the rest of the transaction. And no JIT: where the tables have
/// grown faster than the statistics, compiling the plan would take longer than running it.
PostgresStatement begin_charging(const std::string& node) {
  return {"SELECT pg_advisory_xact_lock_shared(" PAYG_NODE_LIVES "), set_config('jit', 'off', true)",
          parameters(node)};
}

ChargeResult read_charge(const PostgresRows& rows, int row) {
  ChargeResult result{
      .amount = rows.credits(row, 1), .grant = rows.milliseconds(row, 2), .balance = rows.credits(row, 3)};
  const std::string verdict = rows.text(row, 0);
  if (verdict == "later") {
    result.outcome = ChargeResult::Outcome::later;
  } else if (verdict == "too_many") {
    result.outcome = ChargeResult::Outcome::too_many;
  } else if (verdict != "fenced") {
    result.outcome = outcome_of(result.grant);
  }
  if (verdict == "again") result.origin = ChargeResult::Origin::stored;
  return result;
}

}  // namespace

LedgerResult<std::vector<ChargeResult>> PostgresLedger::charge(const NodeRef& node,
                                                               std::span<const ChargeRequest> requests) {
  if (requests.empty()) return std::vector<ChargeResult>();
  for (const ChargeRequest& request : requests) {
    if (auto refusal = check_charge(request)) return *refusal;
  }
  const Turn turn = turn_of(requests);
  const ChargeColumns columns(requests);
  std::vector<PostgresStatement> statements{begin_charging(node.name)};
  std::ranges::move(postgres::lock_users(columns.users, turn), std::back_inserter(statements));
  statements.push_back(
      {charge_sql, parameters(node.name, columns.users, columns.sessions, columns.numbers, columns.prices,
                              columns.increments, columns.rates, columns.starts, columns.labels,
                              columns.exits, columns.limits, to_integer(node.life))});
  const auto results = connection_.transact(std::move(statements));
  if (!results && turn == Turn::in_line && connection_.waited_in_vain())
    return std::vector<ChargeResult>{{.outcome = ChargeResult::Outcome::later, .amount = {}, .balance = {}}};
  if (!results) return results.error();
  const PostgresRows& rows = results->back();
  if (!rows.empty() && rows.text(0, 0) == "life is over") return life_is_over();
  std::vector<ChargeResult> answers;
  answers.reserve(requests.size());
  for (int row = 0; row < rows.count(); ++row) answers.push_back(read_charge(rows, row));
  if (answers.size() != requests.size()) return unreadable("batch");
  return answers;
}

LedgerResult<std::vector<EndResult>> PostgresLedger::end_sessions(std::span<const EndRequest> requests) {
  std::vector<EndResult> ended;
  if (requests.empty()) return ended;
  const Turn turn = turn_of(requests);
  std::vector<std::int64_t> users, sessions, times, told;
  std::vector<std::string> reasons;
  for (const EndRequest& request : requests) {
    users.push_back(to_integer(request.user));
    sessions.push_back(to_integer(request.session));
    times.push_back(to_ms(request.at));
    reasons.emplace_back(name_of(request.why));
    told.push_back(request.by == EndedBy::somebody_else ? 1 : 0);
  }
  auto statements = postgres::lock_users(users, turn);
  if (std::count(told.begin(), told.end(), 1) > 0)
    statements.insert(statements.begin(), postgres::lock_end_changes());
  statements.push_back({end_sql, parameters(users, sessions, reasons, times, told)});
  const auto results = connection_.transact(std::move(statements));
  if (!results && turn == Turn::in_line && connection_.waited_in_vain())
    return std::vector<EndResult>{{.outcome = EndOutcome::later, .posted = {}}};
  if (!results) return results.error();
  const PostgresRows& rows = results->back();
  for (int row = 0; row < rows.count(); ++row) {
    const auto outcome = rows.text(row, 0) == "t" ? EndOutcome::ended : EndOutcome::later;
    ended.push_back({.outcome = outcome, .posted = rows.credits(row, 1)});
  }
  if (ended.size() != requests.size()) return unreadable("batch");
  return ended;
}

LedgerResult<Posting> PostgresLedger::post_usage(std::string_view node, WallTime older_than, WallTime at) {
  const std::int64_t portion = posting_portion;
  const auto results =
      connection_.transact({{lock_due_sql, parameters(node, to_ms(older_than), portion)},
                            {post_sql, parameters(node, to_ms(older_than), portion, to_ms(at))},
                            {one_due_sql, parameters(node, to_ms(older_than))}});
  if (!results) return results.error();
  const PostgresRows &posted = (*results)[1], &left = (*results)[2];
  // Where nothing was free, asking again at once would find the same.
  return posted.integer(0, 0) > 0 && !left.empty() ? Posting::more : Posting::done;
}

std::vector<SessionRow> postgres::read_sessions(const PostgresRows& rows) {
  std::vector<SessionRow> sessions;
  for (int row = 0; row < rows.count(); ++row) {
    sessions.push_back(
        {.user = to_user_id(rows.integer(row, 0)),
         .user_name = rows.text(row, 1),
         .id = to_session_id(rows.integer(row, 2)),
         .node = rows.text(row, 3),
         .label = rows.text(row, 4),
         .exit = rows.text(row, 5),
         .started_at = from_ms(rows.integer(row, 6)),
         .paid_until = from_ms(rows.integer(row, 7)),
         .charges = static_cast<std::uint32_t>(rows.integer(row, 8)),
         .charged = rows.credits(row, 9),
         .granted = rows.milliseconds(row, 10),
         .ended_at = rows.is_null(row, 11) ? std::nullopt : std::optional(from_ms(rows.integer(row, 11))),
         .why = rows.text(row, 12)});
  }
  return sessions;
}

LedgerResult<std::vector<SessionRow>> PostgresLedger::live_sessions(std::optional<UserId> user) {
  PostgresParameters wanted;
  user ? wanted.add(to_integer(*user)) : wanted.add_null();
  const auto rows = connection_.query({PAYG_SESSION " WHERE s.ended_at IS NULL AND ($1::bigint IS NULL OR "
                                                    "s.user_id = $1) ORDER BY s.started_at, s.session_id",
                                       std::move(wanted)});
  if (!rows) return rows.error();
  return postgres::read_sessions(*rows);
}

}  // namespace payg::billing
