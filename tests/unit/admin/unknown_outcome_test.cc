// What a client is told when nobody knows whether it was done.

#include "tests/fakes/failing_ledger.h"
#include "tests/unit/admin/admin_port.h"

namespace payg::test {
namespace {

/// On a ledger that does what it is asked, once it has said who asks, and never says so.
class UnknownOutcome : public AdminPort {
 protected:
  void SetUp() override {
    AdminPort::SetUp();
    alice = add_user("alice");
  }
  billing::LedgerFactory factory_of(billing::LedgerFactory factory) override {
    return failing(std::move(factory), faults);
  }
  Answer send(const std::string& path, const std::string& token, const std::string& body,
              std::vector<std::string> headers = {}) {
    faults->set_after(reads_before, LedgerFault::answer_lost);
    headers.push_back(bearer(token));
    Answer answer = ask({.method = "POST", .path = path, .headers = headers, .body = body});
    faults->set(LedgerFault::none);
    return answer;
  }

  static constexpr int reads_before = 1;  // the caller, or the user whom the path names
  std::shared_ptr<LedgerFaults> faults = std::make_shared<LedgerFaults>();
  billing::User alice;
};

TEST_F(UnknownOutcome, APurchaseWithoutAKeyNamesTheOrderToLookFor) {
  const Answer answer = send("/api/credits/purchase", "alice-token", R"({"amount":10})");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.code(), "ledger_unavailable");
  EXPECT_EQ(answer.json().at("detail").get<std::string>().find("same Idempotency-Key"), std::string::npos);
  const std::string reference = answer.json().at("reference");
  EXPECT_EQ(get("/api/credits/orders/" + reference, "alice-token").json().at("status"), "pending");
}

TEST_F(UnknownOutcome, APurchaseWithAKeyIsToBeSentAgain) {
  const std::vector<std::string> key{"Idempotency-Key: k-1"};
  const Answer answer = send("/api/credits/purchase", "alice-token", R"({"amount":10})", key);
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.json().at("detail").get<std::string>().find("same Idempotency-Key"), std::string::npos);
  EXPECT_FALSE(answer.json().contains("reference"));
  EXPECT_EQ(ask({.method = "POST",
                 .path = "/api/credits/purchase",
                 .headers = {bearer("alice-token"), key[0]},
                 .body = R"({"amount":10})"})
                .json()
                .at("status"),
            "paid");
  EXPECT_EQ(balance_of(alice), "10.00");
}

TEST_F(UnknownOutcome, AnAdjustmentNamesTheRowToLookFor) {
  const Answer answer =
      send("/api/admin/users/alice/credits", operator_token, R"({"credits":"10","reason":"a gift"})");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.json().at("detail").get<std::string>().find("same Idempotency-Key"), std::string::npos);
  const auto row = ledger->transactions(alice.id, {}, std::nullopt, 1).value().front();
  EXPECT_EQ(answer.json().at("reference"), row.reference);
}

TEST_F(UnknownOutcome, AReadSpeaksOfNoKey) {
  faults->set(LedgerFault::refused);
  const Answer answer = get("/api/credits/balance", "alice-token");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.json().at("detail"), "Ask again soon.");
}

}  // namespace
}  // namespace payg::test
