#include "billing/biller.h"

#include <algorithm>
#include <iterator>

namespace payg::billing {
namespace {

/// A user who is locked for a moment is found free by then; who is not stands in line while there is time
/// left to cut his session, if it comes to that.
constexpr unsigned tries_before_the_line = 3;

/// `first`, twice as long for each time before, up to `longest`.
std::chrono::nanoseconds backed_off(std::chrono::milliseconds first, unsigned times,
                                    std::chrono::milliseconds longest) {
  constexpr unsigned most_doublings = 16;
  return std::min(first * (1 << std::min(times, most_doublings)), longest);
}

}  // namespace

Biller::Biller(SessionTable& table, const Terms& terms, const BillerSettings& settings)
    : table_(table), settings_(settings) {
  set_terms(terms);
}

Biller::~Biller() = default;

void Biller::set_terms(const Terms& terms) {
  if (terms_.empty() || terms_.back() != terms) terms_.push_back(terms);
  longest_increment_ = std::max(longest_increment_, terms.increment);
}

std::chrono::milliseconds Biller::outage_grace() const {
  auto grace = settings_.outage_grace;
  if (settings_.lease) grace = std::min(grace, *settings_.lease - shortest_lease_slack - longest_increment_);
  return std::max(grace, BillerSettings::least_outage_grace);
}

// ---- one session

/// The one place where a meter moves; everything that follows from the move is done here.
template <class Transition>
void Biller::change(Session& session, const Moment& moment, Transition transition) {
  Meter& meter = *session.meter;
  const bool was_live = meter.is_live();
  const std::uint32_t owed = meter.owed();
  const MonotonicTime deadline = meter.deadline();
  const Recording kept = recorded_and_owed(session);
  transition(meter);

  counters_.charges_owed += meter.owed();
  counters_.charges_owed -= owed;
  settle(kept, session);
  if (meter.owed() > owed) owes_more(session);
  if (owed == 0 && meter.owed() > 0) charges_.free.waiting.push_back({session.handle});
  if (meter.is_live()) {
    if (meter.deadline() != deadline) table_.watch(session, meter.deadline());
    permit(session);
    return schedule(session);
  }
  if (was_live) stop_relaying(session);
  if (meter.state() == Meter::State::ended) conclude(session, moment);
}

void Biller::start(plugin::SessionHandle handle, MonotonicTime at) {
  Session* session = table_.find(handle);
  if (session && !session->meter) begin_metering(*session, at);
}

void Biller::begin_metering(Session& session, MonotonicTime at) {
  session.meter.emplace(at, terms_.back());
  table_.meter(session, session.meter->deadline());
  session.recorded = 0;
  charges_.free.waiting.push_back({session.handle});
  ++counters_.sessions_started;
  ++counters_.sessions_live;
  ++counters_.charges_owed;
  owes_more(session);
  permit(session);
  schedule(session);
}

void Biller::schedule(Session& session) {
  const MonotonicTime next = std::min(session.meter->deadline(), session.meter->outage_limit(outage_grace()));
  if (next == session.queued_for) return;
  session.queued_for = next;
  deadlines_.push({next, session.handle});
}

void Biller::stop_relaying(Session& session) {
  --counters_.sessions_live;
  session.queued_for = MonotonicTime::max();
  const bool leaves_nothing = session.meter->state() == Meter::State::ended;
  if (leaves_nothing && session.meter->why() == EndReason::idle)
    return;  // its stay may go on: see conclude()
  session.traffic.relay_until.store(MonotonicTime::min(), std::memory_order_relaxed);
  table_.close(session);
  cuts_.push_back({session.handle, session.meter->why()});
}

void Biller::conclude(Session& session, const Moment& moment) {
  const EndReason why = session.meter->why();
  const MonotonicTime at = why == EndReason::idle ? session.meter->deadline() : moment.now;
  // What found no room has no row. Nor is it an end that others of his wait for: they would for each other.
  if (why != EndReason::too_many) {
    ends_.free.waiting.push_back(
        {.end = {.user = session.user, .session = session.id, .why = why, .at = moment.wall_at(at)}});
    table_.end_is_under_way(session.user);
  }
  ++counters_.sessions_ended;
  session.meter.reset();

  const bool was_closed = !table_.is_live(session.id);
  if (was_closed) return table_.release(session);
  const auto after = table_.end_idle(session);
  if (after.next == SessionTable::AfterIdle::Next::came_back) begin_metering(session, after.came_back_at);
}

// ---- what happened

void Biller::end(SessionId id, EndReason why, const Moment& moment) {
  Session* session = table_.find_metered(id);
  if (session) change(*session, moment, [why](Meter& meter) { meter.cut(why); });
}

void Biller::end_user(UserId user, EndReason why, const Moment& moment) {
  for (Session* session : table_.metered_sessions(user))
    change(*session, moment, [why](Meter& meter) { meter.cut(why); });
}

void Biller::end_all(EndReason why, const Moment& moment) {
  for (Session* session : table_.metered_sessions(std::nullopt))
    change(*session, moment, [why](Meter& meter) { meter.cut(why); });
}

void Biller::wake(const Moment& moment) {
  const MonotonicTime before = std::exchange(awake_at_, moment.now).value_or(moment.now);
  if (settings_.lease && moment.now - before > *settings_.lease) lose_what_is_live(moment);
}

/// Nothing of it is asked for any more.
void Biller::lose_what_is_live(const Moment& moment) {
  for (Session* session : table_.metered_sessions(std::nullopt)) {
    if (session->meter->is_live())
      change(*session, moment, [](Meter& meter) { meter.fenced(EndReason::node_lost); });
  }
}

void Biller::advance(const Moment& moment) {
  // Who had been let in before the door was closed: no life of this node has sold him anything, nor will.
  if (life_is_over_ && counters_.sessions_live > 0) lose_what_is_live(moment);
  give_up_on_spool(moment);
  while (!deadlines_.empty() && deadlines_.top().at <= moment.now) {
    const Deadline due = deadlines_.top();
    deadlines_.pop();
    Session* session = table_.find(due.session);
    const bool counts = session && session->meter && session->queued_for == due.at;
    if (!counts) continue;
    session->queued_for = MonotonicTime::max();
    catch_up(*session, moment);
  }
}

/// One step; change() queues the next one, which advance() takes at once when it is due as well.
void Biller::catch_up(Session& session, const Moment& moment) {
  const MonotonicTime limit = session.meter->outage_limit(outage_grace());
  if (limit <= moment.now && limit <= session.meter->deadline()) {
    return change(session, moment, [](Meter& meter) { meter.cut(EndReason::unavailable); });
  }
  if (session.meter->deadline() > moment.now) {
    permit(session);  // the grace has become longer
    return schedule(session);
  }
  const AtDeadline who = table_.at_watched(session);
  change(session, moment, [&](Meter& meter) { meter.reach_deadline(who, terms_.back()); });
}

// ---- the ledger

std::vector<ChargeRequest> Biller::take_charges(const Moment& moment, Turn turn) {
  bring_back_postponed(charges_, moment);
  std::vector<ChargeRequest> charges;
  Lane<Due>& lane = charges_.of(turn);
  if (moment.now < lane.next() || life_is_over_) return charges;
  for (; !lane.waiting.empty() && charges.size() < most_at_once(turn); lane.waiting.pop_front()) {
    const Due due = lane.waiting.front();
    Session* session = table_.find(due.session);
    if (!session || !session->meter || session->meter->owed() == 0) continue;
    lane.under_way.push_back(due);
    charges.push_back(request_for(*session, session->meter->next_number(), moment));
    charges.back().turn = turn;
  }
  if (!charges.empty()) ++counters_.charge_batches;
  return charges;
}

std::vector<EndRequest> Biller::take_ends(const Moment& moment, Turn turn) {
  bring_back_postponed(ends_, moment);
  std::vector<EndRequest> ends;
  Lane<DueEnd>& lane = ends_.of(turn);
  if (moment.now < lane.next() || charges_are_tried_first()) return ends;
  for (; !lane.waiting.empty() && ends.size() < most_at_once(turn); lane.waiting.pop_front()) {
    lane.under_way.push_back(lane.waiting.front());
    ends.push_back(lane.waiting.front().end);
    ends.back().turn = turn;
  }
  return ends;
}

template <class Item>
void Biller::bring_back_postponed(Lanes<Item>& lanes, const Moment& moment) {
  const auto end = lanes.postponed.upper_bound(moment.now);
  for (auto it = lanes.postponed.begin(); it != end; ++it) {
    const Turn turn = it->second.tries < tries_before_the_line ? Turn::if_free : Turn::in_line;
    lanes.of(turn).waiting.push_back(std::move(it->second));
  }
  lanes.postponed.erase(lanes.postponed.begin(), end);
}

template <class Item>
void Biller::postpone(Lanes<Item>& lanes, Item item, const Moment& moment) {
  const auto pause = backed_off(settings_.first_pause, item.tries, settings_.longest_pause);
  ++item.tries;
  lanes.postponed.emplace(moment.now + pause, std::move(item));
}

ChargeRequest Biller::request_for(const Session& session, std::uint32_t number, const Moment& moment) const {
  const Meter& meter = *session.meter;
  ChargeRequest request{.user = session.user,
                        .session = session.id,
                        .number = number,
                        .price = meter.terms().price,
                        .increment = meter.terms().increment,
                        .rate = meter.terms().rate,
                        .from = moment.wall_at(meter.begin_of(number)),
                        .label = {},
                        .exit = {}};
  if (number == 1) {
    request.label = session.label;
    request.exit = table_.exit_of(session);
    request.session_limit = settings_.session_limit;
  }
  return request;
}

void Biller::on_charges(const LedgerResult<std::vector<ChargeResult>>& answer, const Moment& moment,
                        Turn turn) {
  std::vector<Due> asked = std::exchange(charges_.of(turn).under_way, {});
  if (turn == Turn::if_free)
    charges_find_no_ledger_ = !answer.ok() && answer.error().code == LedgerError::Code::unavailable;
  if (!answer.ok() && answer.error().code == LedgerError::Code::life_is_over) {
    life_is_over_ = true;
    end_all(EndReason::node_lost, moment);
  }
  if (!answer.ok() || answer->size() != asked.size()) {
    charges_.take_back(std::move(asked), turn, moment.now + pause_after_failure(charges_.of(turn).failures));
    return advance(moment);
  }
  charges_.of(turn).failures = 0;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    Session* session = table_.find(asked[i].session);
    if (!session || !session->meter) continue;
    const ChargeResult& result = (*answer)[i];
    // A session of his that is over may still count, until the ledger knows.
    const bool later =
        result.outcome == ChargeResult::Outcome::later ||
        (result.outcome == ChargeResult::Outcome::too_many && table_.has_end_under_way(session->user));
    later ? postpone(charges_, asked[i], moment) : apply(*session, result, moment);
  }
  advance(moment);
}

