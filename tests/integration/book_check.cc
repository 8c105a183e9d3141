#include "tests/integration/book_check.h"

#include <gtest/gtest.h>

namespace payg::test {
namespace {

constexpr const char* all_sessions =
    "SELECT user_id, session_id, charge_number, charged, posted, granted, last_amount, last_grant, ended_at, "
    "why"
    " FROM metered_sessions";

std::string hex_of(const std::string& session_id) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", std::stoull(session_id));
  return digits;
}

}  // namespace

BookCheck::Settled BookCheck::look(const Promises& promises,
                                   std::optional<std::chrono::milliseconds> longest) {
  // Before the rows are read: what is promised later may be in none of them.
  const Promises::Kept kept = promises.so_far();
  Sessions now = read_sessions();
  Settled settled;
  for (const auto& [id, session] : now) {
    check_price(id, session);
    const auto before = seen_.find(id);
    const bool is_new = before == seen_.end();
    if (!is_new) check_change(id, before->second, session);
    if (is_new && longest) {
      // The next increment is bought before the last one is used up.
      EXPECT_LE(session.granted_ms, (*longest + 2 * price_.increment).count())
          << "session " << id << " paid for more time than there was";
    }
    if (session.why == "node_lost" && (is_new || before->second.why.empty())) {
      ++settled.sessions;
      settled.units += session.posted - (is_new ? 0 : before->second.posted);
    }
  }
  for (const auto& [id, session] : seen_) EXPECT_TRUE(now.contains(id)) << "session " << id << " is gone";
  check_charges(now, kept);
  check_purchases(kept);
  check_adjustments(kept);
  check_sums();
  seen_ = std::move(now);
  return settled;
}

BookCheck::Sessions BookCheck::read_sessions() const {
  Sessions sessions;
  for (const auto& row : rows_.select(all_sessions)) {
    const auto number = [&row](std::size_t column) { return std::stoll(row[column]); };
    sessions[hex_of(row[1])] = {.charges = number(2),
                                .charged = number(3),
                                .posted = number(4),
                                .granted_ms = number(5),
                                .last_amount = number(6),
                                .last_grant_ms = number(7),
                                .ended_at = row[8],
                                .why = row[9]};
  }
  return sessions;
}

/// A charge takes the price of the increment, or what was left; what was left buys as many whole milliseconds
/// as it covers.
void BookCheck::check_price(const std::string& id, const Session& session) const {
  const std::int64_t increment = price_.increment.count();
  const std::int64_t units_for_nothing =
      session.charged * increment - session.granted_ms * price_.units_per_increment;
  EXPECT_GE(units_for_nothing, 0) << "session " << id << " was granted time that it did not pay";
  EXPECT_LT(units_for_nothing, price_.units_per_increment * session.charges)
      << "session " << id << " paid " << session.charged << " for " << session.granted_ms << " ms";
  EXPECT_LE(session.charged, session.charges * price_.units_per_increment)
      << "session " << id << " paid more than " << session.charges << " increments";
  EXPECT_LE(session.last_grant_ms, increment) << id;
  EXPECT_LE(session.last_amount, price_.units_per_increment) << id;
}

void BookCheck::check_change(const std::string& id, const Session& before, const Session& now) const {
  EXPECT_GE(now.charges, before.charges) << "session " << id << " has forgotten charges";
  EXPECT_GE(now.charged, before.charged) << "session " << id << " was paid back";
  EXPECT_GE(now.granted_ms, before.granted_ms) << id;
  if (now.charges == before.charges) {
    EXPECT_EQ(now.charged, before.charged) << "session " << id << " paid charge " << now.charges << " twice";
  }
  if (!before.ended_at.empty()) {
    EXPECT_TRUE(now == before) << "session " << id << " changed after its end";
  }
}

void BookCheck::check_charges(const Sessions& now, const Promises::Kept& promises) const {
  for (const auto& [id, units] : promises.session_units) {
    const auto session = now.find(id);
    if (session == now.end()) {
      ADD_FAILURE() << "session " << id << " was shown and is gone";
    } else {
      EXPECT_GE(session->second.charged, units) << "session " << id << " was shown with more";
    }
  }
}

void BookCheck::check_purchases(const Promises::Kept& promises) const {
  std::map<std::string, int> paid;  // how often each reference was credited
  for (const auto& row : rows_.select("SELECT o.idempotency_key, o.reference FROM payment_orders o"
                                      " JOIN credit_transactions t ON t.user_id = o.user_id"
                                      "  AND t.reference = o.reference AND t.type = 'purchase'"
                                      " WHERE o.state = 'paid' AND t.amount = o.credits"))
    ++paid[row[0] + " " + row[1]];
  for (const auto& [key, reference] : promises.purchases)
    EXPECT_EQ(paid[key + " " + reference], 1) << "the purchase that was acknowledged for " << key;
}

void BookCheck::check_adjustments(const Promises::Kept& promises) const {
  std::map<std::string, std::vector<std::string>> rows;
  for (const auto& row :
       rows_.select("SELECT reference, amount FROM credit_transactions WHERE type = 'adjustment'"))
    rows[row[0]].push_back(row[1]);
  for (const auto& [reference, units] : promises.adjustments)
    EXPECT_EQ(rows[reference], std::vector<std::string>{std::to_string(units)}) << reference;
}

void BookCheck::check_sums() const {
  const auto sums = rows_.select(
      "SELECT (SELECT coalesce(-sum(amount), 0) FROM credit_transactions WHERE type = 'usage'),"
      " (SELECT coalesce(sum(posted), 0) FROM metered_sessions),"
      " (SELECT count(*) FROM user_credits WHERE balance < 0),"
      " (SELECT count(*) FROM metered_sessions WHERE ended_at IS NOT NULL AND posted <> charged)");
  EXPECT_EQ(sums.at(0)[0], sums.at(0)[1]) << "usage that was posted, and what sessions say that they posted";
  EXPECT_EQ(sums.at(0)[2], "0") << "balances below zero";
  EXPECT_EQ(sums.at(0)[3], "0") << "sessions that ended and were not posted";
}

void BookCheck::expect_no_others(const Promises& promises) const {
  const Promises::Kept kept = promises.so_far();
  const auto count = [this](const std::string& what) { return rows_.number("SELECT count(*) FROM " + what); };
  EXPECT_EQ(count("payment_orders"), std::ssize(kept.purchases));
  EXPECT_EQ(count("credit_transactions WHERE type = 'purchase'"), std::ssize(kept.purchases));
  EXPECT_EQ(count("credit_transactions WHERE type = 'adjustment'"), std::ssize(kept.adjustments));
}

std::int64_t BookCheck::open_sessions() const {
  return rows_.number("SELECT count(*) FROM metered_sessions WHERE ended_at IS NULL");
}

std::int64_t BookCheck::charges() const {
  std::int64_t count = 0;
  for (const auto& [id, session] : seen_) count += session.charges;
  return count;
}

}  // namespace payg::test
