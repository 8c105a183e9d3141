#include "plugin/host/gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "tests/unit/plugin/fake_plugin.h"

namespace payg::plugin {
namespace {

using Answers = FakePlugin::Answers;

const Denial unpaid{.reason = Reason::payment_required, .detail = "buy", .url = "/shop"};

class GateTest : public testing::Test {
 protected:
  GateTest() {
    EXPECT_TRUE(chain.add(first));
    EXPECT_TRUE(chain.add(second));
  }

  void authenticate() {
    gate().authenticate({.connection = {},
                         .protocol = Protocol::socks5,
                         .client = nullptr,
                         .has_credentials = true,
                         .name = "alice",
                         .password = "secret"});
  }
  void admit() { gate().admit({Protocol::socks5, "example.com", 80}); }
  void become_admitted() {
    authenticate();
    admit();
    diary.clear();
  }
  Gate& gate() { return *connection->gate; }

  // The keeper lives longer than the plugins, which may go with an answer still owed.
  Diary diary;
  PluginChain chain;
  ManualLoop loop;
  GateKeeper keeper{chain, loop.poster()};
  FakePlugin first{"first", diary};
  FakePlugin second{"second", diary};
  std::optional<FakeConnection> connection{std::in_place, keeper, 1, diary};
};

TEST(GateWithoutPlugins, AcceptsEverythingAtOnce) {
  Diary diary;
  PluginChain chain;
  GateKeeper keeper(chain, [](auto) { FAIL() << "nothing to post"; });
  FakeConnection connection(keeper, 1, diary);
  connection.gate->authenticate(without_credentials());
  connection.gate->admit({Protocol::http_connect, "example.com", 443});
  connection.gate->established("direct");
  connection.gate->close();
  EXPECT_EQ(diary, (Diary{"connection authenticated", "connection admitted"}));
}

TEST(PluginChain, TakesFourPluginsAndNoMore) {
  Diary diary;
  FakePlugin plugin("any", diary);
  PluginChain chain;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(chain.add(plugin));
  EXPECT_FALSE(chain.add(plugin));
  EXPECT_EQ(chain.size(), 4U);
}

TEST_F(GateTest, PluginsAreAskedInTheirOrder) {
  authenticate();
  admit();
  EXPECT_EQ(diary,
            (Diary{"first authenticate", "second authenticate", "connection authenticated",
                   "first admit example.com:80", "second admit example.com:80", "connection admitted"}));
}

TEST_F(GateTest, AnAnswerWithinTheCallIsDeliveredWithoutTheLoop) {
  authenticate();
  EXPECT_EQ(diary.back(), "connection authenticated");
  EXPECT_EQ(keeper.questions_under_way(), 0U);
}

TEST_F(GateTest, TheFirstDenialWinsAndTheOthersAreNotAsked) {
  first.denial = unpaid;
  authenticate();
  EXPECT_EQ(diary, (Diary{"first authenticate", "connection denied payment_required"}));
}

TEST_F(GateTest, AllPluginsMustAccept) {
  second.denial = Denial{.reason = Reason::bad_credentials, .detail = {}, .url = {}};
  authenticate();
  EXPECT_EQ(diary.back(), "connection denied bad_credentials");
}

TEST_F(GateTest, ADeniedConnectionMayBeAskedAboutAgain) {
  first.denial = unpaid;
  authenticate();
  first.denial.reset();
  authenticate();
  EXPECT_EQ(diary.back(), "connection authenticated");
}

TEST_F(GateTest, EachPluginGetsItsOwnIdentityBack) {
  first.user = 7;
  second.user = 8;
  become_admitted();
  EXPECT_EQ(first.seen_user, 7U);
  EXPECT_EQ(second.seen_user, 8U);
  EXPECT_EQ(gate().user(), 7U);
}

TEST_F(GateTest, APluginThatKnowsNobodyGetsABlankIdentity) {
  second.user = 8;
  become_admitted();
  EXPECT_EQ(first.seen_user, 0U);
  EXPECT_EQ(gate().user(), 8U);
}

TEST_F(GateTest, WhoItWasIsForgottenWhenItIsAskedAgain) {
  first.user = 7;
  become_admitted();
  first.denial = unpaid;
  authenticate();
  EXPECT_EQ(gate().user(), 0U);
}

TEST_F(GateTest, TheLocationIsThatOfTheFirstPluginThatGivesOne) {
  second.admission.location.country = "de";
  authenticate();
  admit();
  EXPECT_EQ(diary.back(), "connection admitted to de");
  first.admission.location.country = "fr";
  admit();
  EXPECT_EQ(diary.back(), "connection admitted to fr");
}

TEST_F(GateTest, ALocationSurvivesALaterPluginThatTakesItsTime) {
  first.admission.location.country = "fr";
  second.admission.location.country = "de";
  second.admits = Answers::later;
  authenticate();
  admit();
  second.pay_oldest();
  loop.run();
  EXPECT_EQ(diary.back(), "connection admitted to fr");
}

TEST_F(GateTest, OnlyPluginsWithAnAttachmentAreToldOfTheConnection) {
  first.admission.session = {5};
  become_admitted();
  gate().established("direct");
  gate().close();
  EXPECT_EQ(diary, (Diary{"first established 5 through direct", "first closed 5 through direct"}));
}

TEST_F(GateTest, EachIsToldExactlyOnce) {
  first.admission.session = {5};
  second.admission.session = {6};
  become_admitted();
  gate().established("direct");
  gate().established("direct");
  gate().close();
  gate().close();
  connection.reset();
  EXPECT_EQ(diary, (Diary{"first established 5 through direct", "second established 6 through direct",
                          "first closed 5 through direct", "second closed 6 through direct"}));
}

TEST_F(GateTest, AGateThatIsDestroyedCloses) {
  first.admission.session = {5};
  become_admitted();
  connection.reset();
  EXPECT_EQ(diary, Diary{"first closed 5"});
}

TEST_F(GateTest, ADialThatFailsEndsWhatItsAdmissionBegan) {
  first.admission.session = {5};
  become_admitted();
  gate().dial_failed();
  EXPECT_EQ(diary, Diary{"first closed 5"});
  EXPECT_EQ(gate().sessions()[0], SessionHandle{});
}

TEST_F(GateTest, ADialThatFailsLeavesWhatAnEarlierRequestEstablished) {
  first.admission.session = {5};
  become_admitted();
  gate().established("direct");
  admit();
  diary.clear();
  gate().dial_failed();
  EXPECT_EQ(diary, Diary{});
  EXPECT_EQ(gate().sessions()[0], SessionHandle{5});
}

TEST_F(GateTest, DenialByTheSecondPluginClosesTheAttachmentOfTheFirst) {
  authenticate();
  first.admission.session = {5};
  second.denial = unpaid;
  diary.clear();
  admit();
  EXPECT_EQ(diary, (Diary{"first admit example.com:80", "second admit example.com:80", "first closed 5",
                          "connection denied payment_required"}));
}

TEST_F(GateTest, ALateDenialByTheSecondPluginClosesTheAttachmentOfTheFirst) {
  authenticate();
  first.admission.session = {5};
  second.admits = Answers::later;
  admit();
  second.denial = unpaid;
  diary.clear();
  second.pay_oldest();
  loop.run();
  EXPECT_EQ(diary, (Diary{"first closed 5", "connection denied payment_required"}));
}

TEST_F(GateTest, ADenialLeavesWhatAnEarlierRequestEstablished) {
  first.admission.session = {5};
  become_admitted();
  gate().established("direct");
  second.denial = unpaid;
  diary.clear();
  admit();
  EXPECT_EQ(diary, (Diary{"first admit example.com:80 attached to 5", "second admit example.com:80",
                          "connection denied payment_required"}));
}

TEST_F(GateTest, TheNextRequestIntoTheSameSessionAddsNothing) {
  first.admission.session = {5};
  become_admitted();
  gate().established("direct");
  diary.clear();
  admit();
  gate().established("other");
  gate().close();
  EXPECT_EQ(diary, (Diary{"first admit example.com:80 attached to 5", "second admit example.com:80",
                          "connection admitted", "first closed 5 through direct"}));
}

TEST_F(GateTest, AnotherSessionClosesTheOldAttachmentFirst) {
  first.admission.session = {5};
  become_admitted();
  gate().established("direct");
  first.admission.session = {6};
  diary.clear();
  admit();
  gate().established("direct");
  EXPECT_EQ(diary, (Diary{"first admit example.com:80 attached to 5", "first closed 5 through direct",
                          "second admit example.com:80", "connection admitted",
                          "first established 6 through direct"}));
}

TEST_F(GateTest, AdmissionWithoutASessionEndsTheAttachmentThatWas) {
  first.admission.session = {5};
  become_admitted();
  first.admission.session = {};
  admit();
  EXPECT_EQ(gate().sessions()[0], SessionHandle{});
  EXPECT_EQ(std::count(diary.begin(), diary.end(), "first closed 5"), 1);
}

TEST_F(GateTest, ALateAnswerContinuesWithTheNextPluginAndTheSameCredentials) {
  first.authenticates = Answers::later;
  authenticate();
  EXPECT_EQ(diary, Diary{"first authenticate"});
  EXPECT_TRUE(gate().asking());
  first.pay_oldest();
  EXPECT_EQ(diary, Diary{"first authenticate"}) << "only the loop delivers";
  loop.run();
  EXPECT_EQ(diary, (Diary{"first authenticate", "second authenticate", "connection authenticated"}));
  EXPECT_EQ(second.seen_name, "alice");
  EXPECT_EQ(second.seen_password, "secret");
}

TEST_F(GateTest, ALateAdmissionContinuesWithTheNextPluginAndTheSameTarget) {
  authenticate();
  first.admits = second.admits = Answers::later;
  admit();
  first.pay_oldest();
  loop.run();
  EXPECT_EQ(diary.back(), "second admit example.com:80");
  second.pay_oldest();
  loop.run();
  EXPECT_EQ(diary.back(), "connection admitted");
}

TEST_F(GateTest, AnAnswerFromAnotherThreadArrivesOnTheLoop) {
  first.authenticates = Answers::later;
  authenticate();
  std::thread([&] { first.pay_oldest(); }).join();
  loop.run();
  EXPECT_EQ(diary.back(), "connection authenticated");
}

TEST_F(GateTest, AnAnswerThatIsThrownAwayDeniesAsUnavailable) {
  first.authenticates = Answers::later;
  authenticate();
  first.owed.clear();
  loop.run();
  EXPECT_EQ(diary.back(), "connection denied unavailable");
}

TEST_F(GateTest, AnAdmissionThatComesTooLateGetsItsClosed) {
  authenticate();
  first.admits = Answers::later;
  admit();
  connection.reset();
  first.admission.session = {5};
  diary.clear();
  first.pay_oldest();
  loop.run();
  EXPECT_EQ(diary, Diary{"first closed 5"});
  EXPECT_EQ(keeper.questions_under_way(), 0U);
}

TEST_F(GateTest, AnAdmissionOnItsWayWhenTheGateClosesGetsItsClosed) {
  authenticate();
  first.admits = Answers::later;
  first.admission.session = {5};
  admit();
  first.pay_oldest();
  gate().close();
  diary.clear();
  loop.run();
  EXPECT_EQ(diary, Diary{"first closed 5"});
}

TEST_F(GateTest, ALateAnswerForASessionThatWasClosedAlreadyIsNotClosedTwice) {
  first.admission.session = {5};
  become_admitted();
  gate().established("direct");
  first.admits = Answers::later;
  admit();
  gate().close();
  first.pay_oldest();
  loop.run();
  EXPECT_EQ(std::count(diary.begin(), diary.end(), "first closed 5 through direct"), 1);
  EXPECT_EQ(std::count(diary.begin(), diary.end(), "first closed 5"), 0);
}

TEST_F(GateTest, LateAuthenticationsAndDenialsAreDropped) {
  first.authenticates = Answers::later;
  authenticate();
  connection.reset();
  diary.clear();
  first.pay_oldest();
  loop.run();
  EXPECT_EQ(diary, Diary{});
  EXPECT_EQ(keeper.questions_under_way(), 0U);
}

TEST_F(GateTest, ClosedIsTheLastThatAPluginHears) {
  first.admission.session = {5};
  become_admitted();
  gate().close();
  diary.clear();
  gate().established("direct");
  gate().dial_failed();
  EXPECT_EQ(diary, Diary{});
}

TEST_F(GateTest, TheOwnerMayDestroyTheGateWithinTheDenial) {
  first.admission.session = {5};
  become_admitted();
  gate().established("direct");
  connection->destroy_when_denied = true;
  second.denial = unpaid;
  diary.clear();
  admit();
  EXPECT_EQ(diary.back(), "first closed 5 through direct");
}

TEST_F(GateTest, TrafficIsCountedForEachAttachmentAndNoLonger) {
  SessionTraffic of_first, of_second;
  first.admission = {{5}, {}, &of_first};
  second.admission = {{6}, {}, &of_second};
  become_admitted();
  for (auto* traffic : gate().traffic()) traffic->up_bytes += 10;
  for (auto* traffic : gate().traffic()) traffic->down_bytes += 20;
  first.admission = {};
  admit();
  for (auto* traffic : gate().traffic()) traffic->up_bytes += 1;
  gate().close();
  for (auto* traffic : gate().traffic()) traffic->up_bytes += 100;
  EXPECT_EQ(of_first.up_bytes.load(), 10U);
  EXPECT_EQ(of_first.down_bytes.load(), 20U);
  EXPECT_EQ(of_second.up_bytes.load(), 11U);
  EXPECT_TRUE(gate().traffic().empty());
}

TEST_F(GateTest, EndingASessionReachesEachOfItsConnectionsOnce) {
  first.admission.session = {5};
  become_admitted();
  Diary diary_of_other;
  FakeConnection other(keeper, 2, diary_of_other);
  first.admission.session = {6};
  other.gate->authenticate(without_credentials());
  other.gate->admit({Protocol::socks5, "example.com", 80});
  diary.clear();
  keeper.end_session(0, {5}, unpaid);
  keeper.end_session(0, {5}, unpaid);
  EXPECT_EQ(diary, (Diary{"connection ended payment_required", "first closed 5"}));
  EXPECT_EQ(diary_of_other.back(), "connection admitted");
}

TEST_F(GateTest, TwoPluginsMayUseTheSameHandle) {
  first.admission.session = {5};
  become_admitted();
  keeper.end_session(1, {5}, unpaid);
  EXPECT_EQ(diary, Diary{});
}

TEST_F(GateTest, ASessionEndedWhileTheNextPluginIsStillAskedCutsTheConnection) {
  authenticate();
  first.admission.session = {5};
  second.admits = Answers::later;
  second.admission.session = {6};
  admit();
  diary.clear();
  keeper.end_session(0, {5}, unpaid);
  second.pay_oldest();
  loop.run();
  EXPECT_EQ(diary, (Diary{"connection ended payment_required", "first closed 5", "second closed 6"}));
}

TEST_F(GateTest, AnEndThatFollowsItsAnswerFindsTheConnection) {
  authenticate();
  first.admits = Answers::later;
  first.admission.session = {5};
  admit();
  std::thread([&] {
    first.pay_oldest();
    loop.poster()([&] { keeper.end_session(0, {5}, unpaid); });
  }).join();
  diary.clear();
  loop.run();
  EXPECT_EQ(diary, (Diary{"second admit example.com:80", "connection admitted",
                          "connection ended payment_required", "first closed 5"}));
}

using GateDeathTest = GateTest;

TEST_F(GateDeathTest, TwoQuestionsAtATimeAreOurOwnBug) {
  first.authenticates = Answers::later;
  authenticate();
  EXPECT_DEATH(authenticate(), "");
}

TEST_F(GateDeathTest, AdmissionWithoutAuthenticationIsOurOwnBug) {
  EXPECT_DEATH(admit(), "");
}

}  // namespace
}  // namespace payg::plugin