void Biller::apply(Session& session, const ChargeResult& result, const Moment& moment) {
  const plugin::SessionHandle handle = session.handle;
  switch (result.outcome) {
    case ChargeResult::Outcome::granted:
      ++counters_.charges;
      counters_.charged_units += static_cast<std::uint64_t>(result.amount.units());
      note_latency(moment.now - session.meter->next_begin());
      change(session, moment, [&](Meter& meter) { meter.granted(result.grant); });
      break;
    case ChargeResult::Outcome::exhausted:
      counters_.charged_units += static_cast<std::uint64_t>(result.amount.units());
      change(session, moment, [](Meter& meter) { meter.exhausted(); });
      break;
    case ChargeResult::Outcome::fenced:
      change(session, moment, [](Meter& meter) { meter.fenced(EndReason::requested); });
      break;
    case ChargeResult::Outcome::too_many:
      change(session, moment, [](Meter& meter) { meter.fenced(EndReason::too_many); });
      break;
    case ChargeResult::Outcome::later: break;  // see postpone()
  }
  Session* left = table_.find(handle);  // it may have ended and be gone
  if (left && left->meter && left->meter->owed() > 0) charges_.free.waiting.push_back({handle});
}

void Biller::on_ends(const LedgerResult<std::vector<EndResult>>& answer, const Moment& moment, Turn turn) {
  std::vector<DueEnd> asked = std::exchange(ends_.of(turn).under_way, {});
  if (!answer.ok() || answer->size() != asked.size())
    return ends_.take_back(std::move(asked), turn, moment.now + pause_after_failure(ends_.of(turn).failures));
  ends_.of(turn).failures = 0;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    (*answer)[i].outcome == EndOutcome::later ? postpone(ends_, std::move(asked[i]), moment)
                                              : table_.end_is_known(asked[i].end.user);
  }
}

