#pragma once

#include <array>

namespace payg::billing {

// The audit in SQL that both databases understand. Each query gives rows of (invariant, subject, detail); all
// run in one snapshot and read every table once, so that a million transactions are a matter of seconds.

/// users, transactions, sessions, orders.
inline constexpr const char* audit_counts =
    "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM credit_transactions),"
    "       (SELECT count(*) FROM metered_sessions), (SELECT count(*) FROM payment_orders)";

/// Their one parameter is how many findings to list at most.
inline constexpr std::array audit_queries = {
    // I1: balance = Σ credit_transactions − Σ (charged − posted)
    "SELECT 'I1', 'user ' || u.name,"
    "       'balance is ' || coalesce(CAST(c.balance AS TEXT), 'missing') || ', should be '"
    "         || CAST(coalesce(t.total, 0) - coalesce(s.unposted, 0) AS TEXT)"
    " FROM users u"
    " LEFT JOIN user_credits c ON c.user_id = u.user_id"
    " LEFT JOIN (SELECT user_id, sum(amount) AS total FROM credit_transactions GROUP BY user_id) t"
    "   ON t.user_id = u.user_id"
    " LEFT JOIN (SELECT user_id, sum(charged - posted) AS unposted FROM metered_sessions GROUP BY user_id) s"
    "   ON s.user_id = u.user_id"
    " WHERE c.balance IS DISTINCT FROM coalesce(t.total, 0) - coalesce(s.unposted, 0)"
    " ORDER BY u.user_id LIMIT $1",

    // What a session has posted: never more than it was charged, and all of it once it has ended.
    "SELECT 'I1', 'session ' || session_id || ' of user ' || user_id,"
    "       'posted ' || posted || ' of ' || charged || ' charged' ||"
    "         CASE WHEN ended_at IS NULL THEN '' ELSE ', and has ended' END"
    " FROM metered_sessions"
    " WHERE posted > charged OR (ended_at IS NOT NULL AND posted <> charged)"
    " ORDER BY user_id, session_id LIMIT $1",

    // I2: no balance below zero
    "SELECT 'I2', 'user ' || u.name, 'balance is ' || c.balance || ', should not be below 0'"
    " FROM user_credits c JOIN users u ON u.user_id = c.user_id"
    " WHERE c.balance < 0 ORDER BY c.user_id LIMIT $1",

    // I4: a paid order has its purchase row and its bonus row …
    "SELECT 'I4', 'order ' || o.reference,"
    "       'credited ' || coalesce(CAST(p.amount AS TEXT), 'nothing') || ' and a bonus of '"
    "         || coalesce(CAST(b.amount AS TEXT), 'nothing') || ', should be ' || o.credits || ' and ' || "
    "o.bonus"
    " FROM payment_orders o"
    " LEFT JOIN credit_transactions p"
    "   ON p.user_id = o.user_id AND p.type = 'purchase' AND p.reference = o.reference"
    " LEFT JOIN credit_transactions b"
    "   ON b.user_id = o.user_id AND b.type = 'bonus' AND b.reference = o.reference"
    " WHERE o.state = 'paid'"
    "   AND (p.amount IS DISTINCT FROM o.credits OR coalesce(b.amount, 0) <> o.bonus)"
    " ORDER BY o.user_id, o.reference LIMIT $1",

    // … and there is no such row without an order that was paid (money that went back was paid before).
    "SELECT 'I4', t.type || ' ' || t.reference || ' of user ' || t.user_id,"
    "       'credited ' || t.amount || ', but its order is ' || coalesce(o.state, 'missing')"
    " FROM credit_transactions t"
    " LEFT JOIN payment_orders o ON o.user_id = t.user_id AND o.reference = t.reference"
    " WHERE t.type IN ('purchase', 'bonus')"
    "   AND coalesce(o.state, 'missing') NOT IN ('paid', 'refunded', 'disputed')"
    " ORDER BY t.user_id, t.id LIMIT $1",
};

}  // namespace payg::billing
