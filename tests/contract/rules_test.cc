#include "billing/ledger/client_network.h"
#include "billing/ledger/ledger_rules.h"

#include "tests/contract/books.h"

namespace payg::test {
namespace {

std::string refusal_of_url(std::string_view url) {
  const auto factory = open_ledger(url);
  return factory ? "" : factory.error();
}

/// What a user may list, as it is kept, or what is wrong with it.
std::string listed(std::string_view text) {
  const auto network = read_client_network(text, {.v4 = 24, .v6 = 48});
  if (network) return network->to_string();
  switch (network.error()) {
    case NetworkFlaw::malformed: return "malformed";
    case NetworkFlaw::bits_behind_prefix: return "bits behind the prefix";
    case NetworkFlaw::nobodys: return "nobody's";
    case NetworkFlaw::too_wide: return "too wide";
  }
  return "";
}

TEST(ClientNetworks, AreKeptInOneWayOnly) {
  for (const auto& [written, kept] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"203.0.113.7", "203.0.113.7/32"},
           {"203.0.113.7/32", "203.0.113.7/32"},
           {"203.0.113.0/24", "203.0.113.0/24"},
           {"::ffff:203.0.113.7", "203.0.113.7/32"},
           {"::ffff:203.0.113.0/120", "203.0.113.0/24"},
           {"2001:DB8:0:0::/48", "2001:db8::/48"},
           {"2001:db8::1", "2001:db8::1/128"},
           {"10.1.2.0/24", "10.1.2.0/24"},
           {"127.0.0.1", "127.0.0.1/32"},
           {"::1", "::1/128"}})
    EXPECT_EQ(listed(written), kept) << written;
}

TEST(ClientNetworks, ThatCannotBeListedAreRefusedForAReason) {
  for (const auto& [written, why] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"", "malformed"},
           {"example.com", "malformed"},
           {"203.0.113", "malformed"},
           {"203.0.113.7/33", "malformed"},
           {"203.0.113.7/", "malformed"},
           {"203.0.113.7/24/24", "malformed"},
           {" 203.0.113.7", "malformed"},
           {"203.0.113.7/24", "bits behind the prefix"},
           {"2001:db8::1/64", "bits behind the prefix"},
           {"203.0.112.0/23", "too wide"},
           {"2001:db8::/47", "too wide"},
           {"0.0.0.0/0", "too wide"},
           {"::/0", "too wide"},
           {"::ffff:0.0.0.0/96", "too wide"},
           {"0.0.0.0", "nobody's"},
           {"0.1.2.3", "nobody's"},
           {"224.0.0.1", "nobody's"},
           {"255.255.255.255", "nobody's"},
           {"::", "nobody's"},
           {"::/64", "nobody's"},
           {"ff02::1", "nobody's"}})
    EXPECT_EQ(listed(written), why) << written;
}

TEST(ClientNetworks, MayBeWiderForTheOperator) {
  EXPECT_TRUE(read_client_network("10.0.0.0/8", widest_networks).ok());
  EXPECT_TRUE(read_client_network("fd00::/16", widest_networks).ok());
  EXPECT_EQ(read_client_network("10.0.0.0/7", widest_networks).error(), NetworkFlaw::too_wide);
  EXPECT_EQ(read_client_network("fc00::/15", widest_networks).error(), NetworkFlaw::too_wide);
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