std::chrono::nanoseconds Biller::pause_after_failure(unsigned failures) const {
  return backed_off(settings_.retry_after, failures, settings_.longest_retry);
}

// ---- the spool

void Biller::owes_more(const Session& session) {
  const MonotonicTime begin = session.meter->begin_of(session.meter->last_number());
  unrecorded_.push_back({begin + settings_.record_after, session.handle});
}

std::uint32_t Biller::first_unrecorded(const Session& session) const {
  return std::max(session.recorded + 1, session.meter->next_number());
}

void Biller::permit(Session& session) const {
  const Meter& meter = *session.meter;
  MonotonicTime until = meter.deadline() + settings_.deadline_slack;
  if (meter.owed() > 0)
    until = std::min(until, meter.outage_limit(outage_grace()) + settings_.deadline_slack);
  if (meter.owed() > 0 && first_unrecorded(session) <= meter.last_number())
    until = std::min(until, meter.begin_of(first_unrecorded(session)) + settings_.unrecorded_limit);
  session.traffic.relay_until.store(until, std::memory_order_relaxed);
}

std::vector<ChargeRequest> Biller::take_unrecorded(const Moment& moment) {
  std::vector<ChargeRequest> charges;
  if (moment.now < next_recording()) return charges;
  for (; !unrecorded_.empty() && unrecorded_.front().at <= moment.now; unrecorded_.pop_front()) {
    if (recording_.size() == settings_.max_records) break;
    const Session* session = table_.find(unrecorded_.front().session);
    if (!session || !session->meter || session->meter->owed() == 0) continue;
    const Recording due{session->handle, session->user, session->id, first_unrecorded(*session),
                        session->meter->last_number()};
    if (due.first > due.last) continue;
    recording_.push_back(due);
    for (std::uint32_t number = due.first; number <= due.last; ++number)
      charges.push_back(request_for(*session, number, moment));
  }
  if (!recording_.empty()) judge_recording_at_ = moment.now + settings_.longest_hold;
  return charges;
}

