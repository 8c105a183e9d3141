#include "billing/ledger/audit_queries.h"

namespace payg::billing {
namespace {

/// Stands in a query for the session's id in hexadecimal digits.
constexpr std::string_view hex_mark = "{hex}";

/// I1: balance = Σ credit_transactions − Σ (charged − posted)
constexpr std::string_view wrong_balances = R"sql(
SELECT 'I1', 'user ' || u.name,
       'balance is ' || coalesce(CAST(c.balance AS TEXT), 'missing') || ', should be '
         || CAST(coalesce(t.total, 0) - coalesce(s.unposted, 0) AS TEXT), count(*) OVER ()
FROM users u
LEFT JOIN user_credits c ON c.user_id = u.user_id
LEFT JOIN (SELECT user_id, sum(amount) AS total FROM credit_transactions GROUP BY user_id) t
  ON t.user_id = u.user_id
LEFT JOIN (SELECT user_id, sum(charged - posted) AS unposted FROM metered_sessions GROUP BY user_id) s
  ON s.user_id = u.user_id
WHERE c.balance IS DISTINCT FROM coalesce(t.total, 0) - coalesce(s.unposted, 0)
ORDER BY u.user_id LIMIT $1)sql";

/// What belongs to a user is in no sum of wrong_balances when there is no such user.
constexpr std::string_view unknown_users = R"sql(
SELECT invariant, 'user ' || user_id, 'there is no such user, but there are ' || many || ' ' || kind || ' of his',
       count(*) OVER ()
FROM (
  SELECT 'I1' AS invariant, c.user_id, 'balances' AS kind, 1 AS many FROM user_credits c
  WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.user_id = c.user_id)
  UNION ALL
  SELECT 'I1', t.user_id, 'transactions', count(*) FROM credit_transactions t
  WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.user_id = t.user_id) GROUP BY t.user_id
  UNION ALL
  SELECT 'I1', s.user_id, 'sessions', count(*) FROM metered_sessions s
  WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.user_id = s.user_id) GROUP BY s.user_id
  UNION ALL
  SELECT 'I4', o.user_id, 'orders', count(*) FROM payment_orders o
  WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.user_id = o.user_id) GROUP BY o.user_id
) lost
ORDER BY user_id, kind LIMIT $1)sql";

/// What a session has posted: never more than it was charged, and all of it once it has ended.
constexpr std::string_view wrongly_posted = R"sql(
SELECT 'I1', 'session ' || {hex} || ' of user ' || user_id,
       'posted ' || posted || ' of ' || charged || ' charged, and ' || granted_posted || ' of ' || granted || ' ms'
         || CASE WHEN ended_at IS NULL THEN '' ELSE ', and has ended' END, count(*) OVER ()
FROM metered_sessions
WHERE posted > charged OR granted_posted > granted
   OR (ended_at IS NOT NULL AND (posted <> charged OR granted_posted <> granted))
ORDER BY user_id, session_id LIMIT $1)sql";

/// What the history says of a session is what the session says that it posted. One pass over both, each row
/// with its sign: a join would compare every row of a user with each of his sessions.
constexpr std::string_view wrong_history = R"sql(
SELECT 'I1', CASE WHEN sessions = 0 THEN 'usage ' || session ELSE 'session ' || substr(session, 9) END
         || ' of user ' || user_id,
       CASE WHEN sessions = 0 THEN 'there is no such session, but its ' ELSE 'posted ' || posted || ' in '
         || posted_ms || ' ms, its ' END || entries || ' usage rows say ' || used || ' in ' || used_ms || ' ms',
       count(*) OVER ()
FROM (
  SELECT user_id, session, sum(sessions) AS sessions, sum(entries) AS entries, sum(posted) AS posted,
         sum(used) AS used, sum(posted_ms) AS posted_ms, sum(used_ms) AS used_ms
  FROM (
    SELECT user_id, 'session-' || {hex} AS session, 1 AS sessions, 0 AS entries, posted, 0 AS used,
           granted_posted AS posted_ms, 0 AS used_ms
    FROM metered_sessions
    UNION ALL
    SELECT user_id, substr(reference, 1, 24), 0, 1, 0, -amount, 0, time_ms
    FROM credit_transactions WHERE type = 'usage'
  ) each_row
  GROUP BY user_id, session
) of_session
WHERE sessions = 0 OR posted <> used OR posted_ms <> used_ms
ORDER BY user_id, session LIMIT $1)sql";

