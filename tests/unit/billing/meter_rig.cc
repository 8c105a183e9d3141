#include "tests/unit/billing/meter_rig.h"

#include <algorithm>

namespace payg::test {
namespace {

constexpr std::size_t many_sessions = 2'000'000;

billing::LedgerError away() {
  return {billing::LedgerError::Code::unavailable, "away"};
}

}  // namespace

Charged MapTill::charge(const std::vector<billing::ChargeRequest>& requests) {
  ++batches;
  if (mood == Mood::away) return away();
  if (mood == Mood::selling_to_another_life)
    return billing::LedgerError{billing::LedgerError::Code::life_is_over, "the test says so"};
  std::vector<billing::ChargeResult> results;
  for (const auto& request : requests) results.push_back(charge_one(request));
  if (mood == Mood::losing_answers) return away();
  return results;
}

Ended MapTill::end(const std::vector<billing::EndRequest>& requests) {
  if (mood == Mood::away) return away();
  std::vector<billing::EndResult> results;
  for (const auto& request : requests) {
    const bool is_later = is_locked(request.user, request.turn);
    if (!is_later) ends.push_back(request);
    if (!is_later) live_.erase({request.user, request.session});
    results.push_back({is_later ? billing::EndOutcome::later : billing::EndOutcome::ended, {}});
  }
  if (mood == Mood::losing_answers) return away();
  return results;
}

bool MapTill::is_locked(UserId user, billing::Turn turn) const {
  return locked.contains(user) || (in_a_crowd.contains(user) && turn == billing::Turn::if_free);
}

billing::ChargeResult MapTill::charge_one(const billing::ChargeRequest& request) {
  if (is_locked(request.user, request.turn)) {
    billing::ChargeResult later;
    later.outcome = billing::ChargeResult::Outcome::later;
    return later;
  }
  Row& row = rows_[request.session];
  if (request.number == row.number) return row.result;
  const auto is_his = [&](const auto& live) { return live.first == request.user; };
  if (request.session_limit > 0 &&
      std::count_if(live_.begin(), live_.end(), is_his) >= request.session_limit) {
    billing::ChargeResult too_many;
    too_many.outcome = billing::ChargeResult::Outcome::too_many;
    return too_many;
  }
  live_.insert({request.user, request.session});
  Credits& balance = balances[request.user];
  const auto bought = billing::purchase(balance, request.price, request.increment, request.rate);
  balance = *balance.minus(bought.amount);
  charges.push_back(request);
  grants[{request.session, request.number}] = bought.grant;
  amounts.emplace_back(request.user, bought.amount.units());
  using Outcome = billing::ChargeResult::Outcome;
  const Outcome outcome = bought.grant.count() > 0 ? Outcome::granted : Outcome::exhausted;
  row = {request.number, {outcome, bought.amount, bought.grant, balance}};
  return row.result;
}

MeterRig::MeterRig(Till& the_till, const Terms& terms, const BillerSettings& settings)
    : till(the_till), table(many_sessions, 1), biller(table, terms, settings) {}

plugin::SessionHandle MeterRig::admit(UserId user, std::string_view label) {
  return table.join(user, label, {})->session;
}

void MeterRig::establish(plugin::SessionHandle session) {
  if (table.opened(session, "direct", clock.now()) == SessionTable::Opened::first)
    biller.start(session, clock.now());
  step();
}

plugin::SessionHandle MeterRig::connect(UserId user, std::string_view label) {
  const auto session = admit(user, label);
  establish(session);
  return session;
}

void MeterRig::write_spool() {
  using Recorded = Biller::Recorded;
  for (const auto& key : biller.take_settled()) spool.kept.erase(key);
  const auto charges = biller.take_unrecorded(moment());
  if (!charges.empty()) {
    ++spool.writes;
    for (const auto& charge : charges) {
      if (spool.mood == ListSpool::Mood::writing)
        spool.kept.insert_or_assign({charge.user, charge.session, charge.number}, charge);
    }
    if (spool.mood != ListSpool::Mood::silent)
      biller.on_recorded(spool.mood == ListSpool::Mood::writing ? Recorded::safe : Recorded::lost, moment());
  }
}

void MeterRig::step() {
  biller.wake(moment());
  biller.advance(moment());
  bool has_asked = true;
  while (has_asked) {
    has_asked = false;
    for (const auto turn : {billing::Turn::if_free, billing::Turn::in_line}) {
      if (const auto charges = biller.take_charges(moment(), turn); !charges.empty()) {
        biller.on_charges(till.charge(charges), moment(), turn);
        has_asked = true;
      }
      if (const auto ends = biller.take_ends(moment(), turn); !ends.empty()) {
        biller.on_ends(till.end(ends), moment(), turn);
        has_asked = true;
      }
    }
  }
  write_spool();
  for (const Cut& cut : biller.take_cuts()) cuts_.push_back({cut, clock.now()});
}

void MeterRig::run_until(MonotonicTime end) {
  step();
  for (auto next = biller.next_deadline(); next <= end; next = biller.next_deadline()) {
    clock.set(std::max(next, clock.now()));
    step();
  }
  clock.set(end);
}

void MeterRig::run_dry() {
  step();
  for (auto next = biller.next_deadline(); next != MonotonicTime::max(); next = biller.next_deadline())
    run_until(std::max(next, clock.now()));
}

std::optional<EndReason> MeterRig::cut(plugin::SessionHandle session) const {
  const auto seen =
      std::find_if(cuts_.begin(), cuts_.end(), [&](const CutSeen& c) { return c.cut.session == session; });
  return seen == cuts_.end() ? std::nullopt : std::optional(seen->cut.why);
}

std::optional<MonotonicTime> MeterRig::cut_at(plugin::SessionHandle session) const {
  const auto seen =
      std::find_if(cuts_.begin(), cuts_.end(), [&](const CutSeen& c) { return c.cut.session == session; });
  return seen == cuts_.end() ? std::nullopt : std::optional(seen->at);
}

}  // namespace payg::test