void Biller::on_recorded(Recorded outcome, const Moment& moment) {
  const std::vector<Recording> written = std::exchange(recording_, {});
  judge_recording_at_ = MonotonicTime::max();
  recording_hangs_ = false;
  if (outcome == Recorded::safe) {
    for (const Recording& recording : written) keep(recording);
    return;
  }
  record_not_before_ = moment.now + settings_.record_again_after;
  for (const Recording& recording : written) {
    unrecorded_.push_front({moment.now, recording.handle});
    give_up_if_too_late(recording.handle, moment);
  }
}

void Biller::give_up_on_spool(const Moment& moment) {
  if (moment.now < judge_recording_at_) return;
  recording_hangs_ = true;
  // And again for those that fall due while it hangs on.
  judge_recording_at_ = moment.now + settings_.record_again_after;
  for (const Recording& recording : recording_) give_up_if_too_late(recording.handle, moment);
  for (const Unrecorded& due : unrecorded_) give_up_if_too_late(due.session, moment);
  // What the ledger has answered need not be written when the disk is back, which may be in a day.
  std::erase_if(unrecorded_, [this](const Unrecorded& due) {
    const Session* session = table_.find(due.session);
    return !session || !session->meter || session->meter->owed() == 0;
  });
}

void Biller::keep(const Recording& written) {
  Session* session = table_.find(written.handle);
  const bool is_metered = session && session->meter && session->id == written.session;
  for (std::uint32_t number = written.first; number <= written.last; ++number) {
    const bool is_owed = is_metered && session->meter->owed() > 0 &&
                         number >= session->meter->next_number() && number <= session->meter->last_number();
    if (!is_owed) {
      settled_.push_back({written.user, written.session, number});
    } else if (number > session->recorded) {
      session->recorded = number;
      ++counters_.charges_spooled;
    }
  }
  if (is_metered && session->meter->is_live()) permit(*session);
}

