#include "tests/simulation/sim_ledger.h"

#include <algorithm>
#include <utility>

#include "billing/ledger/ledger_rules.h"

namespace payg::simulation {
namespace {

using namespace std::chrono_literals;
using billing::ChargeRequest;
using billing::ChargeResult;
using billing::EndOutcome;
using billing::EndRequest;
using billing::Ledger;
using billing::LedgerError;
using billing::Turn;
using Outcome = billing::ChargeResult::Outcome;

// What takes longer than this is a disturbance.
constexpr auto ordinary = 60ms;
// After it a node, or a user's sessions, have caught up: pauses of up to two seconds between tries.
constexpr auto catching_up = 3s;

LedgerError unavailable() {
  return {LedgerError::Code::unavailable, "away"};
}

}  // namespace

struct SimLedger::Call {
  Sender sender;
  std::uint64_t serial = 0;
  std::uint64_t crashes = 0;  // of the ledger, when it arrived
  MonotonicTime sent_at;
  Scheduler::Duration there{}, inside{}, back{};
  Loss loss = Loss::none;
  Away loses_how = Away::refuses;

  std::vector<ChargeRequest> charges;
  std::vector<EndRequest> ends;
  std::optional<billing::NodeSign> lost;
  Work act;
  Charged charged;
  Ended ended;
  TakenOver taken_over;
  Done done;
  std::vector<ChargeResult> charge_results;
  std::vector<billing::EndResult> end_results;
  billing::LostPortion portion;
  bool life_is_over = false;  // of its node
  std::vector<std::optional<billing::Credits>> balances_seen;