/// I2: no balance below zero
constexpr std::string_view balances_below_zero = R"sql(
SELECT 'I2', 'user ' || u.name, 'balance is ' || c.balance || ', should not be below 0', count(*) OVER ()
FROM user_credits c JOIN users u ON u.user_id = c.user_id
WHERE c.balance < 0 ORDER BY c.user_id LIMIT $1)sql";

/// I3: what a session was charged is its last charge and at least a unit for each one before it; nothing is
/// kept of a charge that took nothing.
constexpr std::string_view contradicting_sessions = R"sql(
SELECT 'I3', 'session ' || {hex} || ' of user ' || user_id,
       'charge ' || charge_number || ' took ' || last_amount || ' for ' || last_grant || ' ms, but all charges took '
         || charged || ' for ' || granted || ' ms', count(*) OVER ()
FROM metered_sessions
WHERE last_amount < 1 OR charged - last_amount < charge_number - 1 OR granted < last_grant
   OR (charge_number = 1 AND (charged <> last_amount OR granted <> last_grant))
ORDER BY user_id, session_id LIMIT $1)sql";

/// I3, I4: nothing is in a history twice.
constexpr std::string_view repeated_transactions = R"sql(
SELECT CASE type WHEN 'usage' THEN 'I3' WHEN 'adjustment' THEN 'I1' ELSE 'I4' END,
       type || ' ' || reference || ' of user ' || user_id, 'is there ' || times || ' times', count(*) OVER ()
FROM (
  SELECT user_id, type, reference, count(*) AS times FROM credit_transactions
  GROUP BY user_id, type, reference HAVING count(*) > 1
) repeated
ORDER BY user_id, type, reference LIMIT $1)sql";

/// I4: a paid order has its purchase row and its bonus row …
constexpr std::string_view wrongly_credited_orders = R"sql(
SELECT 'I4', 'order ' || o.reference,
       'credited ' || coalesce(CAST(p.amount AS TEXT), 'nothing') || ' and a bonus of '
         || coalesce(CAST(b.amount AS TEXT), 'nothing') || ', should be ' || o.credits || ' and ' || o.bonus,
       count(*) OVER ()
FROM payment_orders o
LEFT JOIN credit_transactions p ON p.user_id = o.user_id AND p.type = 'purchase' AND p.reference = o.reference
LEFT JOIN credit_transactions b ON b.user_id = o.user_id AND b.type = 'bonus' AND b.reference = o.reference
WHERE o.state = 'paid' AND (p.amount IS DISTINCT FROM o.credits OR coalesce(b.amount, 0) <> o.bonus)
ORDER BY o.user_id, o.reference LIMIT $1)sql";

/// … and there is no such row without an order that was paid (money that went back was paid before) …
constexpr std::string_view credits_without_an_order = R"sql(
SELECT 'I4', t.type || ' ' || t.reference || ' of user ' || t.user_id,
       'credited ' || t.amount || ', but its order is ' || coalesce(o.state, 'missing'), count(*) OVER ()
FROM credit_transactions t
LEFT JOIN payment_orders o ON o.user_id = t.user_id AND o.reference = t.reference
WHERE t.type IN ('purchase', 'bonus') AND coalesce(o.state, 'missing') NOT IN ('paid', 'refunded', 'disputed')
ORDER BY t.user_id, t.id LIMIT $1)sql";

/// … and an order is there once, whosever it is.
constexpr std::string_view repeated_orders = R"sql(
SELECT 'I4', 'order ' || reference, 'is there ' || times || ' times', count(*) OVER ()
FROM (SELECT reference, count(*) AS times FROM payment_orders GROUP BY reference HAVING count(*) > 1) repeated
ORDER BY reference LIMIT $1)sql";

std::string with_hex(std::string_view query, std::string_view session_hex) {
  std::string text(query);
  for (auto at = text.find(hex_mark); at != text.npos; at = text.find(hex_mark, at + session_hex.size()))
    text.replace(at, hex_mark.size(), session_hex);
  return text;
}

}  // namespace

std::vector<std::string> audit_queries(std::string_view session_hex) {
  std::vector<std::string> queries;
  for (const std::string_view query : {wrong_balances, unknown_users, wrongly_posted, wrong_history,
                                       balances_below_zero, contradicting_sessions, repeated_transactions,
                                       wrongly_credited_orders, credits_without_an_order, repeated_orders})
    queries.push_back(with_hex(query, session_hex));
  return queries;
}

}  // namespace payg::billing
