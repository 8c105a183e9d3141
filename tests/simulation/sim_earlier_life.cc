// What EarlierLife does of a node, and its spool.

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

// Sessions that are charged, or ended, in one transaction.
constexpr std::size_t portion = 1000;

}  // namespace

// ---- the spool

/// One thing after the other, as the spool's thread does them.
std::chrono::nanoseconds SimNode::disk_time(std::chrono::nanoseconds takes) {
  const MonotonicTime now = surroundings_.scheduler.now();
  disk_is_free_at_ = std::max(disk_is_free_at_, now) + takes;
  return disk_is_free_at_ - now;
}

/// BillingThread::write_spool().
void SimNode::write_spool() {
  drop_settled(life_->biller.take_settled());
  if (auto charges = life_->biller.take_unrecorded(moment()); !charges.empty()) {
    surroundings_.scheduler.in(disk_time(random_.between(300us, 8ms)), [this, charges = std::move(charges),
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
  later(disk_time(random_.between(10us, 2ms)), [this, keys = std::move(keys)] {
    for (const ChargeKey& key : keys) spool_.erase(key);
  });
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

/// EarlierLife::settle(): its charges, then its ends. Who is locked is tried again at the next look, in line.
void SimNode::settle() {
  billing::SpoolReplay& replay = *life_->replay;
  if (replay.is_done()) return end_left_open();
  life_->charges_before = replay.charges_left();
  const bool in_line = life_->settle_turn == Turn::in_line || replay.sessions_left() == 1;
  auto charges = in_line ? std::vector{replay.take_one_in_line()} : replay.take(portion);
  surroundings_.ledger.charge(sender(), std::move(charges), [this, life = lives_](const auto& answer) {
    on_node(life, [this, answer] { on_settled(answer); });
  });
}

void SimNode::on_settled(const billing::LedgerResult<std::vector<billing::ChargeResult>>& answer) {
  if (!answer.ok()) return settled(Fate::unavailable);
  life_->replay->on_charged(*answer);
  drop_settled(life_->replay->take_settled());
  for (const billing::SessionKey& session : life_->replay->take_finished()) add_left_open(session);
  const bool goes_on = life_->replay->charges_left() < life_->charges_before;
  life_->settle_turn = goes_on ? Turn::if_free : Turn::in_line;
  goes_on ? renew(&SimNode::settle) : settled(Fate::done);
}

/// As far as it can be at the moment: who is locked holds up nobody who wants to start.
void SimNode::settled(Fate fate) {
  if (life_->is_prepared) return finish_keeping();
  fate == Fate::done ? become_ready() : not_prepared();
}

void SimNode::add_left_open(const billing::SessionKey& session) {
  const auto is_same = [&](const billing::SessionKey& other) { return other.session == session.session; };
  if (std::none_of(life_->left_open.begin(), life_->left_open.end(), is_same))
    life_->left_open.push_back(session);
}

void SimNode::end_left_open() {
  if (life_->left_open.empty()) return settled(Fate::done);
  const auto count = static_cast<std::ptrdiff_t>(std::min(portion, life_->left_open.size()));
  const std::vector<billing::SessionKey> some(life_->left_open.end() - count, life_->left_open.end());
  life_->left_open.erase(life_->left_open.end() - count, life_->left_open.end());
  const Turn turn = some.size() == 1 ? Turn::in_line : Turn::if_free;
  std::vector<EndRequest> ends;
  for (const billing::SessionKey& one : some)
    ends.push_back({one.user, one.session, EndReason::node_lost, wall_now(), turn});
  surroundings_.ledger.end_sessions(sender(), ends, [this, some, life = lives_](const auto& answer) {
    on_node(life, [this, some, answer] {
      for (std::size_t i = 0; i < some.size(); ++i) {
        const bool is_open = !answer.ok() || (*answer)[i].outcome == billing::EndOutcome::later;
        if (is_open) life_->left_open.insert(life_->left_open.begin(), some[i]);
      }
      settled(answer.ok() ? Fate::done : Fate::unavailable);
    });
  });
}

}  // namespace payg::simulation