  Patience patience = Patience::none;
  std::vector<UserId> wanted;  // to be locked, in this order
  std::vector<UserId> held;
  std::size_t next_wanted = 0;
  UserId waits_for{};
};

SimLedger::SimLedger(const Scenario& scenario, Scheduler& scheduler, Examiner& examiner)
    : scenario_(scenario),
      scheduler_(scheduler),
      examiner_(examiner),
      random_(scenario.seed, Purpose::network),
      tables_(scenario, examiner),
      away_for_node_(scenario.nodes, Away::no) {
  std::uint64_t last = 0;
  for (const UserId user : scenario.users) last = std::max(last, user.value);
  holders_.resize(last + 1);
}

SimLedger::~SimLedger() = default;

SimLedger::Call* SimLedger::new_call(const Sender& sender) {
  if (free_calls_.empty()) {
    calls_.push_back(std::make_unique<Call>());
    free_calls_.push_back(calls_.back().get());
  }
  Call* const call = free_calls_.back();
  free_calls_.pop_back();
  call->sender = sender;
  call->life_is_over = false;
  call->serial = ++serials_;
  call->sent_at = scheduler_.now();
  call->there = network();
  call->inside = random_.between(200us, 3ms);
  call->back = network();
  call->loss = Loss::none;
  call->patience = Patience::none;
  call->wanted.clear();
  call->held.clear();
  call->next_wanted = 0;
  call->waits_for = UserId{};
  call->charge_results.clear();
  call->end_results.clear();
  call->balances_seen.clear();
  return call;
}

void SimLedger::free(Call* call) {
  call->charges.clear();
  call->ends.clear();
  call->lost.reset();
  call->act = nullptr;
  call->charged = nullptr;
  call->ended = nullptr;
  call->taken_over = nullptr;
  call->done = nullptr;
  free_calls_.push_back(call);
}

// ---- asking

void SimLedger::charge(const Sender& sender, std::vector<ChargeRequest> requests, Charged done) {
  Call* const call = new_call(sender);
  call->charges = std::move(requests);
  call->charged = std::move(done);
  for (const ChargeRequest& request : call->charges) call->wanted.push_back(request.user);
  const bool in_line = call->charges.size() == 1 && call->charges.front().turn == Turn::in_line;
  call->patience = in_line ? Patience::some : Patience::none;
  if (scenario_.locking != Locking::skips) call->patience = Patience::endless;
  call->inside += std::chrono::microseconds(2) * call->charges.size();
  send(call);
}

void SimLedger::end_sessions(const Sender& sender, std::vector<EndRequest> requests, Ended done) {
  Call* const call = new_call(sender);
  call->ends = std::move(requests);
  call->ended = std::move(done);
  for (const EndRequest& request : call->ends) call->wanted.push_back(request.user);
  const bool in_line = call->ends.size() == 1 && call->ends.front().turn == Turn::in_line;
  call->patience = in_line ? Patience::some : Patience::none;
  send(call);
}

void SimLedger::end_lost_sessions(const Sender& sender, const billing::NodeSign& last_sign, TakenOver done) {
  Call* const call = new_call(sender);
  call->lost = last_sign;
  if (scenario_.sabotage == Sabotage::take_from_the_living) call->there += 3s;
  call->taken_over = std::move(done);
  send(call);
}

void SimLedger::ask(NodeNumber node, std::optional<UserId> user, Work work, Done done) {
  Call* const call = new_call({.node = node});
  call->act = std::move(work);
  call->done = std::move(done);
  if (user) call->wanted.push_back(*user);
  call->patience = Patience::endless;
  send(call);
}

void SimLedger::ask(NodeNumber node, const Trouble& trouble, Work work, Done done) {
  Call* const call = new_call({.node = node});
  call->act = std::move(work);
  call->done = std::move(done);
  send(call, trouble);
}

std::optional<SimLedger::Trouble> SimLedger::trouble_for(NodeNumber node) {
  const Trouble trouble = draw_trouble();
  const bool is_smooth = trouble.is_none() && away_for(node) == Away::no;
  return is_smooth ? std::nullopt : std::optional(trouble);
}

SimLedger::Trouble SimLedger::draw_trouble() {
  Trouble trouble;
  if (scenario_.faults.has(Fault::lost_calls) && random_.once_in(scenario_.lost_once_in)) {
    trouble.loss = random_.one_of({Loss::before_commit, Loss::after_commit});
    trouble.loses_how = random_.once_in(4) ? Away::is_silent : Away::refuses;
  }
  if (scenario_.faults.has(Fault::late_answers) && random_.once_in(scenario_.late_once_in)) {
    Scheduler::Duration& part = *random_.one_of({&trouble.there, &trouble.inside, &trouble.back});
    part = random_.between(50ms, random_.one_of<Scheduler::Duration>({300ms, 2s, 8s}));
  }
  return trouble;
}

void SimLedger::send(Call* call) {
  send(call, draw_trouble());
}

void SimLedger::send(Call* call, const Trouble& trouble) {
  if (scenario_.locking != Locking::waits_as_asked) std::sort(call->wanted.begin(), call->wanted.end());
  if (scenario_.locking == Locking::skips)
    call->wanted.erase(std::unique(call->wanted.begin(), call->wanted.end()), call->wanted.end());
  call->loss = trouble.loss;
  call->loses_how = trouble.loses_how;
  call->there += trouble.there;
  call->inside += trouble.inside;
  call->back += trouble.back;
  const auto takes = call->there + call->inside + call->back;
  if (takes > ordinary) {
    examiner_.disturbed(call->sender.node, scheduler_.now() + takes + catching_up);
    // Its users are locked all the while.
    for (const UserId user : call->wanted) examiner_.disturbed(user, scheduler_.now() + takes + catching_up);
  }
  scheduler_.in(call->there, [this, call] { arrive(call); });
}

// ---- there

Away SimLedger::away_for(NodeNumber node) const {
  return away_ != Away::no ? away_ : away_for_node_[static_cast<std::size_t>(node)];
}

void SimLedger::arrive(Call* call) {
  if (const Away how = away_for(call->sender.node); how != Away::no) return fail(call, how);
  call->crashes = crashes_;
  if (call->lost) want_users_of_lost(*call);
  // What a transaction would see that looks before it has the rows.
  if (scenario_.sabotage == Sabotage::stale_balance)
    for (const ChargeRequest& request : call->charges)
      call->balances_seen.emplace_back(tables_.balance(request.user));
  take_locks(call);
}

/// Whoever of them is free: it waits for nobody.
void SimLedger::want_users_of_lost(Call& call) {
  for (unsigned i = 0; i < scenario_.nodes; ++i) {
    const auto node = static_cast<NodeNumber>(i);
    if (name_of(node) == call.lost->node) call.wanted = tables_.users_on(node);
  }
  std::sort(call.wanted.begin(), call.wanted.end());
  call.wanted.erase(std::unique(call.wanted.begin(), call.wanted.end()), call.wanted.end());
}

/// Whoever asked hears of it when his connection does.
void SimLedger::fail(Call* call, Away how) {
  const MonotonicTime noticed =
      how == Away::is_silent ? call->sent_at + Ledger::longest_silence : scheduler_.now() + network();
  examiner_.disturbed(call->sender.node, std::max(noticed, scheduler_.now()) + catching_up);
  scheduler_.at(noticed, [this, call] { answer(call, Fate::unavailable); });
}

bool SimLedger::take_lock(Call* call, std::size_t place) {
  const UserId user = call->wanted[place];
  Call*& holder = holders_[user.value];
  if (holder && holder != call) return false;
  if (!holder) call->held.push_back(user);
  holder = call;
  return true;
}

void SimLedger::take_locks(Call* call) {
  const bool is_slow = scenario_.locking != Locking::skips && !call->charges.empty();
  for (; call->next_wanted < call->wanted.size(); ++call->next_wanted) {
    const bool is_taken = take_lock(call, call->next_wanted);
    if (!is_taken && call->patience != Patience::none)
      return stand_in_line(call, call->wanted[call->next_wanted]);
    if (is_slow && is_taken) {
      // One row after the other takes time, in which others come.
      ++call->next_wanted;
      return scheduler_.in(random_.between(10us, 200us), [this, call] { take_locks(call); });
    }
  }
  work(call);
}

void SimLedger::stand_in_line(Call* call, UserId user) {
  call->waits_for = user;
  lines_[user].push_back(call);
  look_for_deadlock(call);
  // Batches that wait are no way to keep anybody's time; what they are for is to find deadlocks.
  if (!call->charges.empty() && call->patience == Patience::endless)
    examiner_.disturbed(call->sender.node, scheduler_.now() + 1h);
  if (call->patience != Patience::some) return;
  scheduler_.in(Ledger::in_line_wait, [this, call, serial = call->serial] { give_up_line(call, serial); });
}

void SimLedger::give_up_line(Call* call, std::uint64_t serial) {
  const bool still_waits = call->serial == serial && call->waits_for;
  if (!still_waits) return;
  std::erase(lines_[call->waits_for], call);
  call->waits_for = UserId{};
  ++call->next_wanted;
  take_locks(call);
}

/// Who waits for whom, until it ends or comes back.
void SimLedger::look_for_deadlock(const Call* call) {
  const Call* other = call;
  for (std::size_t steps = 0; steps < calls_.size(); ++steps) {
    if (!other->waits_for) return;
    other = holders_[other->waits_for.value];
    if (!other) return;
    if (other == call) return examiner_.deadlock(call->waits_for, scheduler_.now());
  }
}

void SimLedger::work(Call* call) {
  // It may have stood in line before it holds them for long.
  if (call->inside > ordinary)
    for (const UserId user : call->held)
      examiner_.disturbed(user, scheduler_.now() + call->inside + catching_up);
  scheduler_.in(call->inside, [this, call] { commit(call); });
}

// ---- COMMIT

void SimLedger::commit(Call* call) {
  const bool is_lost = call->loss == Loss::before_commit || call->crashes != crashes_;
  if (!is_lost) apply(*call);
  release(call);
  if (is_lost) return fail(call, away_ != Away::no ? away_ : call->loses_how);
  const Away cut_off = away_for_node_[static_cast<std::size_t>(call->sender.node)];
  const bool loses_answer = call->loss == Loss::after_commit || cut_off != Away::no;
  if (loses_answer || call->back > ordinary)
    for (const ChargeRequest& request : call->charges) examiner_.answer_is_missing(request.session);
  if (loses_answer) return fail(call, cut_off != Away::no ? cut_off : call->loses_how);
  scheduler_.in(call->back, [this, call] { answer(call, Fate::done); });
}

bool SimLedger::has_lock_on(const Call& call, UserId user) const {
  return holders_[user.value] == &call;
}

void SimLedger::apply(Call& call) {
  const MonotonicTime now = scheduler_.now();
  call.life_is_over = !call.charges.empty() && tables_.is_life_over(call.sender);
  if (call.life_is_over) return;
  const bool is_blind = scenario_.sabotage == Sabotage::stale_balance;
  for (std::size_t i = 0; i < call.charges.size(); ++i) {
    const ChargeRequest& request = call.charges[i];
    if (!has_lock_on(call, request.user) && !is_blind) {
      call.charge_results.push_back({.outcome = Outcome::later, .amount = {}, .balance = {}});
      continue;
    }
    const auto seen = call.balances_seen.empty() ? std::nullopt : call.balances_seen[i];
    call.charge_results.push_back(tables_.charge(call.sender, request, seen, now));
  }
  for (const EndRequest& request : call.ends) {
    const bool is_free = has_lock_on(call, request.user);
    if (is_free) tables_.end(request, call.sender.error, now);
    call.end_results.push_back({is_free ? EndOutcome::ended : EndOutcome::later, {}});
  }
  const auto is_free = [&](UserId user) { return has_lock_on(call, user); };
  if (call.lost) call.portion = tables_.end_lost_sessions(*call.lost, call.sender, is_free, now);
  if (call.act) call.act(tables_, now);
}

void SimLedger::release(Call* call) {
  for (const UserId user : call->held) {
    holders_[user.value] = nullptr;
    const auto line = lines_.find(user);
    if (line == lines_.end()) continue;
    if (line->second.empty()) {
      lines_.erase(line);
      continue;
    }
    Call* const next = line->second.front();
    line->second.pop_front();
    next->waits_for = UserId{};
    holders_[user.value] = next;
    next->held.push_back(user);
    ++next->next_wanted;
    scheduler_.in(0ns, [this, next] { take_locks(next); });
  }
  call->held.clear();
}

void SimLedger::answer(Call* call, Fate fate) {
  const bool is_done = fate == Fate::done;
  if (call->charged) {
    using Result = billing::LedgerResult<std::vector<ChargeResult>>;
    const LedgerError error = is_done ? billing::life_is_over() : unavailable();
    const bool is_answered = is_done && !call->life_is_over;
    call->charged(is_answered ? Result(std::move(call->charge_results)) : Result(error));
  }
  if (call->ended) {
    using Result = billing::LedgerResult<std::vector<billing::EndResult>>;
    call->ended(is_done ? Result(std::move(call->end_results)) : Result(unavailable()));
  }
  if (call->taken_over) {
    using Result = billing::LedgerResult<billing::LostPortion>;
    call->taken_over(is_done ? Result(call->portion) : Result(unavailable()));
  }
  if (call->done) call->done(fate);
  free(call);
}

// ---- trouble

void SimLedger::begin_outage(Away how) {
  away_ = how;
  ++crashes_;
}

void SimLedger::end_outage() {
  away_ = Away::no;
}

void SimLedger::begin_partition(NodeNumber node, Away how) {
  away_for_node_[static_cast<std::size_t>(node)] = how;
}

void SimLedger::end_partition(NodeNumber node) {
  away_for_node_[static_cast<std::size_t>(node)] = Away::no;
}

void SimLedger::hold(UserId user, std::chrono::nanoseconds time) {
  if (holders_[user.value]) return;
  Call* const holder = new_call({});
  holder->wanted.push_back(user);
  take_lock(holder, 0);
  examiner_.disturbed(user, scheduler_.now() + time + catching_up);
  scheduler_.in(time, [this, holder] {
    release(holder);
    free(holder);
  });
}

}  // namespace payg::simulation
