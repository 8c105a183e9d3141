// Every attachment is closed exactly once and last, whatever the order in which plugins answer, connections
// close and sessions end. One seed is one order; the seed of a failure is in its message.

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <random>
#include <thread>

#include "plugin/base/event.h"
#include "tests/unit/plugin/fake_plugin.h"

namespace payg::plugin {
namespace {

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  unsigned operator()() { return static_cast<unsigned>(engine_()); }

 private:
  std::mt19937 engine_;
};

/// Counts what the contract says of each attachment as a billing plugin would, and keeps questions in a
/// drawer. Answers may come from another thread, as long as one at a time.
class CountingPlugin final : public Plugin {
 public:
  enum class Answers { sometimes_later, always_later };
  explicit CountingPlugin(Answers answers) : answers_(answers) {}

  ConfigurationErrors start(const ConfigurationSource&) override { return {}; }
  ConfigurationErrors reload(const ConfigurationSource&) override { return {}; }
  void interrupt() noexcept override {}
  void stop() noexcept override {}

  void authenticate(const AuthenticationRequest& request, AuthenticationAnswer answer) noexcept override {
    keep({std::move(answer), std::nullopt, request.connection, {}});
  }
  void admit(const AdmissionRequest& request, AdmissionAnswer answer) noexcept override {
    keep({std::nullopt, std::move(answer), request.connection, request.attached});
  }
  void on_established(const Attachment& attachment) noexcept override {
    const std::lock_guard lock(mutex_);
    auto& state = attachments_[{attachment.connection, attachment.session}];
    if (state.open != 1 || state.established != 0) ++breaches_;
    ++state.established;
  }
  void on_closed(const Attachment& attachment) noexcept override {
    const std::lock_guard lock(mutex_);
    auto& state = attachments_[{attachment.connection, attachment.session}];
    if (state.open != 1 || attachment.exit.empty() != (state.established == 0)) ++breaches_;
    --state.open;
    state.established = 0;
  }

  /// Answers one question that is kept; false: there is none.
  bool answer_one(unsigned dice) {
    std::optional<Owed> debt;
    {
      const std::lock_guard lock(mutex_);
      if (drawer_.empty()) return false;
      const auto chosen = drawer_.begin() + static_cast<std::ptrdiff_t>(dice % drawer_.size());
      debt.emplace(std::move(*chosen));
      drawer_.erase(chosen);
    }
    answer(std::move(*debt), dice / 16);
    return true;
  }

  std::size_t breaches() const {
    const std::lock_guard lock(mutex_);
    return breaches_;
  }
  std::size_t still_open() const {
    const std::lock_guard lock(mutex_);
    std::size_t open = 0;
    for (const auto& [which, state] : attachments_) open += state.open != 0;
    return open;
  }
  std::size_t attachments() const {
    const std::lock_guard lock(mutex_);
    return attachments_.size();
  }

 private:
  struct State {
    int open = 0;
    int established = 0;
  };

  void keep(Owed debt) {
    const unsigned dice = next_dice();
    if (answers_ == Answers::sometimes_later && dice % 2 == 0) return answer(std::move(debt), dice / 2);
    const std::lock_guard lock(mutex_);
    drawer_.push_back(std::move(debt));
  }

  void answer(Owed debt, unsigned dice) {
    const Denial no{.reason = Reason::forbidden, .detail = {}, .url = {}};
    if (debt.authentication) {
      if (dice % 5 == 0) return debt.authentication->deny(no);
      return debt.authentication->accept({std::make_unique<Identity>()});
    }
    if (dice % 5 == 0) return debt.admission->deny(no);
    // Mostly the session that it is in; sometimes another one, never one that it was in before.
    SessionHandle session = debt.attached;
    if (!session || dice % 3 == 0) session = {sessions_.fetch_add(1) + 1};
    if (session != debt.attached) {
      const std::lock_guard lock(mutex_);
      auto& state = attachments_[{debt.connection, session}];
      if (state.open != 0) ++breaches_;
      ++state.open;
    }
    debt.admission->accept({session, {}, &traffic_});
  }

  unsigned next_dice() {
    const std::lock_guard lock(mutex_);
    return random_();
  }

  const Answers answers_;
  std::atomic<std::uint64_t> sessions_{0};
  SessionTraffic traffic_;
  mutable std::mutex mutex_;
  Random random_{1};                                                     // guarded by mutex_
  std::deque<Owed> drawer_;                                              // guarded by mutex_
  std::map<std::pair<ConnectionId, SessionHandle>, State> attachments_;  // guarded by mutex_
  std::size_t breaches_ = 0;                                             // guarded by mutex_
};

/// A connection that always wants the next thing, and counts its answers against its questions.
class RestlessConnection final : public GateListener {
 public:
  RestlessConnection(GateKeeper& keeper, ConnectionId id) : gate(keeper, id, *this) {}

  void on_authenticated() noexcept override {
    ++answers;
    knows_who = true;
  }
  void on_admitted(const Location&) noexcept override {
    ++answers;
    dialling = true;
  }
  void on_denied(const Denial&) noexcept override { ++answers; }
  void on_session_ended(const Denial&) noexcept override { gate.close(); }

  void step(unsigned dice) {
    if (gate.closed() || gate.asking()) return;
    for (auto* traffic : gate.traffic()) traffic->up_bytes += 1;
    if (dialling) {
      dialling = false;
      return dice % 4 == 0 ? gate.dial_failed() : gate.established("direct");
    }
    ++questions;
    if (knows_who) return knows_who = false, gate.admit({Protocol::http_forward, "example.com", 80});
    gate.authenticate(without_credentials());
  }

