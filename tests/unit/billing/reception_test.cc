// Who asks again and again: what he is told, and what it costs the ledger.

#include "billing/reception.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include "billing/payments/secrets.h"
#include "tests/fakes/failing_ledger.h"
#include "tests/support/one_minute.h"
#include "tests/unit/billing/logging_host.h"
#include "tests/unit/billing/plugin_rig.h"

namespace payg::test {
namespace {

using namespace billing;
using namespace std::chrono_literals;
using plugin::Reason;

constexpr unsigned allowance = 6;

/// Something happens while it reads who may start.
class InterruptedLedger final : public FailingLedger {
 public:
  InterruptedLedger(std::unique_ptr<Ledger> ledger, std::function<void()> interruption)
      : FailingLedger(std::move(ledger), std::make_shared<LedgerFaults>()),
        interruption_(std::move(interruption)) {}

  LedgerResult<std::vector<std::optional<Standing>>> standings(std::span<const std::string> names,
                                                               std::uint32_t session_limit) override {
    interruption_();
    return FailingLedger::standings(names, session_limit);
  }

 private:
  const std::function<void()> interruption_;
};

class ReceptionOfMany : public ::testing::Test {
 protected:
  ReceptionOfMany() {
    EXPECT_TRUE(books->migrate().ok());
    health.note_read("getting ready", LedgerResult<Done>(Done{}));
    reception.set_terms({.minimum_to_start = *Credits::parse("0.80"), .resume_window = 10min});
    reception.set_wrong_tokens_per_minute(allowance);
    reception.open();
  }

  WallTime wall_now() const { return host.clock().wall_now(); }
  User add_user(const std::string& name, std::string_view credits) {
    const User user = *books->create_user(name, "", hash_token(name + "'s token"), wall_now());
    if (credits != "0") give(user, credits);
    return user;
  }
  void give(const User& user, std::string_view credits) {
    const std::string reference = std::to_string(++references_);
    EXPECT_TRUE(books->adjust(user.id, *Credits::parse(credits), reference, "", wall_now()).ok());
  }

  Said<plugin::Authentication> authenticate(std::string_view name, std::string_view token,
                                            const char* client = "192.0.2.1") {
    sockaddr_storage address{};
    SocketAddress(*IpAddress::parse(client), 4711).to(address);
    Waiter<plugin::Authentication> waiter;
    reception.authenticate({.connection = {1},
                            .protocol = plugin::Protocol::http_connect,
                            .client = reinterpret_cast<const sockaddr*>(&address),
                            .has_credentials = true,
                            .name = name,
                            .password = token},
                           waiter.answer());
    return waiter.wait();
  }
  Said<plugin::Admission> admit(const std::string& name, const char* target = "example.com") {
    return admit(reception, name, target);
  }
  Said<plugin::Admission> admit(Reception& door, const std::string& name,
                                const char* target = "example.com") {
    const auto who = authenticate(name, name.substr(0, name.find('-')) + "'s token");
    if (!who.ok()) return {.verdict = {}, .denial = who.denial};
    Waiter<plugin::Admission> waiter;
    door.admit({.connection = {1},
                .protocol = plugin::Protocol::http_connect,
                .identity = *who.verdict->identity,
                .target_host = target,
                .target_port = 443,
                .attached = {}},
               waiter.answer());
    return waiter.wait();
  }
  Reason refusal_of(const std::string& name) { return admit(name).denial.reason; }
  void use_up_allowance(const char* client = "192.0.2.1") {
    for (unsigned i = 0; i < allowance; ++i)
      EXPECT_EQ(authenticate("nobody" + std::to_string(i), "guess", client).denial.reason,
                Reason::bad_credentials);
  }
  std::int64_t questions() const { return faults->calls(); }

  TempFolder folder;
  const LedgerFactory factory = *open_ledger("sqlite:" + folder.path() + "/payg.db");
  const std::unique_ptr<Ledger> books = factory();
  const std::shared_ptr<LedgerFaults> faults = std::make_shared<LedgerFaults>();
  LoggingHost host;
  LedgerHealth health{host};
  UserCache users{100};
  SessionTable table{100, 1};
  StandingReader reader{failing(factory, faults), health};
  NetworkIndex networks{1};
  Reception reception{{host.clock(), table, users, networks, reader, health, 1, {}}};

