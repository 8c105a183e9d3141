#include <gtest/gtest.h>
#include <stdlib.h>

#include "config/billing_config.h"
#include "tests/unit/config/mistake.h"

namespace payg::config {
namespace {

constexpr Mistake mistakes[] = {
    {"TheTableIsMissing", "[[plugin]]\nname = 'billing'\n",
     "f.toml:1:1: billing: missing, expected the table [billing] of the plugin of that name"},
    {"TheLedgerIsOfAnotherKind", "[billing]\nledger = 'mysql://a'\n",
     "f.toml:2:10: billing.ledger: is no ledger, expected \"sqlite:PATH\" or \"postgresql://…\""},
    {"AUserMayListTheWholeInternet", "[billing]\nwidest_client_network_v4 = 0\n",
     "f.toml:2:28: billing.widest_client_network_v4: 0 is out of range, expected a whole number from 8 to "
     "32"},
    {"AFreeTargetIsAUrl", "[billing]\nfree_targets = ['pay.example', 'https://pay.example']\n",
     "f.toml:2:32: billing.free_targets: \"https://pay.example\" is no host, expected one such as "
     "\"pay.example\", \"*.pay.example\", \"pay.example:8443\" or \"[2001:db8::1]\""},
    {"TheSocketIsAFolder", "[billing.admin]\nsocket = '/run/payg/'\n",
     "f.toml:2:10: billing.admin.socket: \"/run/payg/\" is no name of a file"},
    {"TheLedgerHasNoPath", "[billing]\nledger = 'sqlite:'\n",
     "f.toml:2:10: billing.ledger: is no ledger, expected \"sqlite:PATH\" or \"postgresql://…\""},
    {"TheLedgerIsInMemory", "[billing]\nledger = 'sqlite::memory:'\n",
     "f.toml:2:10: billing.ledger: a ledger in memory would be lost, expected \"sqlite:PATH\""},
    {"TheLedgerHoldsAPassword", "[billing]\nledger = 'postgresql://payg:hunter2@db/payg'\nnode = 'a'\n",
     "f.toml:2:10: billing.ledger: holds a password, expected it in a file that PGPASSFILE names, or the "
     "whole URL "
     "in ledger_env or ledger_file"},
    {"TheLedgerHoldsAPasswordAsAParameter",
     "[billing]\nledger = 'postgresql:///payg?host=db&password=hunter2'\nnode = 'a'\n",
     "f.toml:2:10: billing.ledger: holds a password, expected it in a file that PGPASSFILE names, or the "
     "whole URL "
     "in ledger_env or ledger_file"},
    {"TheLedgerOfAnUnsetVariable", "[billing]\nledger_env = 'PAYG_TEST_UNSET'\n",
     "f.toml:2:14: billing.ledger_env: the environment variable PAYG_TEST_UNSET is not set, expected the "
     "secret in "
     "it"},
    {"TheLedgerOfAMissingFile", "[billing]\nledger_file = '/nonexistent/ledger'\n",
     "f.toml:2:15: billing.ledger_file: cannot read the file \"/nonexistent/ledger\", expected the secret in "
     "it"},
    {"TheLedgerOfAFolder", "[billing]\nledger_file = '/'\n",
     "f.toml:2:15: billing.ledger_file: cannot read the file \"/\", expected the secret in it"},
    {"TheLedgerOfAnEmptyFile", "[billing]\nledger_file = '/dev/null'\n",
     "f.toml:2:15: billing.ledger_file: the file \"/dev/null\" is empty, expected the secret in it"},
    {"TheLedgerIsGivenTwice", "[billing]\nledger = 'sqlite:a'\nledger_env = 'PAYG_TEST_LEDGER'\n",
     "f.toml:3:14: billing.ledger: is given twice, expected one of ledger, ledger_env, ledger_file"},
    {"ANodeThatSharesALedgerHasNoName",
     "[[plugin]]\nname = 'billing'\n[billing]\nledger = 'postgresql:///payg'\n",
     "f.toml:3:1: billing.node: missing, expected a name that no other node of this PostgreSQL ledger has, "
     "as in "
     "\"node-1\""},
    {"ANodeThatSharesASecretLedgerHasNoName", "[billing]\nledger_env = 'PAYG_TEST_SHARED'\n",
     "f.toml:1:1: billing.node: missing, expected a name that no other node of this PostgreSQL ledger has, "
     "as in "
     "\"node-1\""},
    {"ANodeHasABlank", "[billing]\nnode = 'node 1'\n",
     "f.toml:2:8: billing.node: \"node 1\" is no name of a node, expected 1 to 64 letters, digits, '_', '.' "
     "or '-'"},
    {"ASpoolIsAFolder", "[billing]\nspool = 'var/'\n",
     "f.toml:2:9: billing.spool: \"var/\" is no name of a file"},
    {"AGraceIsZero", "[billing]\noutage_grace = '0m'\n",
     "f.toml:2:16: billing.outage_grace: \"0m\" is too short, expected at least 1ms"},
    {"ALeaseIsShorterThanANodeMayRelay", "[billing]\noutage_grace = '10s'\nnode_lease = '70999ms'\n",
     "f.toml:3:14: billing.node_lease: \"70999ms\" is too short: a node may relay for increment + "
     "outage_grace "
     "after its last charge, and its sessions must not be ended before; expected at least 71s"},
    {"AUserMayHaveMoreSessionsThanAreCounted", "[billing]\nmax_sessions_per_user = 10001\n",
     "f.toml:2:25: billing.max_sessions_per_user: 10001 is out of range, expected a whole number from 0 to "
     "10000"},
    {"NoSessionIsAllowed", "[billing]\nmax_sessions = 0\n",
     "f.toml:2:16: billing.max_sessions: 0 is out of range, expected a whole number from 1 to 10000000"},
    {"ARateIsAFloat", "[billing.pricing]\nrate_per_hour = 0.80\n",
     "f.toml:2:17: billing.pricing.rate_per_hour: 0.80 is a number with a point, expected an amount in "
     "quotes, as "
     "in \"0.80\", which keeps it exact"},
    {"ARateIsZero", "[billing.pricing]\nrate_per_hour = '0'\n",
     "f.toml:2:17: billing.pricing.rate_per_hour: \"0\" is no exact rate, expected credits per hour above 0, "
     "at most "
     "1000000, with at most three decimals, as in \"0.80\""},
    {"ARateHasFourDecimals", "[billing.pricing]\nrate_per_hour = '0.0133'\n",
     "f.toml:2:17: billing.pricing.rate_per_hour: \"0.0133\" is no exact rate, expected credits per hour "
     "above 0, at "
     "most 1000000, with at most three decimals, as in \"0.80\""},
    {"AnIncrementIsTooShort", "[billing.pricing]\nincrement = '99ms'\n",
     "f.toml:2:13: billing.pricing.increment: \"99ms\" is too short, expected at least 100ms"},
    {"AnIncrementHasNoExactPrice", "[billing.pricing]\nrate_per_hour = '0.801'\nincrement = '1500ms'\n",
     "f.toml:3:13: billing.pricing.increment: 1500ms at 0.801 credits per hour has no exact price, expected "
     "an "
     "increment that is a multiple of 1s"},
    {"ADefaultIncrementStillHasToFit", "[billing.pricing]\nincrement = '101ms'\n",
     "f.toml:2:13: billing.pricing.increment: 101ms at 0.800 credits per hour has no exact price, expected "
     "an "
     "increment that is a multiple of 5ms"},
    {"AMinimumIsANumber", "[billing.pricing]\nminimum_to_start = 1\n",
     "f.toml:2:20: billing.pricing.minimum_to_start: 1 is a whole number, expected an amount in quotes, as "
     "in "
     "\"1\", which keeps it exact"},
    {"AMinimumIsNegative", "[billing.pricing]\nminimum_to_start = '-0.80'\n",
     "f.toml:2:20: billing.pricing.minimum_to_start: \"-0.80\" is below zero, expected an amount of at least "
     "\"0\""},
    {"AMinimumIsFinerThanAUnit", "[billing.pricing]\nminimum_to_start = '0.0000001'\n",
     "f.toml:2:20: billing.pricing.minimum_to_start: \"0.0000001\" is no exact amount of credits, expected "
     "one such "
     "as \"0.80\""},
    {"ACurrencyIsASign", "[billing.pricing]\ncurrency = '$'\n",
     "f.toml:2:12: billing.pricing.currency: \"$\" is no currency, expected three capital letters such as "
     "\"USD\""},
    {"NothingIsSold", "[billing.pricing]\npackages = []\n",
     "f.toml:2:12: billing.pricing.packages: the list is empty, expected at least one { price = \"…\", "
     "credits = "
     "\"…\" }"},
    {"APackageIsNoTable", "[billing.pricing]\npackages = ['10']\n",
     "f.toml:2:13: billing.pricing.packages: \"10\" is a string, expected a list of tables: "
     "[[billing.pricing.packages]]"},
    {"APackageHasNoCredits", "[billing.pricing]\npackages = [{ price = '10' }]\n",
     "f.toml:2:13: billing.pricing.packages.credits: missing, expected an amount of at least the price, as "
     "in "
     "\"27\""},
    {"APackageGivesLessThanItsPrice", "[billing.pricing]\npackages = [{ price = '10', credits = '9.99' }]\n",
     "f.toml:2:39: billing.pricing.packages.credits: \"9.99\" is less than the price, expected at least "
     "\"10.00\""},
    {"APackageIsFree", "[billing.pricing]\npackages = [{ price = '0', credits = '1' }]\n",
     "f.toml:2:23: billing.pricing.packages.price: is zero, expected an amount above zero"},
    {"TwoPackagesShareAPrice",
     "[billing.pricing]\npackages = [\n  { price = '10', credits = '10' },\n  { price = '10.0', credits = "
     "'11' },\n]\n",
     "f.toml:4:13: billing.pricing.packages.price: \"10.00\" is the price of another package already"},
    {"TheAdminPortHasNoPort", "[billing.admin]\naddress = '127.0.0.1'\n",
     "f.toml:2:11: billing.admin.address: \"127.0.0.1\" is no address and port, expected one such as "
     "\"127.0.0.1:8082\" or \"[::1]:8082\""},
    {"TheAdminPortIsTheProxys", "[[listener]]\naddress = '127.0.0.1:8082'\n[billing]\n",
     "f.toml:3:1: billing.admin.address: \"127.0.0.1:8082\" is taken by a [[listener]]"},
    {"AnOperatorTokenIsPutInTheFile", "[billing.admin]\noperator_token_env = 'hunter2 hunter2'\n",
     "f.toml:2:22: billing.admin.operator_token_env: is no name of an environment variable, expected one "
     "such as "
     "\"NAME\""},
    {"AnOperatorTokenIsGivenTwice",
     "[billing.admin]\noperator_token_env = 'PAYG_TEST_UNSET'\noperator_token_file = '/dev/null'\n",
     "f.toml:3:23: billing.admin.operator_token_file: operator_token_env is given too, expected only one of "
     "the two"},
    {"AnOperatorTokenHasABlank", "[billing.admin]\noperator_token_env = 'PAYG_TEST_BLANK'\n",
     "f.toml:2:22: billing.admin.operator_token_env: what was read from \"PAYG_TEST_BLANK\" is no token, "
     "expected 1 "
     "to 256 printable ASCII characters without blanks"},
    {"AnOperatorTokenIsShortAndOpenToTheWorld",
     "[billing.admin]\naddress = '0.0.0.0:8082'\noperator_token_env = 'PAYG_TEST_SHORT'\n",
     "f.toml:3:22: billing.admin.operator_token_env: what was read from \"PAYG_TEST_SHORT\" is too short for "
     "an admin "
     "port that is not on a loopback address, expected at least 16 characters"},
    {"AnonymousIsOpenToTheWorld", "[billing.admin]\naddress = '0.0.0.0:8082'\nanonymous_user = 'demo'\n",
     "f.toml:3:18: billing.admin.anonymous_user: anybody could be this user at \"0.0.0.0:8082\", expected a "
     "loopback "
     "address for the admin port"},
    {"AnonymousIsInCapitals", "[billing.admin]\nanonymous_user = 'Demo'\n",
     "f.toml:2:18: billing.admin.anonymous_user: \"Demo\" is no user name, expected 1 to 64 lower-case "
     "letters, "
     "digits, '_' or '.'"},
    {"TheDemoHasNoToken", "[billing.demo]\nuser = 'demo'\n",
     "f.toml:1:1: billing.demo.token: missing, expected the token of the demo user"},
    {"TheDemoHasAnOpenListener",
     "[[listener]]\naddress = '127.0.0.1:1'\n[[listener]]\naddress = '0.0.0.0:8080'\n"
     "[billing.demo]\nuser = 'demo'\ntoken = 'demo-token'\n",
     "f.toml:5:1: billing.demo: its token is known to everybody, expected loopback addresses only, not the "
     "listener "
     "\"0.0.0.0:8080\""},
    {"TheDemoHasAnOpenAdminPort",
     "[billing.admin]\naddress = '[::]:8082'\n[billing.demo]\nuser = 'demo'\ntoken = 'demo-token'\n",
     "f.toml:3:1: billing.demo: its token is known to everybody, expected loopback addresses only, not the "
     "admin "
     "port \"[::]:8082\""},
    {"SimulatedPaymentsAreOpenToTheWorld",
     "[billing.admin]\naddress = '192.0.2.1:8082'\n[billing.payments.simulated]\nenabled = true\n",
     "f.toml:4:11: billing.payments.simulated.enabled: simulated payments give credits away, expected a "
     "loopback "
     "address for the admin port, not \"192.0.2.1:8082\""},
    {"AFlagIsAString", "[billing.payments.simulated]\nenabled = 'yes'\n",
     "f.toml:2:11: billing.payments.simulated.enabled: \"yes\" is a string, expected true or false"},
    {"PaystackIsOfALaterVersion", "[billing.payments.paystack]\nsecret_key_env = 'PAYSTACK_SECRET_KEY'\n",
     "f.toml:1:19: billing.payments.paystack: unknown key: this version of payg-proxy does not have it"},
    {"AKeyIsMistyped", "[billing.pricing]\nrate_per_our = '1'\n",
     "f.toml:2:1: billing.pricing.rate_per_our: unknown key, did you mean \"rate_per_hour\"?"},
};

class BadBillingConfig : public testing::TestWithParam<Mistake> {
 protected:
  void SetUp() override {
    setenv("PAYG_TEST_LEDGER", "sqlite:b", 1);
    setenv("PAYG_TEST_SHARED", "postgresql://payg:hunter2@db/payg", 1);
    setenv("PAYG_TEST_SHORT", "fifteen-letters", 1);
    setenv("PAYG_TEST_BLANK", "two words", 1);
    unsetenv("PAYG_TEST_UNSET");
  }
};

TEST_P(BadBillingConfig, IsRefusedWithItsOwnMessage) {
  const auto config = read_billing_config("f.toml", GetParam().text, "billing");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error(), Errors{GetParam().message});
}

INSTANTIATE_TEST_SUITE_P(Mistakes, BadBillingConfig, testing::ValuesIn(mistakes),
                         [](const auto& mistake) { return mistake.param.name; });

}  // namespace
}  // namespace payg::config
