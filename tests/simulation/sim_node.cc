// A node's life, and what BillingThread does.

#include "tests/simulation/sim_node.h"

#include <algorithm>
#include <utility>

#include "tests/simulation/sim_life.h"

namespace payg::simulation {
namespace {

using namespace std::chrono_literals;
using billing::Biller;
using billing::ChargeRequest;
using billing::ChargeResult;
using billing::EndReason;
using billing::EndRequest;
using billing::LedgerError;
using billing::Moment;

constexpr auto drain_limit = 45s;
// From one thread's queue to the other thread's hands.
constexpr auto most_handover = 300us;

}  // namespace

SimNode::SimNode(NodeNumber number, const Surroundings& surroundings)
    : number_(number),
      surroundings_(surroundings),
      random_(surroundings.scenario.seed, Purpose::node, static_cast<std::uint64_t>(number)),
      terms_(surroundings.scenario.terms) {}

SimNode::~SimNode() = default;

/// The monotonic clock; two kinds of damage make it something else.
MonotonicTime SimNode::now() const {
  const MonotonicTime right = surroundings_.scheduler.now();
  return has(Sabotage::deadline_by_wall_clock) ? right + wall_error_ : right - lost_time_;
}

Sender SimNode::sender() const {
  return {number_, wall_error_, life_->self};
}

void SimNode::note(std::string_view what) const {
  surroundings_.journal.note({.at = surroundings_.scheduler.now(), .what = what, .node = number_});
}

StayName SimNode::name_of_stay(plugin::SessionHandle stay, UserId user) const {
  return {.node = number_, .life = lives_, .handle = stay, .user = user};
}

void SimNode::on_node(std::uint32_t life, std::function<void()> task) {
  if (!life_ || life != lives_) return;
  if (paused_) return held_.push_back(std::move(task));
  task();
}

void SimNode::later(std::chrono::nanoseconds time, std::function<void()> task) {
  surroundings_.scheduler.in(
      time, [this, life = lives_, task = std::move(task)]() mutable { on_node(life, std::move(task)); });
}

// ---- life

void SimNode::start() {
  if (life_) return;
  ++lives_;
  surroundings_.examiner.node_started(number_, surroundings_.scheduler.now());
  const auto grace =
      has(Sabotage::ignore_grace) ? std::chrono::hours(1000) : surroundings_.scenario.outage_grace;
  const billing::BillerSettings settings{.outage_grace = grace,
                                         .session_limit = surroundings_.scenario.session_limit};
  life_ = std::make_unique<Life>(number_, terms_, settings, random_.bits());
  set_lease(lease_for(surroundings_.scenario, terms_));
  life_->usage_posted_at = surroundings_.scheduler.now();
  // Nobody is let in before the first answer; until then the ledger counts as away.
  surroundings_.examiner.disturbed(number_, surroundings_.scheduler.now() + 3s);
  later(10ms, [this] { keep(); });
}

void SimNode::set_lease(std::chrono::milliseconds lease) {
  lease_ = lease;
  surroundings_.examiner.lease_is(number_, lease);
  // Broken: it takes the others for more patient than they are.
  life_->biller.set_lease(lease +
                          (has(Sabotage::lease_without_grace) ? surroundings_.scenario.outage_grace : 0ms));
}

void SimNode::kill() {
  if (!life_) return;
  const std::unique_ptr<Life> dead = std::exchange(life_, nullptr);
  paused_ = false;
  held_.clear();
  lost_time_ = 0ns;
  surroundings_.examiner.node_gone(number_, surroundings_.scheduler.now());
  std::vector<plugin::ConnectionId> lost;
  for (const auto& [id, connection] : dead->connections) lost.push_back(id);
  std::sort(lost.begin(), lost.end());
  for (const plugin::ConnectionId id : lost) surroundings_.clients.on_closed(id);
}

void SimNode::pause() {
  if (!life_ || paused_) return;
  note("node is stopped");
  paused_ = true;
  surroundings_.examiner.node_paused(number_, surroundings_.scheduler.now());
}

void SimNode::resume() {
  if (!life_ || !paused_) return;
  paused_ = false;
  surroundings_.examiner.node_continued(number_, surroundings_.scheduler.now());
  surroundings_.examiner.disturbed(number_, surroundings_.scheduler.now() + 2s);
  const std::uint32_t life = lives_;
  for (auto& task : std::exchange(held_, {})) on_node(life, std::move(task));
  if (life_ && life == lives_) wake_at(surroundings_.scheduler.now());
}

void SimNode::drain() {
  if (!life_ || life_->state == State::draining) return;
  note("node drains");
  life_->state = State::draining;
  surroundings_.examiner.node_drains(number_);
  post([](Biller& biller, const Moment& moment) { biller.end_all(EndReason::drained, moment); });
  surroundings_.scheduler.in(drain_limit, [this, life = lives_] {
    if (life == lives_) kill();
  });
}

void SimNode::look_whether_drained() {
  if (life_->state != State::draining || life_->biller.unsettled() > 0) return;
  // A start that was told before the drain, and not yet heard of.
  if (!life_->inbox.empty()) return;
  later(1ms, [this] {
    if (life_->biller.unsettled() == 0 && life_->inbox.empty()) kill();
  });
}

void SimNode::set_terms(const billing::Terms& terms) {
  terms_ = terms;
  if (!life_ || has(Sabotage::no_renewal_after_reload)) return;
  // What was bought under a longer one may still be running.
  set_lease(std::max(lease_, lease_for(surroundings_.scenario, terms)));
  post([terms](Biller& biller, const Moment&) { biller.set_terms(terms); });
}

void SimNode::jump_wall(std::chrono::milliseconds jump) {
  note("wall clock jumps");
  wall_error_ += jump;
  if (life_) wake_at(surroundings_.scheduler.now());
}

void SimNode::fill_disk() {
  note("the spool's disk is full");
  disk_is_full_ = true;
}

void SimNode::free_disk() {
  note("the spool's disk has room");
  disk_is_full_ = false;
}

// ---- the billing thread

void SimNode::post(Task task) {
  life_->inbox.push_back(std::move(task));
  wake_at(surroundings_.scheduler.now() + random_.between(0ns, most_handover));
}

void SimNode::wake_at(MonotonicTime at) {
  at = std::max(at, surroundings_.scheduler.now());
  if (at >= life_->wakes_at) return;
  life_->wakes_at = at;
  surroundings_.scheduler.at(at, [this, at, life = lives_] {
    if (!life_ || life != lives_ || life_->wakes_at != at) return;
    life_->wakes_at = MonotonicTime::max();
    on_node(life, [this] { work(); });
  });
}

/// BillingThread::work_through().
void SimNode::work() {
  const std::vector<Task> tasks = std::exchange(life_->inbox, {});
  const Moment moment = this->moment();
  life_->biller.wake(moment);
  for (const Task& task : tasks) task(life_->biller, moment);
  life_->biller.advance(moment);
  for (const billing::Cut& one : life_->biller.take_cuts()) cut(one);
  send(Turn::if_free);
  send(Turn::in_line);
  write_spool();
  const MonotonicTime next = life_->biller.next_deadline();
  // Threads wake a little late.
  if (next != MonotonicTime::max())
    wake_at(next + (surroundings_.scheduler.now() - now()) + random_.between(1us, most_handover));
  look_whether_drained();
}

/// What is asked speaks of the wall clock as it is now, however long it waits for its thread.
void SimNode::send(Turn turn) {
  if (auto charges = life_->biller.take_charges(moment(), turn); !charges.empty()) {
    life_->of(turn).waiting.push_back(
        [this, turn, error = wall_error_, charges = std::move(charges)]() mutable {
          send_charges(turn, error, std::move(charges));
        });
  }
  if (auto ends = life_->biller.take_ends(moment(), turn); !ends.empty()) {
    life_->of(turn).waiting.push_back([this, turn, error = wall_error_, ends = std::move(ends)]() mutable {
      send_ends(turn, error, std::move(ends));
    });
  }
  send_next(turn);
}

void SimNode::send_next(Turn turn) {
  Life::Lane& lane = life_->of(turn);
  if (lane.is_busy || lane.waiting.empty()) return;
  lane.is_busy = true;
  const auto call = std::move(lane.waiting.front());
  lane.waiting.pop_front();
  call();
}

void SimNode::send_charges(Turn turn, WallError error, std::vector<ChargeRequest> charges) {
  if (has(Sabotage::session_for_each_connection))
    for (ChargeRequest& charge : charges) charge.label = charge.label.substr(0, charge.label.find('#'));
  const MonotonicTime sent_at = surroundings_.scheduler.now();
  if (turn == Turn::if_free) life_->charging_since = sent_at;
  surroundings_.ledger.charge({number_, error, life_->self}, std::move(charges),
                              [this, turn, sent_at, life = lives_](const auto& answer) {
                                on_node(life, [this, turn, sent_at, answer] {
                                  if (turn == Turn::if_free) life_->charges_fail = !answer.ok();
                                  if (turn == Turn::if_free) life_->charging_since = MonotonicTime::max();
                                  if (has(Sabotage::deadline_from_answer))
                                    lost_time_ += surroundings_.scheduler.now() - sent_at;
                                  life_->of(turn).is_busy = false;
                                  take_answer(turn, answer);
                                  send_next(turn);
                                });
                              });
}

void SimNode::take_answer(Turn turn, billing::LedgerResult<std::vector<ChargeResult>> answer) {
  if (has(Sabotage::answer_of_the_last_batch) && answer.ok()) {
    const bool fits = life_->last_answer.size() == answer->size();
    const auto last = std::exchange(life_->last_answer, *answer);
    if (fits && random_.once_in(10)) answer = last;
  }
  post([turn, answer](Biller& biller, const Moment& moment) { biller.on_charges(answer, moment, turn); });
}

void SimNode::send_ends(Turn turn, WallError error, std::vector<EndRequest> ends) {
  surroundings_.ledger.end_sessions(
      {number_, error, life_->self}, std::move(ends), [this, turn, life = lives_](const auto& answer) {
        on_node(life, [this, turn, answer] {
          if (turn == Turn::if_free) life_->charges_fail = !answer.ok();
          life_->of(turn).is_busy = false;
          post(
              [turn, answer](Biller& biller, const Moment& moment) { biller.on_ends(answer, moment, turn); });
          send_next(turn);
        });
      });
}

/// Host::end_session(): every worker closes what it has of the session.
void SimNode::cut(const billing::Cut& one) {
  if (has(Sabotage::drop_cut) && random_.once_in(3)) return;
  // Also of a stay that nobody is attached to any more.
  const auto known = life_->users.find(one.session);
  if (known == life_->users.end()) return;
  const UserId user = known->second;
  surroundings_.examiner.told_to_close(name_of_stay(one.session, user), one.why,
                                       surroundings_.scheduler.now());
  later(random_.between(10us, 2ms), [this, stay = one.session] { close_all(stay); });
}

void SimNode::close_all(plugin::SessionHandle stay) {
  const auto attached = life_->stays.find(stay);
  if (attached == life_->stays.end()) return;
  const std::uint32_t life = lives_;
  for (const plugin::ConnectionId id : std::vector(attached->second)) {
    leave(id);
    surroundings_.clients.on_closed(id);
    if (!life_ || life != lives_) return;
  }
}

// ---- the admin port

void SimNode::end(billing::SessionId session) {
  if (!life_ || !life_->table.is_live(session)) return;
  surroundings_.examiner.end_asked(session);
  post(
      [session](Biller& biller, const Moment& moment) { biller.end(session, EndReason::requested, moment); });
}

void SimNode::user_disabled(UserId user) {
  if (!life_) return;
  post([user](Biller& biller, const Moment& moment) { biller.end_user(user, EndReason::disabled, moment); });
}

}  // namespace payg::simulation
