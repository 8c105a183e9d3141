// What NodeKeeper does of a node.

#include <algorithm>
#include <utility>

#include "tests/simulation/sim_life.h"
#include "tests/simulation/sim_node.h"

namespace payg::simulation {
namespace {

using namespace std::chrono_literals;
using billing::Biller;
using billing::EndReason;
using billing::Moment;

constexpr auto look_interval = 250ms;
constexpr auto longest_pause = 2s;
constexpr auto renewal_interval = 1s;

}  // namespace

/// NodeKeeper::run(). A look in the simulation takes no time of its own: what it would take is added here.
void SimNode::rest() {
  const auto time = life_->pause + random_.between(1ms, 7ms);
  // Nothing that has to be allocated: it happens some hundred million times.
  surroundings_.scheduler.in(time, [this, life = lives_] {
    if (!life_ || life != lives_) return;
    paused_ ? held_.push_back([this] { keep(); }) : keep();
  });
}

void SimNode::keep() {
  life_->is_prepared ? look() : prepare();
}

// ---- getting ready

/// NodeKeeper::prepare_step_by_step().
void SimNode::prepare() {
  const auto started = std::make_shared<billing::NodeStart>();
  life_->renewed_at = surroundings_.scheduler.now();
  surroundings_.ledger.ask(
      number_, std::nullopt,
      [started, number = number_, lease = lease_](SimTables& tables, MonotonicTime at) {
        *started = tables.start_node(number, lease, at);
      },
      [this, started, life = lives_](Fate fate) {
        on_node(life, [this, started, fate] { fate == Fate::done ? begin_life(*started) : not_prepared(); });
      });
}

void SimNode::begin_life(const billing::NodeStart& started) {
  life_->self = started.life;
  life_->left_open = started.left_open;
  if (has(Sabotage::restart_without_settling)) life_->left_open.clear();
  read_spool();
  settle();
}

void SimNode::not_prepared() {
  life_->reads_fail = true;
  life_->pause = std::min<std::chrono::nanoseconds>(
      std::max<std::chrono::nanoseconds>(2 * life_->pause, look_interval), longest_pause);
  rest();
}

void SimNode::become_ready() {
  const SimTables& tables = surroundings_.ledger.tables();
  life_->reads_fail = false;
  life_->is_prepared = true;
  life_->pause = look_interval;
  life_->users_read = tables.changed_users().size();
  life_->ends_read = tables.ended_on(number_).size();
  if (life_->state == State::starting) life_->state = State::ready;
  rest();
}

// ---- several times a second

void SimNode::look() {
  const MonotonicTime asked_at = surroundings_.scheduler.now();
  const auto trouble = surroundings_.ledger.trouble_for(number_);
  if (!trouble) {
    note_signs(surroundings_.ledger.tables(), asked_at);
    return looked(asked_at, Fate::done);
  }
  surroundings_.ledger.ask(
      number_, *trouble,
      [this, life = lives_](SimTables& tables, MonotonicTime at) {
        if (life_ && life == lives_) note_signs(tables, at);
      },
      [this, asked_at, life = lives_](Fate fate) {
        on_node(life, [this, asked_at, fate] { looked(asked_at, fate); });
      });
}

/// The real watch wants to be told once in a while, and whenever somebody is late.
void SimNode::note_signs(const SimTables& tables, MonotonicTime at) {
  signs_.clear();
  const bool is_alone = surroundings_.scenario.nodes == 1;
  if (!is_alone && (at - life_->watched_at >= 1s || !tables.are_all_fresh(at))) signs_ = tables.signs();
}

/// NodeKeeper::look() and keep().
void SimNode::looked(MonotonicTime asked_at, Fate fate) {
  life_->reads_fail = fate != Fate::done;
  if (life_->reads_fail) {
    life_->watch.missed();
    life_->pause = std::min<std::chrono::nanoseconds>(2 * life_->pause, longest_pause);
    return rest();
  }
  life_->pause = look_interval;
  if (!signs_.empty()) {
    life_->watched_at = surroundings_.scheduler.now();
    life_->watch.look(asked_at, life_->watched_at, signs_);
  }
  heed_changes();
  renew(&SimNode::take_over);
}

void SimNode::heed_changes() {
  SimTables& tables = surroundings_.ledger.tables();
  for (; life_->users_read < tables.changed_users().size(); ++life_->users_read) {
    const UserId user = tables.changed_users()[life_->users_read];
    if (tables.state(user) == billing::UserState::disabled) user_disabled(user);
  }
  for (; life_->ends_read < tables.ended_on(number_).size(); ++life_->ends_read) {
    const billing::SessionId session = tables.ended_on(number_)[life_->ends_read];
    if (!life_->table.is_live(session)) continue;
    post([session](Biller& biller, const Moment& moment) {
      biller.end(session, EndReason::requested, moment);
    });
  }
}

void SimNode::renew(Step then) {
  const MonotonicTime now = surroundings_.scheduler.now();
  if (now - life_->renewed_at < renewal_interval) return (this->*then)();
  const auto renewal = [number = number_, self = life_->self, lease = lease_](SimTables& tables,
                                                                              MonotonicTime at) {
    // Nobody else starts by this name: it is over for nobody who would hear of it.
    (void)tables.renew_lease(number, self, lease, at);
  };
  const auto trouble = surroundings_.ledger.trouble_for(number_);
  if (!trouble) {
    renewal(surroundings_.ledger.tables(), now);
    return renewed(Fate::done, then);
  }
  surroundings_.ledger.ask(number_, *trouble, renewal, [this, then, life = lives_](Fate fate) {
    on_node(life, [this, then, fate] { renewed(fate, then); });
  });
}

void SimNode::renewed(Fate fate, Step then) {
  if (fate == Fate::done) {
    life_->renewed_at = surroundings_.scheduler.now();
  } else {
    life_->watch.missed();
  }
  (this->*then)();
}

/// NodeKeeper::end_sessions_of_a_lost_node().
void SimNode::take_over() {
  const bool looks = !signs_.empty() && !has(Sabotage::leave_the_lost);
  const auto lost = looks ? life_->watch.lost() : std::vector<billing::NodeSign>{};
  if (lost.empty()) return settle();
  const auto next = std::find_if(lost.begin(), lost.end(),
                                 [this](const auto& sign) { return sign.node > life_->last_lost; });
  const billing::NodeSign sign = next != lost.end() ? *next : lost.front();
  life_->last_lost = sign.node;
  surroundings_.ledger.end_lost_sessions(
      sender(), sign, [this, node = sign.node, life = lives_](const auto& portion) {
        on_node(life, [this, node, portion] {
          if (portion.ok() && portion->next == billing::LostPortion::Next::done) life_->watch.settled(node);
          settle();
        });
      });
}

void SimNode::finish_keeping() {
  const MonotonicTime now = surroundings_.scheduler.now();
  if (now - life_->usage_posted_at >= 5min) post_usage();
  rest();
}

/// Nobody waits for its answer: in a portion too much, there would be another one at the next look.
void SimNode::post_usage() {
  life_->usage_posted_at = surroundings_.scheduler.now();
  surroundings_.ledger.ask(
      number_, std::nullopt,
      [number = number_](SimTables& tables, MonotonicTime at) { tables.post_usage(number, at - 50min, at); },
      [](Fate) {});
}

}  // namespace payg::simulation