 private:
  int references_ = 0;
};

// ---- wrong tokens

TEST_F(ReceptionOfMany, TooManyWrongTokensFromOneAddressAreRefusedUnheard) {
  use_up_allowance();
  const auto asked = questions();
  const auto said = authenticate("somebody", "guess");
  EXPECT_EQ(said.denial.reason, Reason::too_many);
  EXPECT_EQ(said.denial.retry_after, 10s);
  EXPECT_EQ(questions(), asked);
  EXPECT_EQ(authenticate("somebody", "guess", "192.0.2.2").denial.reason, Reason::bad_credentials)
      << "another address";
  host.fake_clock.advance(10s);
  EXPECT_EQ(authenticate("somebody", "guess").denial.reason, Reason::bad_credentials);
  EXPECT_EQ(reception.counters().wrong_tokens, allowance + 2);
  EXPECT_EQ(reception.counters().throttled, 1U);
}

TEST_F(ReceptionOfMany, WhoBringsNoCredentialsUsesUpNoAllowance) {
  sockaddr_storage address{};
  SocketAddress(*IpAddress::parse("192.0.2.1"), 4711).to(address);
  const auto asked = questions();
  for (unsigned i = 0; i < 2 * allowance; ++i) {
    Waiter<plugin::Authentication> waiter;
    reception.authenticate({.connection = {1},
                            .protocol = plugin::Protocol::http_connect,
                            .client = reinterpret_cast<const sockaddr*>(&address),
                            .has_credentials = false,
                            .name = {},
                            .password = {}},
                           waiter.answer());
    EXPECT_EQ(waiter.wait().denial.reason, Reason::bad_credentials);
  }
  EXPECT_EQ(questions(), asked);
  EXPECT_EQ(reception.counters().wrong_tokens, 0U);
  EXPECT_EQ(authenticate("somebody", "guess").denial.reason, Reason::bad_credentials);
}

TEST_F(ReceptionOfMany, TheRightTokenOfAKnownUserPassesWhoeverSharesHisAddress) {
  add_user("alice", "10");
  EXPECT_TRUE(authenticate("alice", "alice's token").ok());
  use_up_allowance();
  EXPECT_TRUE(authenticate("alice", "alice's token").ok());
  EXPECT_TRUE(admit("alice").ok());
  EXPECT_EQ(authenticate("alice", "guess").denial.reason, Reason::too_many);
}

TEST_F(ReceptionOfMany, AKnownNameAndOneThatNobodyHasAreThrottledAlike) {
  add_user("alice", "10");
  EXPECT_TRUE(authenticate("alice", "alice's token").ok());
  use_up_allowance();
  const auto known = authenticate("alice", "guess"), unknown = authenticate("zoe", "guess");
  EXPECT_EQ(known.denial.reason, unknown.denial.reason);
  EXPECT_EQ(known.denial.detail, unknown.denial.detail);
  EXPECT_EQ(known.denial.retry_after, unknown.denial.retry_after);
}

TEST_F(ReceptionOfMany, WhoseTokenIsRightButNotKnownYetCountsAsNoFailure) {
  for (unsigned i = 0; i < 2 * allowance; ++i) {
    const std::string name = "user" + std::to_string(i);
    add_user(name, "0");
    EXPECT_TRUE(authenticate(name, name + "'s token").ok()) << name;
  }
}

TEST_F(ReceptionOfMany, WhoSendsNoCredentialsIsNotCounted) {
  for (unsigned i = 0; i < 2 * allowance; ++i) {
    Waiter<plugin::Authentication> waiter;
    reception.authenticate({.connection = {1},
                            .protocol = plugin::Protocol::http_connect,
                            .client = nullptr,
                            .has_credentials = false,
                            .name = {},
                            .password = {}},
                           waiter.answer());
    EXPECT_EQ(waiter.wait().denial.reason, Reason::bad_credentials);
  }
}

TEST_F(ReceptionOfMany, OneWrongNameOrTokenIsOneQuestionASecondFromHoweverManyAddresses) {
  add_user("alice", "10");
  for (const char* name : {"alice", "nobody"}) {
    const auto asked = questions();
    for (const char* client : {"192.0.2.1", "192.0.2.2", "192.0.2.3"})
      EXPECT_EQ(authenticate(name, "guess", client).denial.reason, Reason::bad_credentials);
    EXPECT_EQ(questions(), asked + 1) << name;
    host.fake_clock.advance(1s);
    authenticate(name, "guess");
    EXPECT_EQ(questions(), asked + 2) << name;
  }
}

TEST_F(ReceptionOfMany, WhoHasTheRightTokenIsLetInWhoeverElseGuessesAtIt) {
  add_user("alice", "10");
  EXPECT_EQ(authenticate("alice", "guess", "198.51.100.1").denial.reason, Reason::bad_credentials);
  EXPECT_TRUE(authenticate("alice", "alice's token").ok()) << "a moment after somebody was refused";
}

TEST_F(ReceptionOfMany, AUserWhoIsMadeHereIsLetInAtOnceThoughHeWasRefusedAMomentAgo) {
  EXPECT_FALSE(authenticate("alice", "alice's token").ok());
  add_user("alice", "10");
  reception.user_changed("alice");
  EXPECT_TRUE(authenticate("alice", "alice's token").ok());
}

TEST_F(ReceptionOfMany, AUserWhoIsMadeElsewhereIsLetInWithinASecond) {
  EXPECT_FALSE(authenticate("alice", "alice's token").ok());
  add_user("alice", "10");
  host.fake_clock.advance(1s);
  EXPECT_TRUE(authenticate("alice", "alice's token").ok());
}

// ---- an end

TEST_F(ReceptionOfMany, WhoIsStillReadAboutWhenItClosesIsRefused) {
  add_user("alice", "10");
  std::function<void()> close;
  StandingReader slow{[&] { return std::make_unique<InterruptedLedger>(factory(), [&] { close(); }); },
                      health};
  Reception closing{{host.clock(), table, users, networks, slow, health, 1, {}}};
  close = [&] { closing.close(); };
  closing.set_terms({.minimum_to_start = *Credits::parse("0.80"), .resume_window = 10min});
  closing.open();
  EXPECT_EQ(admit(closing, "alice").denial.reason, Reason::unavailable);
  slow.stop();
  EXPECT_EQ(slow.reads(), 1U);
  EXPECT_TRUE(admit("alice").ok()) << "where nobody closes";
}

// ---- empty balances

TEST_F(ReceptionOfMany, WhoCannotPayIsOneQuestionASecondHoweverOftenHeAsks) {
  add_user("alice", "0");
  EXPECT_EQ(refusal_of("alice"), Reason::payment_required);
  const auto asked = questions();
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(refusal_of("alice-session-" + std::to_string(i)), Reason::payment_required);
  EXPECT_EQ(questions(), asked);
  EXPECT_EQ(reception.counters().refused_from_memory, 100U);
  host.fake_clock.advance(1s);
  EXPECT_EQ(refusal_of("alice"), Reason::payment_required);
  EXPECT_EQ(questions(), asked + 1);
}

TEST_F(ReceptionOfMany, WhoTopsUpHereIsLetInAtOnceAndElsewhereWithinASecond) {
  for (const char* name : {"alice", "bob"}) {
    const User user = add_user(name, "0.79");
    EXPECT_EQ(refusal_of(name), Reason::payment_required);
    give(user, "10");
  }
  reception.user_changed("alice");
  EXPECT_TRUE(admit("alice").ok());
  EXPECT_EQ(refusal_of("bob"), Reason::payment_required);
  host.fake_clock.advance(1s);
  EXPECT_TRUE(admit("bob").ok());
}

TEST_F(ReceptionOfMany, NewTermsCountAtOnce) {
  add_user("alice", "0.79");
  EXPECT_EQ(refusal_of("alice"), Reason::payment_required);
  reception.set_terms({.minimum_to_start = *Credits::parse("0.50"), .resume_window = 10min});
  EXPECT_TRUE(admit("alice").ok());
}

TEST_F(ReceptionOfMany, WhoHasASessionWhoseEndLetsHimInComesInAtOnceWhenItEnds) {
  const User alice = add_user("alice", "0.79");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(refusal_of("alice-session-blue"), Reason::payment_required);
  EXPECT_EQ(reception.counters().refused_from_memory, 1U);
  table.end_is_under_way(alice.id);
  EXPECT_TRUE(admit("alice-session-blue").ok());
}

// ---- disabled, or with all the sessions they may have

TEST_F(ReceptionOfMany, WhoIsDisabledIsOneQuestionASecondAndComesInWhenHeIsEnabled) {
  for (const std::string name : {"alice", "bob"}) {
    const User user = add_user(name, "10");
    EXPECT_TRUE(books->set_state(user.id, UserState::disabled, wall_now()).ok());
    const auto said = admit(name);
    EXPECT_EQ(said.denial.reason, Reason::forbidden);
    const auto asked = questions();
    for (int i = 0; i < 100; ++i) EXPECT_EQ(admit(name).denial.detail, said.denial.detail);
    EXPECT_EQ(questions(), asked);
    EXPECT_TRUE(books->set_state(user.id, UserState::active, wall_now()).ok());
  }
  reception.user_changed("alice");
  EXPECT_TRUE(admit("alice").ok()) << "enabled here";
  EXPECT_FALSE(admit("bob").ok());
  host.fake_clock.advance(1s);
  EXPECT_TRUE(admit("bob").ok()) << "enabled elsewhere";
}

class ReceptionWithALimit : public ReceptionOfMany {
 protected:
  ReceptionWithALimit() { reception.set_session_limit(1); }

