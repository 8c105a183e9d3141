#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "billing/ledger/ledger.h"

namespace payg::test {

using namespace billing;
using namespace std::chrono_literals;

/// A fresh, empty database of one engine, gone at the end of the test.
class Books {
 public:
  virtual ~Books() = default;
  virtual std::string url() const = 0;
  /// Runs SQL behind the ledger's back, with the table's CHECKs out of force, and returns the first field.
  virtual std::string run(const std::string& sql) = 0;
  std::unique_ptr<Ledger> open() const;
};

enum class Engine { sqlite, postgres };
std::unique_ptr<Books> make_books(Engine engine);

/// The value of a call that has to succeed.
template <class T>
T value_of(LedgerResult<T> result) {
  if (!result)
    throw std::runtime_error(std::string(name_of(result.error().code)) + ": " + result.error().message);
  return std::move(*result);
}

/// The name of the error of a call that has to fail, or "ok".
template <class T>
std::string refusal_of(const LedgerResult<T>& result) {
  return result ? "ok" : std::string(name_of(result.error().code));
}

/// 2026-01-01T00:00Z, a full hour and a full day.
inline constexpr WallTime new_year{std::chrono::milliseconds(1'767'225'600'000)};

/// 0.80 credits an hour, by the minute: 48,000 units.
inline const Rate rate = Rate::from_thousandths(800);
inline constexpr Credits minute_price = Credits::from_units(48'000);

constexpr Credits units(std::int64_t count) {
  return Credits::from_units(count);
}
constexpr Credits credits(std::int64_t count) {
  return units(count * Credits::units_per_credit);
}
constexpr Credits minutes_worth(std::int64_t count) {
  return units(count * minute_price.units());
}

TokenHash token_of(std::string_view text);
/// Minute `number` of a session; the first begins at new_year.
ChargeRequest minute(const User& user, SessionId session, std::uint32_t number);
EndRequest ending(const User& user, SessionId session, WallTime at, EndReason why = EndReason::idle);
/// The newest life of a node, which is its first when it has not been started yet.
NodeRef newest_life(Ledger& ledger, std::string_view name);
/// Asks until somebody else's lock is no longer in the way, as a node does.
LedgerResult<ChargeResult> charge_in_the_end(Ledger& ledger, const NodeRef& on_node,
                                             const ChargeRequest& request);
LedgerResult<Done> end_in_the_end(Ledger& ledger, const EndRequest& request);
/// A pending order of 25 for 25 credits and a bonus of 2.
Order order_of(const User& user, std::string reference);

/// What every ledger has to do, run on each engine.
class LedgerContract : public testing::TestWithParam<Engine> {
 protected:
  void SetUp() override;
  void TearDown() override;

  Ledger& ledger() { return *ledger_; }
  Books& books() { return *books_; }

  User user_with(std::string_view name, Credits balance);
  /// On `node`, which is started if it has not been.
  ChargeResult charge(const ChargeRequest& request);
  void end(const EndRequest& request);
  void expect_clean_books();
  /// Sum of the user's transactions of one type.
  Credits total(const User& user, TransactionType type);

  /// For tests that break the books on purpose: TearDown audits otherwise.
  void leave_books_broken() { audit_at_the_end_ = AuditAtTheEnd::no; }

 private:
  enum class AuditAtTheEnd { yes, no };
  AuditAtTheEnd audit_at_the_end_ = AuditAtTheEnd::yes;
  std::unique_ptr<Books> books_;
  std::unique_ptr<Ledger> ledger_;
};

inline constexpr SessionId session_a{0x1234}, session_b{0xfedcba9876543};
inline constexpr std::string_view node = "node-1";
inline constexpr std::chrono::milliseconds lease = 390s;

std::string engine_name(const testing::TestParamInfo<Engine>& info);

/// Runs a suite's tests on both ledgers.
#define PAYG_ON_EVERY_LEDGER(suite)                                                                   \
  INSTANTIATE_TEST_SUITE_P(On, suite,                                                                 \
                           testing::Values(payg::test::Engine::sqlite, payg::test::Engine::postgres), \
                           payg::test::engine_name)

}  // namespace payg::test