  Gate gate;
  int questions = 0;
  int answers = 0;
  bool knows_who = false;
  bool dialling = false;
};

/// A worker full of connections that come, ask and go.
class RestlessWorker {
 public:
  RestlessWorker(const PluginChain& chain, Poster post, std::uint64_t first_id)
      : keeper(chain, std::move(post)), next_id_(first_id) {}

  void step(unsigned dice) {
    const unsigned what = dice % 16;
    auto& place = places_[dice / 16 % places_.size()];
    if (place == nullptr) place = std::make_unique<RestlessConnection>(keeper, ConnectionId{next_id_++});
    if (what == 0) return retire(place);
    if (what == 1) return place->gate.close();
    if (what == 2) {
      const auto sessions = place->gate.sessions();
      return keeper.end_session(1, sessions[1], Denial{});
    }
    place->step(dice / 256);
  }
  void retire_all() {
    for (auto& place : places_)
      if (place != nullptr) retire(place);
  }

  GateKeeper keeper;
  int unanswered = 0;

 private:
  void retire(std::unique_ptr<RestlessConnection>& place) {
    const bool owed = place->gate.asking();
    if (!place->gate.closed()) unanswered += place->questions - place->answers - (owed ? 1 : 0);
    place.reset();
  }

  std::array<std::unique_ptr<RestlessConnection>, 8> places_;
  std::uint64_t next_id_;
};

class GateInterleaving : public testing::TestWithParam<unsigned> {};

TEST_P(GateInterleaving, ClosesEveryAttachmentExactlyOnceAndLast) {
  Random random(GetParam());
  std::array<CountingPlugin, 3> plugins{CountingPlugin(CountingPlugin::Answers::sometimes_later),
                                        CountingPlugin(CountingPlugin::Answers::always_later),
                                        CountingPlugin(CountingPlugin::Answers::sometimes_later)};
  PluginChain chain;
  for (auto& plugin : plugins) ASSERT_TRUE(chain.add(plugin));
  ManualLoop loop;
  RestlessWorker worker(chain, loop.poster(), 1);
  for (int i = 0; i < 5'000; ++i) {
    const unsigned dice = random();
    if (dice % 3 == 0) plugins[dice / 4 % plugins.size()].answer_one(random());
    if (dice % 5 == 0) loop.run();
    worker.step(random());
  }
  worker.retire_all();
  for (auto& plugin : plugins)
    while (plugin.answer_one(random())) {
    }
  loop.run();

  EXPECT_EQ(worker.unanswered, 0);
  EXPECT_EQ(worker.keeper.questions_under_way(), 0U);
  for (auto& plugin : plugins) {
    EXPECT_EQ(plugin.breaches(), 0U);
    EXPECT_EQ(plugin.still_open(), 0U);
    EXPECT_GT(plugin.attachments(), 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, GateInterleaving, testing::Range(1U, 41U));

/// Answers everything that two workers ask, from a thread of its own, until it is told to stop.
class AnsweringThread {
 public:
  explicit AnsweringThread(CountingPlugin& plugin) : plugin_(plugin), thread_([this] { run(); }) {}
  ~AnsweringThread() {
    stop_ = true;
    thread_.join();
  }

 private:
  void run() {
    Random random(7);
    while (!stop_)
      if (!plugin_.answer_one(random())) std::this_thread::yield();
    while (plugin_.answer_one(random())) {
    }
  }

  CountingPlugin& plugin_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

void run_worker(RestlessWorker& worker, EventLoop& loop, unsigned seed) {
  Random random(seed);
  int steps = 0;
  std::function<void()> step = [&] {
    worker.step(random());
    if (++steps < 20'000) return loop.post(step);
    worker.retire_all();
    loop.stop();
  };
  loop.post(step);
  loop.run();
}

TEST(GateThreads, AnswersFromOtherThreadsReachTheWorkersThatAsked) {
  std::array<CountingPlugin, 2> plugins{CountingPlugin(CountingPlugin::Answers::sometimes_later),
                                        CountingPlugin(CountingPlugin::Answers::always_later)};
  PluginChain chain;
  for (auto& plugin : plugins) ASSERT_TRUE(chain.add(plugin));
  std::array<EventLoop, 2> loops;
  RestlessWorker left(
      chain, [&](auto task) { loops[0].post(std::move(task)); }, 1);
  RestlessWorker right(
      chain, [&](auto task) { loops[1].post(std::move(task)); }, 1'000'000);
  {
    AnsweringThread first(plugins[0]), second(plugins[1]);
    std::thread other([&] { run_worker(right, loops[1], 2); });
    run_worker(left, loops[0], 1);
    other.join();
  }
  left.keeper.drain();
  right.keeper.drain();

  for (auto* worker : {&left, &right}) {
    EXPECT_EQ(worker->unanswered, 0);
    EXPECT_EQ(worker->keeper.questions_under_way(), 0U);
  }
  for (auto& plugin : plugins) {
    EXPECT_EQ(plugin.breaches(), 0U);
    EXPECT_EQ(plugin.still_open(), 0U);
    EXPECT_GT(plugin.attachments(), 0U);
  }
}

}  // namespace
}  // namespace payg::plugin