  /// As another node has it, or this one.
  EndRequest start_session(const User& user) {
    const NodeRef node{"node-1", books->start_node("node-1", 1h, wall_now())->life};
    const ChargeRequest minute = one_minute(user.id, SessionId{7}, 1, wall_now());
    EXPECT_EQ(books->charge(node, {&minute, 1})->at(0).outcome, ChargeResult::Outcome::granted);
    return {.user = user.id, .session = minute.session, .why = EndReason::idle, .at = wall_now()};
  }
};

TEST_F(ReceptionWithALimit, WhoHasAllHisSessionsIsOneQuestionASecond) {
  const EndRequest end = start_session(add_user("alice", "10"));
  EXPECT_EQ(refusal_of("alice"), Reason::too_many);
  const auto asked = questions();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(refusal_of("alice-session-" + std::to_string(i)), Reason::too_many);
  EXPECT_EQ(questions(), asked);
  EXPECT_TRUE(books->end_sessions({&end, 1}).ok());
  host.fake_clock.advance(1s);
  EXPECT_TRUE(admit("alice").ok()) << "it ended elsewhere";
}

TEST_F(ReceptionWithALimit, AnEndHereLetsHimInAtOnceWhetherTheLedgerKnowsOfItOrNot) {
  const User alice = add_user("alice", "10");
  const EndRequest end = start_session(alice);
  EXPECT_EQ(refusal_of("alice"), Reason::too_many);
  table.end_is_under_way(alice.id);
  EXPECT_TRUE(admit("alice-session-first").ok()) << "the ledger does not know yet";
  EXPECT_TRUE(books->end_sessions({&end, 1}).ok());
  table.end_is_known(alice.id);
  EXPECT_TRUE(admit("alice-session-second").ok());
}

TEST_F(ReceptionWithALimit, AnotherLimitCountsAtOnce) {
  start_session(add_user("alice", "10"));
  EXPECT_EQ(refusal_of("alice"), Reason::too_many);
  reception.set_session_limit(2);
  EXPECT_TRUE(admit("alice").ok());
  reception.set_session_limit(0);
  EXPECT_TRUE(admit("alice-session-blue").ok());
}

// ---- an outage

TEST_F(ReceptionOfMany, FreeTargetsAreReachedByAnyKnownUserWithoutASessionAlsoWhileTheLedgerIsAway) {
  add_user("poor", "0");
  reception.set_free_targets({*HostPattern::parse("pay.example")});
  ASSERT_EQ(refusal_of("poor"), Reason::payment_required);
  const auto asked = questions();
  health.note_read("looking", LedgerResult<Done>(LedgerError{}));
  const auto free = admit("poor-session-blue", "pay.example");
  ASSERT_TRUE(free.ok()) << free.denial.detail;
  EXPECT_EQ(free.verdict->session, plugin::SessionHandle{});
  EXPECT_EQ(free.verdict->traffic, nullptr);
  EXPECT_NE(free.verdict->affinity, 0U);
  EXPECT_EQ(questions(), asked);
  EXPECT_EQ(admit("poor", "other.example").denial.reason, Reason::unavailable);
}

TEST_F(ReceptionOfMany, FreeTargetsAreNotForTheDisabledNorBehindTheEnd) {
  const User user = add_user("user", "1");
  reception.set_free_targets({*HostPattern::parse("pay.example")});
  EXPECT_TRUE(admit("user", "pay.example").ok());
  EXPECT_EQ(admit("user-place-berlin", "pay.example").denial.reason, Reason::bad_request);
  ASSERT_TRUE(books->set_state(user.id, UserState::disabled, wall_now()).ok());
  users.refresh(*books->find_user("user"));
  EXPECT_EQ(admit("user", "pay.example").denial.reason, Reason::forbidden);
  ASSERT_TRUE(books->set_state(user.id, UserState::active, wall_now()).ok());
  users.refresh(*books->find_user("user"));
  reception.close();
  EXPECT_EQ(admit("user", "pay.example").denial.reason, Reason::unavailable);
}

TEST_F(ReceptionOfMany, WhileTheLedgerIsAwayNobodyAsksItAndAllAreToldWhenToComeBack) {
  add_user("alice", "10");
  EXPECT_TRUE(authenticate("alice", "alice's token").ok());
  health.note_read("looking", LedgerResult<Done>(LedgerError{LedgerError::Code::unavailable, "gone"}));
  const auto asked = questions();
  for (const auto& denial : {admit("alice").denial, authenticate("bob", "guess").denial}) {
    EXPECT_EQ(denial.reason, Reason::unavailable);
    EXPECT_GT(denial.retry_after, 0s);
  }
  EXPECT_EQ(questions(), asked);
}

}  // namespace
}  // namespace payg::test
