#include "tests/simulation/examiner.h"

#include <algorithm>

namespace payg::simulation {
namespace {

using namespace std::chrono_literals;
using billing::EndReason;

// Longer than any outage, and what is settled after it.
constexpr auto memory = 6h;
// An ordinary answer's, from COMMIT on.
constexpr auto answer_time = 60ms;
// Between telling the proxy and its having closed the connections.
constexpr auto closing_time = 50ms;

}  // namespace

Examiner::Examiner(const Scenario& scenario, Journal& journal)
    : scenario_(scenario), journal_(journal), nodes_(scenario.nodes) {
  std::uint64_t last = 0;
  for (const UserId user : scenario.users) last = std::max(last, user.value);
  users_.resize(last + 1);
  terms_.push_back({scenario.terms, MonotonicTime(), MonotonicTime(std::chrono::hours(1'000'000))});
  dearest_ = scenario.terms.rate.thousandths();
}

void Examiner::report(Law law, MonotonicTime at, UserId user, billing::SessionId session, std::string what) {
  if (!finding_) finding_ = Finding{law, std::move(what), at, user, session};
}

// ---- who was there when

std::optional<std::uint32_t> Examiner::find(const StayName& name) const {
  for (const std::uint32_t place : users_[name.user.value].stays)
    if (stays_[place].name == name) return place;
  return std::nullopt;
}

std::uint32_t Examiner::place_of(const StayName& name, Label label) {
  if (const auto found = find(name)) return *found;
  if (free_stays_.empty()) {
    free_stays_.push_back(static_cast<std::uint32_t>(stays_.size()));
    stays_.emplace_back();
  }
  const std::uint32_t place = free_stays_.back();
  free_stays_.pop_back();
  stays_[place] = Stay{};
  stays_[place].name = name;
  stays_[place].label = label;
  book_of(name.user).stays.push_back(place);
  return place;
}

/// One that closed at that very moment was not open, one that opened at it was.
bool Examiner::was_open(const Stay& stay, MonotonicTime at) {
  for (auto change = stay.changes.rbegin(); change != stay.changes.rend(); ++change)
    if (change->at <= at) return change->open > 0;
  return false;
}

void Examiner::note_change(Stay& stay, std::uint32_t open, MonotonicTime at) {
  constexpr std::size_t many = 512;
  if (stay.changes.size() >= many) {
    const auto old = std::partition_point(stay.changes.begin(), stay.changes.end(),
                                          [&](const Change& c) { return c.at < at - memory; });
    stay.changes.erase(stay.changes.begin(), old);
  }
  if (stay.open == 0 && open > 0) stay.open_since = at;
  if (open == 0) stay.relay_until = nullptr;
  stay.open = open;
  stay.changes.push_back({at, open});
}

void Examiner::forget_old_stays(UserBook& user, MonotonicTime at) {
  std::erase_if(user.stays, [&](std::uint32_t place) {
    Stay& stay = stays_[place];
    const bool is_old =
        stay.open == 0 && stay.changes.back().at < at - memory && stay.covered_until < at - memory;
    if (!is_old) return false;
    stay = Stay{};
    stay.is_free = true;
    free_stays_.push_back(place);
    return true;
  });
}

void Examiner::opened(const StayName& name, Label label, const std::atomic<MonotonicTime>& relay_until,
                      MonotonicTime at) {
  journal_.note({.at = at,
                 .what = "connection established",
                 .node = name.node,
                 .user = name.user,
                 .number = name.handle.value});
  if (book_of(name.user).stays.size() > 8) forget_old_stays(book_of(name.user), at);
  Stay& stay = stays_[place_of(name, label)];
  note_change(stay, stay.open + 1, at);
  stay.relay_until = &relay_until;
}

void Examiner::closed(const StayName& name, MonotonicTime at) {
  journal_.note({.at = at,
                 .what = "connection closed",
                 .node = name.node,
                 .user = name.user,
                 .number = name.handle.value});
  const auto place = find(name);
  if (!place) return;
  check_overrun(stays_[*place], at);
  check_reach(stays_[*place], at);
  note_change(stays_[*place], stays_[*place].open - 1, at);
}

void Examiner::told_to_close(const StayName& name, EndReason why, MonotonicTime at) {
  journal_.note({.at = at,
                 .what = "cut",
                 .node = name.node,
                 .user = name.user,
                 .number = name.handle.value,
                 .detail = billing::name_of(why)});
  const auto place = find(name);
  if (!place) return;
  Stay& stay = stays_[*place];
  check_overrun(stay, at);
  check_reach(stay, at);
  check_cause(stay, why, at);
  stay.told_at = std::min(stay.told_at, at);
}

// ---- in time

bool Examiner::is_relaying(const Stay& stay) const {
  const NodeBook& node = nodes_[index(stay.name.node)];
  return !stay.is_free && stay.open > 0 && stay.told_at == MonotonicTime::max() && !node.paused &&
         node.life == stay.name.life;
}

MonotonicTime Examiner::excused_until(const Stay& stay) const {
  const NodeBook& node = nodes_[index(stay.name.node)];
  return std::max({node.disturbed_until, node.continued_at, users_[stay.name.user.value].disturbed_until});
}

/// I5 and rule 7: how far a stay with connections relays beyond what was paid for it.
void Examiner::check_overrun(const Stay& stay, MonotonicTime at) {
  if (!is_relaying(stay)) return;
  check_permit(stay, at);
  const MonotonicTime since = std::max(stay.covered_until, stay.open_since);
  const bool is_held = stay.relay_until->load(std::memory_order_relaxed) < at;
  if (at - since <= allowance || is_held) return;
  const auto session = stay.session ? sessions_[*stay.session].id : billing::SessionId{};
  const MonotonicTime continued_at = nodes_[index(stay.name.node)].continued_at;
  const std::string beyond =
      std::to_string((at - since) / 1ms) + " ms beyond what was paid for, which ended at " + show_time(since);
  if (at > std::max(since + scenario_.outage_grace, continued_at) + allowance)
    report(Law::outage, at, stay.name.user, session, "relayed, without an answer, " + beyond);
  if (at > excused_until(stay) + allowance)
    report(Law::cut_in_time, at, stay.name.user, session, "relayed while the ledger answered, " + beyond);
}

/// No byte moves on credit that a crash would forget.
void Examiner::check_permit(const Stay& stay, MonotonicTime at) {
  const MonotonicTime until = stay.relay_until->load(std::memory_order_relaxed);
  const MonotonicTime sure = std::max({stay.covered_until, stay.kept_until, stay.open_since});
  // Nothing was permitted yet to a session that begins.
  if (until == MonotonicTime::max() && at - stay.open_since < allowance) return;
  if (until > sure + unkept_limit + std::chrono::milliseconds(5))
    report(Law::paid_or_kept, at, stay.name.user, {},
           "bytes are permitted until " + show_time(until) + ", and paid or kept until " + show_time(sure));
}

/// A session that ended elsewhere, or a user who was disabled: his node hears of it and cuts.
void Examiner::check_reach(const Stay& stay, MonotonicTime at) {
  if (!is_relaying(stay) || !stay.session) return;
  const SessionBook& session = sessions_[*stay.session];
  const UserBook& user = users_[stay.name.user.value];
  const bool is_excused = at <= excused_until(stay) + reach;
  const bool has_ended = session.ended_at != MonotonicTime::max() && stay.open_since < session.ended_at &&
                         at > session.ended_at + reach;
  if (has_ended && !is_excused)
    report(Law::nothing_after_end, at, stay.name.user, session.id,
           "relayed after its end, which was written at " + show_time(session.ended_at));
  const bool is_disabled = user.disabled_at != MonotonicTime::max() && at > user.disabled_at + reach &&
                           stay.open_since + reach < at;
  if (is_disabled && !is_excused)
    report(Law::nothing_after_end, at, stay.name.user, session.id,
           "relayed for a user who was disabled at " + show_time(user.disabled_at));
}

/// Where the increment begins of which its node knows nothing.
MonotonicTime Examiner::unanswered_since(const Stay& stay, MonotonicTime at) const {
  if (!stay.session) return stay.changes.front().at;
  const SessionBook& session = sessions_[*stay.session];
  const MonotonicTime last_begin = session.paid_until - session.last_grant;
  const bool is_on_its_way = at - session.committed_at < answer_time;
  return session.is_unheard || is_on_its_way ? last_begin : session.paid_until;
}

void Examiner::check_cause(const Stay& stay, EndReason why, MonotonicTime at) {
  const UserBook& user = users_[stay.name.user.value];
  const NodeBook& node = nodes_[index(stay.name.node)];
  const SessionBook* session = stay.session ? &sessions_[*stay.session] : nullptr;
  const bool was_ended = session && (session->ended_at <= at || end_asked_.contains(session->id));
  const bool was_disabled = user.was_disabled_at != MonotonicTime::min();
  const auto cut = [&](std::string_view what) {
    report(Law::no_cut_without_cause, at, stay.name.user, session ? session->id : billing::SessionId{},
           std::string(what));
  };
  switch (why) {
    case EndReason::exhausted:
      if (user.was_empty_at < stay.covered_until) cut("cut as exhausted, and the balance was not");
      break;
    case EndReason::unavailable:
      // What cannot be kept goes on for a moment only.
      if (at + rounding < unanswered_since(stay, at) + scenario_.outage_grace && at > node.disk_broken_until)
        report(Law::outage, at, stay.name.user, session ? session->id : billing::SessionId{},
               "cut as unavailable before outage_grace was over");
      break;
    case EndReason::requested:
      if (!was_ended && !was_disabled) cut("cut as requested, and nobody has asked for it");
      break;
    case EndReason::disabled:
      if (!was_disabled) cut("cut as disabled, and the user never was");
      break;
    case EndReason::too_many:
      if (user.found_no_room_at == MonotonicTime::min()) cut("cut as one too many, and there was room");
      break;
    case EndReason::drained:
      if (!node.drains) cut("cut as drained, and the node goes on");
      break;
    case EndReason::node_lost: {
      const bool slept = at <= node.continued_at + allowance && node.slept_at == node.continued_at;
      if (!slept) cut("cut as after a sleep, and its node was awake");
      break;
    }
    case EndReason::idle:
      // What is owed for it is still to be settled, and nobody is connected.
      if (stay.open > 0 && stay.open_since + allowance < at && node.continued_at + allowance < at)
        cut("cut for want of a connection, and one is open");
      break;
  }
}

/// What should have happened and did not.
void Examiner::look_around(MonotonicTime at) {
  for (const Stay& stay : stays_) {
    if (stay.is_free || stay.open == 0) continue;
    check_overrun(stay, at);
    check_reach(stay, at);
    const NodeBook& node = nodes_[index(stay.name.node)];
    const bool should_be_closed =
        stay.told_at != MonotonicTime::max() && at > std::max(stay.told_at, node.continued_at) + closing_time;
    if (should_be_closed && !node.paused)
      report(Law::cut_in_time, at, stay.name.user, {}, "a connection is open after its session was cut");
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) check_lost(static_cast<NodeNumber>(i), at);
}

// ---- rule 2

/// `sooner`: by how much the last end may look later, and so be within the window.
bool Examiner::may_start(const UserBook& user, MonotonicTime at, std::chrono::nanoseconds sooner) const {
  if (user.balance <= billing::Credits()) return false;
  if (user.balance >= scenario_.start_terms.minimum_to_start) return true;
  return user.last_end && at - *user.last_end - sooner <= scenario_.start_terms.resume_window;
}

/// Where a session of his may be over of which the ledger does not know yet.
bool Examiner::is_known_on(const UserBook& user, NodeNumber node) const {
  return std::any_of(user.stays.begin(), user.stays.end(), [&](std::uint32_t place) {
    return stays_[place].name.node == node && stays_[place].name.life == nodes_[index(node)].life;
  });
}

void Examiner::decided(const VerdictSeen& seen, MonotonicTime at) {
  static constexpr std::string_view verdicts[] = {"admitted: may start",       "admitted: is live",
                                                  "refused: payment required", "refused: disabled",
                                                  "refused: too many",         "refused: unavailable"};
  journal_.note({.at = at,
                 .what = verdicts[static_cast<std::size_t>(seen.verdict)],
                 .node = seen.node,
                 .user = seen.user});
  const UserBook& user = book_of(seen.user);
  const NodeBook& node = nodes_[index(seen.node)];
  const bool has_changed = user.changed_at >= seen.asked_at;
  // A session's end that the ledger does not know yet counts on its own node, and not on others;
  // nor does a node that was away know at once what others have ended meanwhile.
  const bool is_back =
      user.taken_from == seen.node && at <= std::max(node.continued_at, node.disturbed_until) + reach;
  const bool is_unsure = (user.open_sessions > 0 || is_back) &&
                         user.balance < scenario_.start_terms.minimum_to_start &&
                         user.balance > billing::Credits();
  const auto slack = 2ms + seen.wall_error + user.last_end_error + (at - seen.asked_at);
  const auto refuse = [&](std::string_view what) {
    report(Law::start, at, seen.user, {},
           std::string(what) + ", balance " + std::to_string(user.balance.units()) + " units");
  };
  switch (seen.verdict) {
    case Verdict::started:
      if (!has_changed && user.state == billing::UserState::disabled) refuse("let in, and disabled");
      if (!has_changed && !is_unsure && !may_start(user, at, slack)) refuse("let in, and may not start");
      if (!has_changed && !has_room(user) && !is_known_on(user, seen.node))
        report(Law::session_limit, at, seen.user, {}, "let in, and has as many sessions as he may");
      break;
    case Verdict::too_many:
      if (!has_changed && has_room(user))
        report(Law::session_limit, at, seen.user, {}, "refused as too many, and there was room");
      break;
    case Verdict::payment_required:
      if (!has_changed && !is_unsure && may_start(user, at, -slack)) refuse("refused, and may start");
      break;
    case Verdict::forbidden:
      if (!has_changed && user.state == billing::UserState::active) refuse("refused as disabled, and is not");
      break;
    case Verdict::unavailable:
      if (at > std::max(node.disturbed_until, node.continued_at) + 2s && !node.drains)
        refuse("refused as unavailable while the ledger answered");
      break;
    case Verdict::joined: {
      const auto place = find(*seen.stay);
      const bool is_live = place && stays_[*place].told_at == MonotonicTime::max();
      const MonotonicTime excuse = place ? excused_until(stays_[*place]) : at;
      const bool goes_on =
          is_live && (stays_[*place].open > 0 || stays_[*place].covered_until + allowance > at ||
                      stays_[*place].changes.back().at + scenario_.outage_grace > at);
      if (!goes_on && at > excuse + allowance) refuse("joined a session that does not run");
      break;
    }
  }
}

}  // namespace payg::simulation
