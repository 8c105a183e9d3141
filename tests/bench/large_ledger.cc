#include "tests/bench/large_ledger.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace payg::bench {
namespace {

constexpr std::int64_t session_step = 4'611'686'018;  // spreads the ids, as random ones are
constexpr std::uint32_t unposted_charges = 5;
constexpr int charges_of_a_row = 60;  // usage is posted by the hour

/// What the two databases do not write in the same way.
struct Dialect {
  const char *overriding, *token, *hex;
  bool ids_within_user;
};
constexpr Dialect sqlite{"", "CAST(printf('%032d', i) AS BLOB)", "printf('%016x', session_id)", true};
constexpr Dialect postgres{" OVERRIDING SYSTEM VALUE", "convert_to(lpad(CAST(i AS TEXT), 32, '0'), 'UTF8')",
                           "lpad(to_hex(session_id), 16, '0')", false};

/// Text with {users}, {over} and so on filled in.
std::string filled(std::string text, const std::vector<std::pair<std::string, std::string>>& values) {
  for (const auto& [mark, value] : values) {
    for (auto at = text.find(mark); at != text.npos; at = text.find(mark, at + value.size()))
      text.replace(at, mark.size(), value);
  }
  return text;
}

// A fifth of the orders is not paid, half of the others have a bonus; of the second session of every fifth
// user three hours are posted, of all the others four.
constexpr std::string_view users_sql = R"sql(
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {users})
INSERT INTO users (user_id, name, email, state, token_hash, created_at, changed_at){over}
SELECT i, 'user' || i, '', 'active', {token}, {at}, {at} FROM n)sql";

constexpr std::string_view balances_sql = R"sql(
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {users})
INSERT INTO user_credits (user_id, balance, updated_at)
SELECT i, 36000000000 + CASE WHEN i % 5 = 0 THEN 0 WHEN i % 2 = 0 THEN 97200000 ELSE 90000000 END
         - 48000 * (240 + CASE WHEN i % 5 = 0 THEN 180 ELSE 240 END + {unposted}), {at} FROM n)sql";

constexpr std::string_view gifts_sql = R"sql(
INSERT INTO credit_transactions (user_id, id, type, amount, reference, note, time_ms, created_at){over}
SELECT user_id, {id}, 'adjustment', 36000000000, 'start', '', 0, {at} FROM user_credits)sql";

constexpr std::string_view orders_sql = R"sql(
INSERT INTO payment_orders (user_id, reference, provider, state, price, currency, credits, bonus, idempotency_key,
                            request_digest, authorization_url, created_at, paid_at)
SELECT user_id, 'sim-' || user_id, 'simulated', CASE WHEN user_id % 5 = 0 THEN 'pending' ELSE 'paid' END, 90000000,
       'USD', 90000000, CASE WHEN user_id % 2 = 0 THEN 7200000 ELSE 0 END, '', '', '', {at},
       CASE WHEN user_id % 5 = 0 THEN NULL ELSE {at} END
FROM user_credits)sql";

constexpr std::string_view credits_sql = R"sql(
INSERT INTO credit_transactions (user_id, id, type, amount, reference, note, time_ms, created_at){over}
SELECT user_id, {id}, '{type}', {amount}, reference, '', 0, {at} FROM payment_orders
WHERE state = 'paid' AND {amount} > 0)sql";

constexpr std::string_view sessions_sql = R"sql(
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2 * {users})
INSERT INTO metered_sessions (user_id, session_id, node, label, exit, charge_number, last_amount, last_grant, charged,
                              posted, granted, granted_posted, started_at, paid_until, last_posted_at, ended_at, why)
SELECT (i + 1) / 2, i * {step}, 'node-1', '', 'direct', m, 48000, 60000, 48000 * m, 48000 * p, 60000 * m, 60000 * p,
       {at}, {at} + 60000 * m, {at}, CASE WHEN i % 2 = 0 THEN NULL ELSE {at} END,
       CASE WHEN i % 2 = 0 THEN NULL ELSE 'idle' END
FROM (SELECT i, p, p + CASE WHEN i % 2 = 0 THEN {unposted} ELSE 0 END AS m
      FROM (SELECT i, 60 * CASE WHEN i % 10 = 0 THEN 3 ELSE 4 END AS p FROM n) posted) charged)sql";

constexpr std::string_view usage_sql = R"sql(
INSERT INTO credit_transactions (user_id, id, type, amount, reference, note, time_ms, created_at){over}
SELECT user_id, {id}, 'usage', -2880000, 'session-' || {hex} || '-{charge}', '', 3600000, {at}
FROM metered_sessions WHERE posted >= 2880000 * {hour})sql";

class Filler {
 public:
  Filler(test::Books& books, const Dialect& dialect, std::int64_t users)
      : books_(books), dialect_(dialect), users_(users) {}

  void fill() {
    run(users_sql);
    run(balances_sql);
    run(gifts_sql, {{"{id}", next_id("user_id", 1)}});
    run(orders_sql);
    run(credits_sql, {{"{type}", "purchase"}, {"{amount}", "credits"}, {"{id}", next_id("user_id", 2)}});
    run(credits_sql, {{"{type}", "bonus"}, {"{amount}", "bonus"}, {"{id}", next_id("user_id", 3)}});
    run(sessions_sql);
    for (int hour = 1; hour <= 4; ++hour)
      run(usage_sql, {{"{hour}", std::to_string(hour)},
                      {"{charge}", std::to_string(hour * charges_of_a_row)},
                      {"{id}", next_id("session_id / {step}", 10 * hour)}});
  }

 private:
  using Values = std::vector<std::pair<std::string, std::string>>;

  /// SQL for the id of a new transaction: counted within the user, or over all of them in the order of time.
  std::string next_id(const std::string& row, int within_user) {
    if (dialect_.ids_within_user)
      return std::to_string(within_user) + (row == "user_id" ? "" : " + " + row + " % 2");
    last_id_ += 2 * users_;
    return std::to_string(last_id_) + " + " + row;
  }

  void run(std::string_view sql, Values values = {}) {
    const Values common{{"{users}", std::to_string(users_)},
                        {"{over}", dialect_.overriding},
                        {"{token}", dialect_.token},
                        {"{hex}", dialect_.hex},
                        {"{step}", std::to_string(session_step)},
                        {"{unposted}", std::to_string(unposted_charges)},
                        {"{at}", std::to_string(test::new_year.time_since_epoch().count())}};
    values.insert(values.end(), common.begin(), common.end());
    books_.run(filled(std::string(sql), values));
  }

  test::Books& books_;
  const Dialect& dialect_;
  const std::int64_t users_;
  std::int64_t last_id_ = 0;
};

}  // namespace

void fill_with_users(test::Books& books, test::Engine engine, std::int64_t users) {
  Filler(books, engine == test::Engine::sqlite ? sqlite : postgres, users).fill();
}

billing::ChargeRequest next_charge(std::int64_t user, std::uint32_t later) {
  const auto session = static_cast<std::uint64_t>(2 * user * session_step);
  const std::uint32_t last = charges_of_a_row * (user % 5 == 0 ? 3 : 4) + unposted_charges;
  billing::User whose;
  whose.id = billing::UserId{static_cast<std::uint64_t>(user)};
  return test::minute(whose, billing::SessionId{session}, last + later);
}

}  // namespace payg::bench
