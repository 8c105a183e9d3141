#include "billing/billing_plugin.h"

#include <gtest/gtest.h>

#include <thread>

#include "billing/payments/secrets.h"
#include "billing/spool/spool.h"
#include "tests/support/postgres_lock.h"
#include "tests/support/postgres_server.h"
#include "tests/unit/admin/damage.h"
#include "tests/unit/admin/http_client.h"
#include "tests/unit/billing/plugin_rig.h"
#include "tests/unit/spool/spool_charges.h"

namespace payg::test {
namespace {

using namespace billing;
using plugin::Reason;

const std::string short_increments =
    "rate_per_hour = \"0.80\"\nincrement = \"1s\"\nminimum_to_start = \"0.80\"\nresume_window = \"10m\"\n";
const std::string cheap_start =
    "rate_per_hour = \"0.80\"\nincrement = \"1s\"\nminimum_to_start = \"0.0001\"\nresume_window = \"10m\"\n";

TEST(BillingPlugin, TheRightTokenIsAccepted) {
  PluginRig rig;
  rig.add_user("alice", "secret", "0");
  EXPECT_TRUE(rig.authenticate("alice", "secret").ok());
  EXPECT_TRUE(rig.authenticate("Alice-session-blue", "secret").ok());
}

TEST(BillingPlugin, AWrongTokenAndANameThatNobodyHasLookTheSame) {
  PluginRig rig;
  rig.add_user("alice", "secret", "10");
  const auto wrong = rig.authenticate("alice", "guess"), unknown = rig.authenticate("nobody", "guess");
  EXPECT_EQ(wrong.denial.reason, Reason::bad_credentials);
  EXPECT_EQ(unknown.denial.reason, Reason::bad_credentials);
  EXPECT_EQ(wrong.denial.detail, unknown.denial.detail);
  EXPECT_EQ(wrong.denial.url, unknown.denial.url);
}

TEST(BillingPlugin, AWrongTokenForALiveUserIsRefused) {
  PluginRig rig;
  rig.add_user("alice", "secret", "10");
  rig.connect("alice", "secret");
  EXPECT_EQ(rig.authenticate("alice", "guess").denial.reason, Reason::bad_credentials);
}

TEST(BillingPlugin, MissingCredentialsAreRefused) {
  PluginRig rig;
  EXPECT_EQ(rig.authenticate_without_credentials().denial.reason, Reason::bad_credentials);
}

TEST(BillingPlugin, WhatIsWrongBehindAUserNameIsToldToTheRightToken) {
  PluginRig rig;
  rig.add_user("alice", "secret", "10");
  EXPECT_EQ(rig.admit(rig.identify("alice-colour-blue", "secret")).denial.reason, Reason::bad_request);
  EXPECT_EQ(rig.authenticate("alice-session-a-session-b", "guess").denial.reason, Reason::bad_credentials);
}

TEST(BillingPlugin, ANameThatNobodyCanHaveIsABadRequest) {
  PluginRig rig;
  EXPECT_EQ(rig.authenticate("al ice", "secret").denial.reason, Reason::bad_request);
  EXPECT_EQ(rig.authenticate("", "secret").denial.reason, Reason::bad_credentials);
  EXPECT_EQ(rig.authenticate(std::string(255, 'u'), "secret").denial.reason, Reason::bad_credentials);
}

TEST(BillingPlugin, WhoCannotPayIsToldWhereToBuy) {
  PluginRig rig;
  rig.add_user("alice", "secret", "0.79");
  const auto said = rig.admit(rig.identify("alice", "secret"));
  EXPECT_EQ(said.denial.reason, Reason::payment_required);
  EXPECT_TRUE(said.denial.url.starts_with("http://127.0.0.1:")) << said.denial.url;
  EXPECT_TRUE(said.denial.url.ends_with("/api/credits/packages")) << said.denial.url;
}

TEST(BillingPlugin, AfterBuyingElsewhereTheSameConnectionIsSoonLetIn) {
  PluginRig rig;
  const auto user = rig.add_user("alice", "secret", "0");
  const auto client = rig.identify("alice", "secret");
  EXPECT_FALSE(rig.admit(client).ok());
  rig.add_credits(user.id, "10");
  rig.eventually([&] { return rig.admit(client).ok(); });
}

TEST(BillingPlugin, TheFirstEstablishedConnectionBuysTheFirstIncrement) {
  PluginRig rig;
  const auto user = rig.add_user("alice", "secret", "10");
  rig.connect("alice-session-blue", "secret");
  rig.eventually([&] { return *rig.ledger().balance(user.id) == Credits::from_units(36'000'000 - 48'000); });
  const auto sessions = rig.ledger().live_sessions(user.id);
  ASSERT_EQ(sessions->size(), 1U);
  EXPECT_EQ(sessions->front().label, "blue");
  EXPECT_EQ(sessions->front().exit, "direct");
}

TEST(BillingPlugin, AFailedDialCostsNothing) {
  PluginRig rig;
  const auto user = rig.add_user("alice", "secret", "10");
  Client client = rig.identify("alice", "secret");
  client.admission = std::move(*rig.admit(client).verdict);
  rig.fail_dial(client);
  rig.plugin.interrupt();
  rig.plugin.stop();
  EXPECT_EQ(rig.ledger().balance(user.id)->units(), 36'000'000);
  EXPECT_TRUE(rig.ledger().live_sessions(user.id)->empty());
}

TEST(BillingPlugin, ALiveSessionAdmitsOnTheSpot) {
  PluginRig rig;
  rig.add_user("alice", "secret", "10");
  const Client first = rig.connect("alice", "secret");
  const Client second = rig.identify("alice", "secret");
  Waiter<plugin::Admission> waiter;
  rig.plugin.admit({.connection = second.id,
                    .protocol = plugin::Protocol::socks5,
                    .identity = *second.identity,
                    .target_host = "example.com",
                    .target_port = 80,
                    .attached = {}},
                   waiter.answer());
  ASSERT_TRUE(waiter.has_answer());
  EXPECT_EQ(waiter.wait().verdict->session, first.admission.session);
}

TEST(BillingPlugin, TheLocationAskedForIsPassedOn) {
  PluginRig rig;
  rig.add_user("alice", "secret", "10");
  const Client client = rig.connect("alice-country-DE-city-berlin", "secret");
  EXPECT_EQ(client.admission.location,
            (plugin::Location{.country = "de", .state = "", .city = "berlin", .isp = ""}));
}

TEST(BillingPlugin, ASessionThatRunsDryIsEndedAsPaymentRequired) {
  PluginRig rig(cheap_start);
  const auto user = rig.add_user("alice", "secret", "0.0003");  // 1,080 units: 1.35 seconds
  const Client client = rig.connect("alice", "secret");
  const auto why = rig.host.wait_for_end(client.admission.session);
  EXPECT_EQ(why.reason, Reason::payment_required);
  EXPECT_FALSE(why.url.empty());
  EXPECT_EQ(*rig.ledger().balance(user.id), Credits{});
  rig.close(client);
}

TEST(BillingPlugin, WhoComesBackSoonNeedsOnlyABalanceAboveZero) {
  PluginRig rig(short_increments);
  const auto user = rig.add_user("alice", "secret", "0.80");
  const Client client = rig.connect("alice", "secret");
  rig.close(client);
  rig.eventually([&] {
    const auto standing = rig.ledger().standing(user.id);
    return standing.ok() && standing->last_session_end.has_value();
  });
  EXPECT_LT(*rig.ledger().balance(user.id), *Credits::parse("0.80"));
  EXPECT_TRUE(rig.admit(rig.identify("alice", "secret")).ok());
}

TEST(BillingPlugin, AUserWhoIsDisabledElsewhereIsCutAndRefused) {
  PluginRig rig;
  const auto user = rig.add_user("alice", "secret", "10");
  const Client client = rig.connect("alice", "secret");
  rig.eventually([&] { return rig.ledger().live_sessions(user.id)->size() == 1; });
  ASSERT_TRUE(rig.ledger().set_state(user.id, UserState::disabled, rig.now()).ok());
  EXPECT_EQ(rig.host.wait_for_end(client.admission.session).reason, Reason::forbidden);
  EXPECT_EQ(rig.admit(rig.identify("alice", "secret")).denial.reason, Reason::forbidden);
}

TEST(BillingPlugin, ASessionThatIsEndedElsewhereIsCut) {
  PluginRig rig;
  const auto user = rig.add_user("alice", "secret", "10");
  const Client client = rig.connect("alice", "secret");
  rig.eventually([&] { return rig.ledger().live_sessions(user.id)->size() == 1; });
  const EndRequest end{.user = user.id,
                       .session = rig.ledger().live_sessions(user.id)->front().id,
                       .why = EndReason::requested,
                       .at = rig.now(),
                       .by = EndedBy::somebody_else};
  ASSERT_TRUE(rig.ledger().end_sessions({&end, 1}).ok());
  EXPECT_EQ(rig.host.wait_for_end(client.admission.session).reason, Reason::forbidden);
}

TEST(BillingPlugin, ANewTokenWorksAtOnceAndTheOldOneSoonDoesNot) {
  PluginRig rig;
  const auto user = rig.add_user("alice", "old", "10");
  EXPECT_TRUE(rig.authenticate("alice", "old").ok());
  ASSERT_TRUE(rig.ledger().set_token(user.id, hash_token("new"), rig.now()).ok());
  EXPECT_TRUE(rig.authenticate("alice", "new").ok());
  rig.eventually([&] { return !rig.authenticate("alice", "old").ok(); });
  EXPECT_TRUE(rig.authenticate("alice", "new").ok());
}

TEST(BillingPlugin, ATokenThatWasReplacedStartsNoSessionHoweverLateItsReplacementIsNoticed) {
  PluginRig rig;
  const auto user = rig.add_user("alice", "old", "10");
  const Client client = rig.identify("alice", "old");
  ASSERT_TRUE(rig.ledger().set_token(user.id, hash_token("new"), rig.now()).ok());
  EXPECT_EQ(rig.admit(client).denial.reason, Reason::bad_credentials);
  EXPECT_EQ(rig.authenticate("alice", "old").denial.reason, Reason::bad_credentials)
      << "what was read is remembered";
  EXPECT_TRUE(rig.admit(rig.identify("alice", "new")).ok());
}

TEST(BillingPlugin, ATokenThatWasReplacedByAClockThatIsBehindSoonDoesNotWork) {
  PluginRig rig;
  const auto user = rig.add_user("alice", "old", "10");
  EXPECT_TRUE(rig.authenticate("alice", "old").ok());
  ASSERT_TRUE(rig.ledger().set_token(user.id, hash_token("new"), rig.now() - std::chrono::hours(1)).ok());
  rig.eventually([&] { return !rig.authenticate("alice", "old").ok(); });
}

TEST(BillingPlugin, StoppingEndsEverySessionAndPostsItsUsage) {
  PluginRig rig;
  const auto user = rig.add_user("alice", "secret", "10");
  const Client client = rig.connect("alice", "secret");
  rig.plugin.interrupt();
  EXPECT_EQ(rig.admit(rig.identify("alice", "secret")).denial.reason, Reason::unavailable);
  rig.close(client);
  rig.plugin.stop();
  EXPECT_TRUE(rig.ledger().live_sessions(user.id)->empty());
  const auto history = rig.ledger().transactions(user.id, {}, std::nullopt, 10);
  ASSERT_FALSE(history->empty());
  EXPECT_EQ(history->front().type, TransactionType::usage);
  EXPECT_EQ(history->front().amount, Credits::from_units(-48'000));
  EXPECT_TRUE(rig.ledger().audit()->findings.empty());
}

TEST(BillingPlugin, AnAuditThatIsRunningDoesNotKeepTheNodeFromEndingItsSessions) {
  PostgresDatabase database;
  PluginRig rig("", database.url());
  const auto user = rig.add_user("alice", "secret", "10");
  const Client client = rig.connect("alice", "secret");
  rig.eventually([&] { return rig.ledger().live_sessions(user.id)->size() == 1; });
  std::optional<PostgresLock> locked;
  locked.emplace(database.url(), "LOCK TABLE payment_orders IN ACCESS EXCLUSIVE MODE");
  const UniqueFd audit = send_only(rig.host.protected_port(),
                                   "GET /api/admin/audit HTTP/1.1\r\nHost: localhost\r\n"
                                   "Authorization: Bearer " +
                                       std::string(PluginRig::operator_token) + "\r\n\r\n");
  rig.eventually([&] { return database.waiting_for_locks() == 1; });
  rig.plugin.interrupt();
  std::thread stopping([&] { rig.plugin.stop(); });
  rig.eventually([&] { return rig.ledger().live_sessions(user.id)->empty(); });
  locked.reset();
  stopping.join();
  EXPECT_TRUE(rig.host.complaints().empty());
}

TEST(BillingPlugin, ALedgerThatIsAwayIsNotFatalAndNobodyIsToldThatHeMustPay) {
  TempFolder empty;
  PluginRig rig("", "postgresql:///payg?host=" + empty.path());
  EXPECT_EQ(rig.authenticate("alice", "secret").denial.reason, Reason::unavailable);
  EXPECT_GT(rig.authenticate("alice", "secret").denial.retry_after.count(), 0);
}

TEST(BillingPlugin, ALedgerThatTakesNoChargesStartsNoSessionUntilItDoes) {
  PluginRig rig;
  rig.add_user("alice", "secret", "10");
  rig.add_user("bob", "other", "10");
  damage(rig.file(),
         "CREATE TRIGGER refuse BEFORE INSERT ON metered_sessions BEGIN SELECT RAISE(ABORT, 'no'); END");
  const Client bob = rig.identify("bob", "other");
  rig.connect("alice", "secret");
  rig.eventually([&] { return !rig.admit(bob).ok(); });
  EXPECT_EQ(rig.admit(bob).denial.reason, Reason::unavailable) << "though his balance can be read";
  damage(rig.file(), "DROP TRIGGER refuse");
  rig.eventually([&] { return rig.admit(bob).ok(); });
}

TEST(BillingPlugin, ReloadingTakesNewPricesAndRefusesWhatCannotChange) {
  PluginRig rig;
  EXPECT_TRUE(rig.plugin.reload(rig.source(cheap_start)).empty());
  rig.add_user("alice", "secret", "0.0003");
  EXPECT_TRUE(rig.admit(rig.identify("alice", "secret")).ok());
  EXPECT_FALSE(rig.plugin.reload(rig.source("rate_per_hour = 1.5\n")).empty());
  EXPECT_TRUE(rig.admit(rig.identify("alice", "secret")).ok()) << "what was in force stays in force";
}

TEST(BillingPlugin, TheAdminPortIsNeverATarget) {
  PluginRig rig;
  EXPECT_EQ(rig.host.protected_addresses(), 1U);
}

TEST(BillingPlugin, ASpoolThatANodeLeftUnderAnotherNameIsSaidToBeThere) {
  const TempFolder folder;
  const std::string left = folder.path() + "/old.spool";
  EXPECT_TRUE(Spool::open(left, "old").value()->add(std::vector{owed_minute(1, 1)}).ok());
  RecordingHost host;
  BillingPlugin plugin(host);
  const auto errors = plugin.start(
      {.path = "renamed.toml",
       .text =
           "[[listener]]\naddress = \"127.0.0.1:0\"\nprotocols = [\"http\"]\n[billing]\nledger = \"sqlite:" +
           folder.path() + "/payg.db\"\nspool = \"" + folder.path() +
           "/new.spool\"\n[billing.admin]\naddress = \"127.0.0.1:0\"\n",
       .table = "billing"});
  EXPECT_TRUE(errors.empty()) << errors.front();
  plugin.interrupt();
  plugin.stop();
  ASSERT_EQ(host.warnings().size(), 1U);
  EXPECT_TRUE(host.warnings()[0].starts_with(left + ": holds 1 charge of node old, 0.01333333 credits"))
      << host.warnings()[0];
}

TEST(BillingPlugin, ABadConfigurationStartsNothing) {
  RecordingHost host;
  BillingPlugin plugin(host);
  const plugin::ConfigurationSource source{
      .path = "bad.toml", .text = "[billing]\nledger = \"mysql://x\"\n", .table = "billing"};
  EXPECT_FALSE(BillingPlugin::check(source).empty());
  EXPECT_FALSE(plugin.start(source).empty());
}

}  // namespace
}  // namespace payg::test
