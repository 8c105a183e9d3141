// What NodeKeeper and EarlierLife do of a node, and its spool.

#include <algorithm>
#include <utility>

#include "tests/simulation/sim_life.h"
#include "tests/simulation/sim_node.h"

namespace payg::simulation {
namespace {

using namespace std::chrono_literals;
using billing::Biller;
using billing::ChargeKey;
using billing::ChargeRequest;
using billing::EndReason;
using billing::EndRequest;
using billing::Moment;

constexpr auto keeper_interval = 1s;
// Sessions that are charged, or ended, in one transaction.
constexpr std::size_t portion = 1000;

}  // namespace

// ---- the spool

/// BillingThread::write_spool().
void SimNode::write_spool() {
  if (auto charges = life_->biller.take_unrecorded(moment()); !charges.empty()) {
    surroundings_.scheduler.in(random_.between(300us, 8ms), [this, charges = std::move(charges),
                                                             error = wall_error_, life = lives_] {
      // A disk goes on for a moment without the process that asked it to write.
      const bool is_mine = life_ && life == lives_;
      const bool is_safe = !disk_is_full_ && (is_mine || random_.percent(50));
      if (is_safe && !has(Sabotage::write_no_spool))
        for (const ChargeRequest& charge : charges)
          spool_[{charge.user, charge.session, charge.number}] = {charge, error};
      on_node(life, [this, charges, error, is_safe] {
        note_recorded(charges, error, is_safe ? Biller::Recorded::safe : Biller::Recorded::lost);
      });
    });
  }
  drop_settled(life_->biller.take_settled());
}

void SimNode::note_recorded(const std::vector<ChargeRequest>& charges, WallError error,
                            Biller::Recorded outcome) {
  if (outcome == Biller::Recorded::lost)
    surroundings_.examiner.disk_broken(number_, surroundings_.scheduler.now() + 2s);
  for (const ChargeRequest& charge : charges) {
    if (!spool_.contains({charge.user, charge.session, charge.number})) continue;
    const MonotonicTime begins = Scheduler::moment_of(charge.from - error);
    surroundings_.examiner.kept(number_, charge, begins, surroundings_.scheduler.now());
  }
  post([outcome](Biller& biller, const Moment& moment) { biller.on_recorded(outcome, moment); });
}

void SimNode::drop_settled(std::vector<ChargeKey> keys) {
  if (keys.empty()) return;
  later(random_.between(10us, 2ms), [this, keys = std::move(keys)] {
    for (const ChargeKey& key : keys) spool_.erase(key);
  });
}

// ---- the keeper

void SimNode::keep() {
  later(keeper_interval, [this] { keep(); });
  // That it is awake.
  if (surroundings_.scenario.lease) wake_at(surroundings_.scheduler.now());
  if (life_->keeper_is_busy) return;
  life_->state == State::starting ? prepare() : look_for_changes();
}

/// NodeKeeper::prepare_step_by_step().
void SimNode::prepare() {
  life_->keeper_is_busy = true;
  const auto found = std::make_shared<std::vector<billing::LeftOpen>>();
  surroundings_.ledger.ask(
      number_, std::nullopt,
      [found, number = number_](SimTables& tables, MonotonicTime) { *found = tables.left_open(number); },
      [this, found, life = lives_](Fate fate) {
        on_node(life, [this, found, fate] {
          life_->keeper_is_busy = false;
          life_->reads_fail = fate != Fate::done;
          if (life_->reads_fail) return;
          life_->left_open = *found;
          if (has(Sabotage::restart_without_settling)) life_->left_open.clear();
          life_->users_read = surroundings_.ledger.tables().changed_users().size();
          life_->ends_read = surroundings_.ledger.tables().ended_on(number_).size();
          if (life_->state == State::starting) life_->state = State::ready;
          read_spool();
          settle_earlier_life();
        });
      });
}

void SimNode::look_for_changes() {
  life_->keeper_is_busy = true;
  surroundings_.ledger.ask(
      number_, std::nullopt, [](SimTables&, MonotonicTime) {},
      [this, life = lives_](Fate fate) {
        on_node(life, [this, fate] {
          life_->keeper_is_busy = false;
          life_->reads_fail = fate != Fate::done;
          if (life_->reads_fail) return;
          heed_changes();
          settle_earlier_life();
          if (surroundings_.scheduler.now() - life_->usage_posted_at >= 5min) post_usage();
        });
      });
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

// ---- what an earlier life has left

/// Its lines are for people to read in the time of the clock that the node has now.
void SimNode::read_spool() {
  if (life_->replay) return;
  std::vector<ChargeRequest> charges;
  for (const auto& [key, kept] : spool_) {
    charges.push_back(kept.charge);
    charges.back().from += wall_error_ - kept.error;
  }
  if (has(Sabotage::restart_without_spool)) charges.clear();
  life_->replay.emplace(std::move(charges));
}

/// EarlierLife::settle(): its charges, then its ends; who is locked is tried again a second later, in line.
void SimNode::settle_earlier_life() {
  billing::SpoolReplay& replay = *life_->replay;
  if (replay.is_done()) return end_left_open();
  const std::size_t before = replay.charges_left();
  life_->keeper_is_busy = true;
  const bool in_line = replay.sessions_left() == 1;
  auto charges = in_line ? std::vector{replay.take_one_in_line()} : replay.take(portion);
  surroundings_.ledger.charge(number_, wall_error_, std::move(charges),
                              [this, before, life = lives_](const auto& answer) {
                                on_node(life, [this, before, answer] {
                                  life_->keeper_is_busy = false;
                                  if (!answer.ok()) return;
                                  life_->replay->on_charged(*answer);
                                  drop_settled(life_->replay->take_settled());
                                  for (const billing::LeftOpen& session : life_->replay->take_finished())
                                    add_left_open(session);
                                  if (life_->replay->charges_left() < before) settle_earlier_life();
                                });
                              });
}

void SimNode::add_left_open(const billing::LeftOpen& session) {
  const auto is_same = [&](const billing::LeftOpen& other) { return other.session == session.session; };
  if (std::none_of(life_->left_open.begin(), life_->left_open.end(), is_same))
    life_->left_open.push_back(session);
}

void SimNode::end_left_open() {
  if (life_->left_open.empty()) return;
  const auto count = static_cast<std::ptrdiff_t>(std::min(portion, life_->left_open.size()));
  const std::vector<billing::LeftOpen> some(life_->left_open.end() - count, life_->left_open.end());
  life_->left_open.erase(life_->left_open.end() - count, life_->left_open.end());
  const Turn turn = some.size() == 1 ? Turn::in_line : Turn::if_free;
  std::vector<EndRequest> ends;
  for (const billing::LeftOpen& one : some)
    ends.push_back({one.user, one.session, EndReason::node_lost, wall_now(), turn});
  life_->keeper_is_busy = true;
  surroundings_.ledger.end_sessions(
      number_, wall_error_, ends, [this, some, life = lives_](const auto& answer) {
        on_node(life, [this, some, answer] {
          life_->keeper_is_busy = false;
          for (std::size_t i = 0; i < some.size(); ++i) {
            const bool is_open = !answer.ok() || (*answer)[i].outcome == billing::EndOutcome::later;
            if (is_open) life_->left_open.insert(life_->left_open.begin(), some[i]);
          }
        });
      });
}

void SimNode::post_usage() {
  life_->usage_posted_at = surroundings_.scheduler.now();
  surroundings_.ledger.ask(
      number_, std::nullopt,
      [number = number_](SimTables& tables, MonotonicTime at) { tables.post_usage(number, at - 50min, at); },
      [](Fate) {});
}

}  // namespace payg::simulation
