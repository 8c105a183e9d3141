#include "billing/ledger/ledger_rules.h"

#include "tests/contract/books.h"

namespace payg::test {
namespace {

std::string refusal_of_url(std::string_view url) {
  const auto factory = open_ledger(url);
  return factory ? "" : factory.error();
}

TEST(SessionIds, AreSixteenHexadecimalDigits) {
  EXPECT_EQ(to_string(SessionId{1}), "0000000000000001");
  EXPECT_EQ(to_string(SessionId{0x7fffffffffffffff}), "7fffffffffffffff");
  EXPECT_EQ(parse_session_id("0000000000001234"), session_a);
  EXPECT_EQ(parse_session_id("7FFFFFFFFFFFFFFF"), SessionId{0x7fffffffffffffff});
}

TEST(SessionIds, ThatDoNotFitAreNone) {
  for (const std::string_view text :
       {"", "1234", "0000000000000000", "8000000000000000", "00000000000012345", "000000000000123g",
        "-000000000001234", "0x00000000001234", " 00000000001234"}) {
    EXPECT_EQ(parse_session_id(text), std::nullopt) << text;
  }
}

TEST(Names, AreReadBackAsTheyAreWritten) {
  for (const OrderState state :
       {OrderState::pending, OrderState::paid, OrderState::failed, OrderState::abandoned, OrderState::expired,
        OrderState::review, OrderState::refunded, OrderState::disputed}) {
    EXPECT_EQ(parse_order_state(name_of(state)), state);
  }
  for (const TransactionType type :
       {TransactionType::purchase, TransactionType::bonus, TransactionType::usage, TransactionType::refund,
        TransactionType::adjustment}) {
    EXPECT_EQ(parse_transaction_type(name_of(type)), type);
  }
  EXPECT_EQ(parse_user_state("active"), UserState::active);
  EXPECT_EQ(parse_user_state("disabled"), UserState::disabled);
  EXPECT_EQ(parse_user_state("gone"), std::nullopt);
  EXPECT_EQ(parse_order_state("gone"), std::nullopt);
  EXPECT_EQ(parse_transaction_type(""), std::nullopt);
}

TEST(OpenLedger, TakesAFileOrAPostgresUrl) {
  EXPECT_EQ(refusal_of_url("sqlite:var/payg.db"), "");
  EXPECT_EQ(refusal_of_url("sqlite:/var/lib/payg.db"), "");
  EXPECT_EQ(refusal_of_url("postgresql:///payg?host=/run/postgresql"), "");
  EXPECT_EQ(refusal_of_url("postgres://a,b/payg?target_session_attrs=read-write"), "");
}

TEST(OpenLedger, SaysWhatItExpectedInstead) {
  for (const std::string_view url : {"", "payg.db", "sqlite:", "sqlite::memory:", "mysql://payg",
                                     "host=db user=payg", "postgresql://%zz/payg"}) {
    EXPECT_NE(refusal_of_url(url).find("expected \"sqlite:PATH\""), std::string::npos) << url;
  }
}

TEST(OpenLedger, NeverRepeatsAPassword) {
  EXPECT_EQ(refusal_of_url("postgresql://payg:hunter2@db/payg?no_such_option=1").find("hunter2"),
            std::string::npos);
  EXPECT_EQ(refusal_of_url("pg://payg:hunter2@db/payg").find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace payg::test