/// A cut adds nothing to what waits to be written, so its callers may go through that.
void Biller::give_up_if_too_late(plugin::SessionHandle handle, const Moment& moment) {
  Session* session = table_.find(handle);
  if (!session || !session->meter || !session->meter->is_live() || session->meter->owed() == 0) return;
  const std::uint32_t first = first_unrecorded(*session);
  if (first > session->meter->last_number()) return;
  if (session->meter->begin_of(first) + settings_.unrecorded_limit > moment.now) return;
  change(*session, moment, [](Meter& meter) { meter.cut(EndReason::unavailable); });
}

Biller::Recording Biller::recorded_and_owed(const Session& session) const {
  Recording kept{.handle = session.handle, .user = session.user, .session = session.id};
  const Meter& meter = *session.meter;
  if (meter.owed() == 0) return kept;
  kept.first = meter.next_number();
  kept.last = std::min(session.recorded, meter.last_number());
  return kept;
}

/// Of what was owed and kept before the meter moved, the charges that are owed no more.
void Biller::settle(const Recording& before, Session& session) {
  const Meter& meter = *session.meter;
  const bool owes = meter.owed() > 0;
  const std::uint32_t last = owes ? std::min(before.last, meter.next_number() - 1) : before.last;
  for (std::uint32_t number = before.first; number <= last; ++number) {
    settled_.push_back({before.user, before.session, number});
    --counters_.charges_spooled;
  }
  if (!owes) session.recorded = 0;
}

// ---- what to do

MonotonicTime Biller::next_deadline() const {
  const MonotonicTime deadline = deadlines_.empty() ? MonotonicTime::max() : deadlines_.top().at;
  const MonotonicTime charging = life_is_over_ ? MonotonicTime::max() : charges_.next();
  return std::min({deadline, charging, charges_are_tried_first() ? MonotonicTime::max() : ends_.next(),
                   next_recording(), judge_recording_at_, next_sign_of_being_awake()});
}

/// Else an increment in which nothing fell due would pass for sleep.
MonotonicTime Biller::next_sign_of_being_awake() const {
  const bool may_be_lost = settings_.lease && awake_at_ && counters_.sessions_live > 0;
  return may_be_lost ? *awake_at_ + settings_.awake_interval : MonotonicTime::max();
}

MonotonicTime Biller::next_recording() const {
  if (!recording_.empty() || unrecorded_.empty()) return MonotonicTime::max();
  return std::max(unrecorded_.front().at, record_not_before_);
}

std::uint64_t Biller::unsettled() const {
  return counters_.sessions_started - counters_.sessions_ended + ends_.size();
}

void Biller::note_latency(std::chrono::nanoseconds latency) {
  LatencyHistogram& histogram = counters_.charge_latency;
  const double seconds = std::chrono::duration<double>(latency).count();
  const auto bound = std::lower_bound(histogram.bounds_s.begin(), histogram.bounds_s.end(), seconds);
  ++histogram.counts[static_cast<std::size_t>(std::distance(histogram.bounds_s.begin(), bound))];
  histogram.sum_s += seconds;
}

}  // namespace payg::billing
