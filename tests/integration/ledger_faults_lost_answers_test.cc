// The connection to PostgreSQL dies between COMMIT and its answer: nobody can know whether it was done, and
// it is done once.

#include <nlohmann/json.hpp>

#include "tests/integration/ledger_load.h"
#include "tests/support/postgres_relay.h"

namespace payg::test {
namespace {

/// How often in a row it happens. A connection that had been used before is opened again by the ledger, and
/// what was asked on it asked again, which nobody notices; twice is noticed.
class LostAnswers : public testing::TestWithParam<int> {
 protected:
  static constexpr std::int64_t ten_credits = 10'000 * units_per_second;
  static constexpr std::int64_t one_hour = 3'600 * units_per_second;

  bool is_noticed() const { return GetParam() > 1; }
  void lose_answers(const std::string& words) { relay_.lose_answers(words, GetParam()); }
  void expect_all_lost() {
    EXPECT_TRUE(eventually([this] { return relay_.answers_lost() == GetParam(); }));
  }
  /// Sends it until it is done, as somebody does who has sent an Idempotency-Key.
  void post_until_done(const AdminClient& client, const std::string& path, const std::string& body) {
    const AdminClient::Fields key{{"Idempotency-Key", "once"}};
    const auto first = client.post(path, body, key);
    expect_all_lost();
    EXPECT_EQ(first.status(), is_noticed() ? 503 : 201) << first.response.body.content;
    if (is_noticed()) {
      EXPECT_EQ(first.json().at("code"), "ledger_unavailable");
    }
    EXPECT_EQ(client.post(path, body, key).status() / 100, 2);
  }
  /// Rows of the user's history.
  std::size_t history(const Account& account) const {
    return metered_.client(account).get("/api/credits/transactions").json().at("transactions").size();
  }

  const PostgresServer server_;
  const PostgresDatabase database_{server_.url()};
  PostgresRelay relay_{database_.url()};
  const Origin echo_{scripts::echo()};
  MeteredProxy metered_{BillingSettings{.ledger = relay_.url(), .increment = "1h"}};
};

INSTANTIATE_TEST_SUITE_P(InARow, LostAnswers, testing::Values(1, 2), testing::PrintToStringParamName());

TEST_P(LostAnswers, OfAChargeAndAnEndChargeAndPostOnce) {
  const Account alice = metered_.user("alice", "10");
  lose_answers("INSERT INTO metered_sessions");
  RawClient tunnel = metered_.http_tunnel(alice, echo_);
  expect_all_lost();
  EXPECT_TRUE(eventually([&] { return metric(metered_, "payg_charges_total") == 1; }));
  EXPECT_EQ(metered_.balance_units(alice), ten_credits - one_hour);

  lose_answers("SET ended_at");
  const auto sessions = metered_.client(alice).get("/api/sessions").json().at("sessions");
  const std::string session = sessions.at(0).at("id").get<std::string>();
  EXPECT_EQ(metered_.client(alice).call("DELETE", "/api/sessions/" + session, "", {}).status() / 100, 2);
  EXPECT_TRUE(tunnel.at_end());
  expect_all_lost();
  expect_everything_settled(metered_, {alice});
  EXPECT_EQ(metered_.usage_rows(alice), 1);
  EXPECT_EQ(metered_.balance_units(alice), ten_credits - one_hour);
}

TEST_P(LostAnswers, OfAPurchaseCreditOnce) {
  for (const std::string words : {"INSERT INTO payment_orders", "SET state = 'paid'"}) {
    const Account buyer = metered_.user(words.starts_with("INSERT") ? "placing" : "paying", "");
    lose_answers(words);
    post_until_done(metered_.client(buyer), "/api/credits/purchase", R"({"amount":10})");
    EXPECT_EQ(metered_.balance_units(buyer), ten_credits) << words;
    EXPECT_EQ(history(buyer), 1U) << words;
  }
}

TEST_P(LostAnswers, OfAnAdjustmentApplyOnce) {
  const Account alice = metered_.user("alice", "");
  lose_answers("'adjustment'");
  post_until_done(metered_.operator_client(), "/api/admin/users/alice/credits",
                  R"({"credits":"10","reason":"a gift"})");
  EXPECT_EQ(metered_.balance_units(alice), ten_credits);
  EXPECT_EQ(history(alice), 1U);
}

}  // namespace
}  // namespace payg::test
