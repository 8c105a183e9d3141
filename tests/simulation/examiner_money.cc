// What the ledger committed, judged by the examiner's own books.

#include <algorithm>
#include <utility>

#include "tests/simulation/examiner.h"

namespace payg::simulation {
namespace {

using namespace std::chrono_literals;
using billing::Credits;
using billing::EndReason;
using billing::SessionId;
using billing::UserState;

Credits units(std::int64_t count) {
  return Credits::from_units(count);
}

std::string both(const char* seen_as, std::int64_t seen, const char* due_as, std::int64_t due) {
  return std::string(seen_as) + " " + std::to_string(seen) + ", " + due_as + " " + std::to_string(due);
}

/// Rule 4: the time that an amount buys, to the millisecond, rounded down.
std::int64_t bought_ms(std::int64_t amount, std::int64_t thousandths) {
  return static_cast<std::int64_t>(__int128{amount} * 1000 / thousandths);
}

}  // namespace

Examiner::Stay* Examiner::stay_of(const SessionBook& session) {
  Stay& stay = stays_[session.stay];
  const bool is_still_its = !stay.is_free && stay.name.user == session.user &&
                            stay.name.node == session.node && stay.name.life == session.life &&
                            stay.name.handle == session.handle;
  return is_still_its ? &stay : nullptr;
}

void Examiner::add(UserBook& user, std::int64_t count, MonotonicTime at) {
  if (is_empty(user)) user.was_empty_at = at;
  user.balance = units(user.balance.units() + count);
  user.changed_at = at;
  if (is_empty(user)) user.was_empty_at = MonotonicTime::max();
}

/// I1 and I2, of one user.
void Examiner::check_books(UserId who, Credits in_ledger, MonotonicTime at) {
  const UserBook& user = book_of(who);
  if (in_ledger < Credits())
    report(Law::never_below_zero, at, who, {},
           "the balance is " + std::to_string(in_ledger.units()) + " units");
  const std::int64_t due = user.transactions.units() - user.unposted.units();
  if (in_ledger != user.balance || in_ledger.units() != due)
    report(Law::books, at, who, {}, both("the balance is", in_ledger.units(), "the books say", due));
}

// ---- charges

Examiner::SessionBook* Examiner::session_for(const ChargeSeen& charge, MonotonicTime at) {
  const auto found = by_id_.find(charge.request.session);
  if (found == by_id_.end()) return first_charge(charge, at);
  SessionBook& session = sessions_[found->second];
  if (charge.request.number != session.number + 1)
    report(Law::charged_once, at, session.user, session.id,
           both("charged number", charge.request.number, "after number", session.number));
  if (session.ended_at != MonotonicTime::max())
    report(Law::nothing_after_end, at, session.user, session.id, "charged after its end");
  return &session;
}

/// Rule 1: a session begins where a connection of it was established.
Examiner::SessionBook* Examiner::first_charge(const ChargeSeen& charge, MonotonicTime at) {
  const UserId user = charge.request.user;
  if (charge.request.number != 1)
    report(Law::charged_once, at, user, charge.request.session, "a session that begins with another number");
  const Change* first = nullptr;
  std::uint32_t place = 0;
  for (const std::uint32_t candidate : book_of(user).stays) {
    const Stay& stay = stays_[candidate];
    if (stay.name.node != charge.node || name_of(stay.label) != charge.request.label) continue;
    std::uint32_t open = 0;
    for (const Change& change : stay.changes) {
      const auto distance = std::chrono::abs(change.at - charge.begins_about);
      const bool is_first = open == 0 && change.open > 0;
      open = change.open;
      if (!is_first || distance > rounding) continue;
      if (first && std::chrono::abs(first->at - charge.begins_about) <= distance) continue;
      first = &change;
      place = candidate;
    }
  }
  if (!first) {
    report(Law::connected, at, user, charge.request.session,
           "begins at " + show_time(charge.begins_about) + ", where no first connection was established");
    return nullptr;
  }
  const Stay& stay = stays_[place];
  sessions_.push_back({.id = charge.request.session,
                       .user = user,
                       .node = charge.node,
                       .life = stay.name.life,
                       .stay = place,
                       .handle = stay.name.handle,
                       .begin = first->at,
                       .paid_until = first->at,
                       .charged = {},
                       .posted = {}});
  const auto number = static_cast<std::uint32_t>(sessions_.size() - 1);
  by_id_.emplace(charge.request.session, number);
  book_of(user).sessions.push_back(number);
  if (!has_room(book_of(user)))
    report(Law::session_limit, at, user, charge.request.session,
           "begins, and he has " + std::to_string(book_of(user).open_sessions) + " sessions");
  ++book_of(user).open_sessions;
  ++nodes_[index(charge.node)].signs.open_sessions;
  check_one_payer(sessions_.back(), at);
  stays_[place].session = number;
  return &sessions_.back();
}

bool Examiner::was_cut_before(const SessionBook& session, MonotonicTime at) const {
  const Stay& stay = stays_[session.stay];
  const bool is_still_its =
      !stay.is_free && stay.name.handle == session.handle && stay.name.user == session.user;
  return !is_still_its || stay.told_at <= at || session.ended_at <= at;
}

void Examiner::check_one_payer(const SessionBook& session, MonotonicTime at) {
  const Stay& stay = stays_[session.stay];
  for (const std::uint32_t number : book_of(session.user).sessions) {
    const SessionBook& other = sessions_[number];
    if (other.id == session.id || other.node != session.node || other.life != session.life) continue;
    // They may be settled in another order than they began in.
    const bool is_later = other.begin <= session.begin;
    const SessionBook& first = is_later ? other : session;
    const SessionBook& second = is_later ? session : other;
    if (stays_[other.stay].label != stay.label || first.paid_until <= second.begin) continue;
    if (!was_cut_before(first, second.begin))
      report(Law::one_payer, at, session.user, session.id,
             "pays while session " + billing::to_string(other.id) + " of the same label does");
  }
}

/// Rules 3 and 5: where the increment begins, and who was there.
void Examiner::check_increment(const SessionBook& session, const ChargeSeen& charge, MonotonicTime at) {
  const MonotonicTime begin = session.paid_until;
  if (std::chrono::abs(begin - charge.begins_about) > rounding)
    report(Law::increments_follow, at, session.user, session.id,
           "increment " + std::to_string(charge.request.number) + " begins at " +
               show_time(charge.begins_about) + ", the last one ended at " + show_time(begin));
  const Stay* stay = stay_of(session);
  if (!stay) return;
  // The first one begins where a connection was established, however short.
  if (charge.request.number > 1 && !was_open(*stay, begin))
    report(Law::connected, at, session.user, session.id,
           "charged for an increment at whose begin, " + show_time(begin) + ", no connection was open");
  if (stay->told_at < begin)
    report(Law::nothing_after_end, at, session.user, session.id, "charged for an increment after the cut");
}

/// I6: a node that was away for longer than its lease charges nothing of what it had before, but what was on
/// its way as it fell asleep.
void Examiner::check_sleep(const SessionBook& session, NodeNumber number, MonotonicTime at) {
  constexpr auto on_its_way = 30s;
  const NodeBook& node = nodes_[index(number)];
  const Stay* stay = stay_of(session);
  // What had been cut before it fell asleep is still settled.
  const bool is_old = stay && node.slept_surely && session.life == node.life &&
                      session.begin < node.fell_asleep_at && stay->told_at > node.fell_asleep_at;
  if (is_old && at > node.slept_at + on_its_way)
    report(Law::nothing_after_end, at, session.user, session.id,
           "charged by a node that had been away for longer than its lease");
}

/// Rule 4.
void Examiner::check_price(const SessionBook& session, const ChargeSeen& charge, MonotonicTime at) {
  const auto& asked = charge.request;
  const MonotonicTime begin = session.paid_until;
  const MonotonicTime continued_at = nodes_[index(session.node)].continued_at;
  const bool are_known = std::any_of(terms_.begin(), terms_.end(), [&](const TermsSeen& seen) {
    const bool same = seen.terms.price == asked.price && seen.terms.increment == asked.increment &&
                      seen.terms.rate == asked.rate;
    // What falls due behind an unanswered increment goes at that one's terms.
    return same && seen.from <= std::max(begin + 1s, continued_at) &&
           seen.until + scenario_.outage_grace + 1s >= begin;
  });
  if (!are_known) report(Law::price, at, session.user, session.id, "charged at terms that were not in force");
  const std::int64_t before = book_of(session.user).balance.units();
  const std::int64_t amount = std::min(asked.price.units(), before);
  const std::int64_t grant =
      amount == asked.price.units() ? asked.increment.count() : bought_ms(amount, asked.rate.thousandths());
  if (charge.amount.units() != amount)
    report(Law::price, at, session.user, session.id,
           both("it took", charge.amount.units(), "and should have taken", amount));
  if (charge.grant.count() != grant)
    report(Law::price, at, session.user, session.id,
           both("it granted ms", charge.grant.count(), "and should have granted", grant));
}

void Examiner::charged(const ChargeSeen& charge, MonotonicTime at) {
  const UserId who = charge.request.user;
  journal_.note({.at = at,
                 .what = "charged",
                 .node = charge.node,
                 .user = who,
                 .session = charge.request.session,
                 .number = charge.request.number,
                 .amount = charge.amount,
                 .time = charge.grant});
  ++charges_;
  granted_ += charge.grant;
  UserBook& user = book_of(who);
  if (charge.balance < Credits()) return check_books(who, charge.balance, at);
  SessionBook* session = session_for(charge, at);
  if (!session || finding_) return;
  if (user.state == UserState::disabled)
    report(Law::nothing_after_end, at, who, session->id, "charged while he is disabled");
  if (charge.life != nodes_[index(charge.node)].signs.life)
    report(Law::one_life, at, who, session->id, "charged for a life of its node that is over");
  check_sleep(*session, charge.node, at);
  check_increment(*session, charge, at);
  check_price(*session, charge, at);
  Stay* stay = stay_of(*session);
  if (stay) check_overrun(*stay, at);

  session->number = charge.request.number;
  session->paid_until += charge.grant;
  session->last_grant = charge.grant;
  session->last_increment = charge.request.increment;
  session->is_unheard = false;
  session->committed_at = at;
  session->charged = units(session->charged.units() + charge.amount.units());
  user.unposted = units(user.unposted.units() + charge.amount.units());
  add(user, -charge.amount.units(), at);
  if (stay) stay->covered_until = std::max(stay->covered_until, session->paid_until);
  check_books(who, charge.balance, at);
}

void Examiner::found_no_room(const billing::ChargeRequest& request, MonotonicTime at) {
  journal_.note({.at = at, .what = "found no room", .user = request.user, .session = request.session});
  book_of(request.user).found_no_room_at = at;
  without_room_.insert(request.session);
  if (has_room(book_of(request.user)))
    report(Law::session_limit, at, request.user, request.session, "found no room, and there is some");
}

void Examiner::answer_is_missing(SessionId id) {
  const auto found = by_id_.find(id);
  if (found != by_id_.end()) sessions_[found->second].is_unheard = true;
}

// ---- ends

/// Rule 3: it ends only where nobody is connected.
void Examiner::check_idle_end(const SessionBook& session, MonotonicTime at) {
  const UserBook& user = book_of(session.user);
  const Stay* stay = stay_of(session);
  const bool ran_dry = session.last_grant < session.last_increment || user.was_empty_at >= session.paid_until;
  // What fell due while the node was stopped is judged by who is there when it goes on.
  const bool was_stopped = nodes_[index(session.node)].continued_at >= session.paid_until;
  // What was still owed was refused with him.
  const bool was_fenced = user.state == UserState::disabled || user.was_disabled_at >= session.paid_until;
  if (stay && !ran_dry && !was_stopped && !was_fenced && was_open(*stay, session.paid_until))
    report(Law::connected, at, session.user, session.id,
           "ended for want of a connection at " + show_time(session.paid_until) + ", where one was open");
}

void Examiner::ended(const billing::EndRequest& end, MonotonicTime really_at,
                     std::chrono::milliseconds wall_error, MonotonicTime at) {
  journal_.note({.at = at,
                 .what = "end is written",
                 .user = end.user,
                 .session = end.session,
                 .detail = billing::name_of(end.why)});
  const auto found = by_id_.find(end.session);
  if (found == by_id_.end())
    return report(Law::one_end, at, end.user, end.session, "the end of a session that never began");
  SessionBook& session = sessions_[found->second];
  if (session.ended_at != MonotonicTime::max())
    return report(Law::one_end, at, end.user, end.session, "a second end");
  if (end.why == EndReason::idle) check_idle_end(session, at);
  session.ended_at = at;
  UserBook& user = book_of(end.user);
  --user.open_sessions;
  --nodes_[index(session.node)].signs.open_sessions;
  user.changed_at = at;
  user.last_end = user.last_end ? std::max(*user.last_end, really_at) : really_at;
  user.last_end_error = std::max(user.last_end_error, wall_error);
  // Overlaps are looked for among those that may still be paid for.
  std::erase_if(user.sessions, [&](std::uint32_t number) {
    return sessions_[number].ended_at != MonotonicTime::max() && sessions_[number].paid_until < at - 1h;
  });
}

void Examiner::posted(UserId who, SessionId id, Credits amount, MonotonicTime at) {
  journal_.note({.at = at, .what = "usage is posted", .user = who, .session = id, .amount = amount});
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return report(Law::books, at, who, id, "usage of a session that never began");
  SessionBook& session = sessions_[found->second];
  const std::int64_t due = session.charged.units() - session.posted.units();
  if (amount.units() != due)
    report(Law::books, at, who, id, both("it posted", amount.units(), "and owed its history", due));
  session.posted = units(session.posted.units() + amount.units());
  UserBook& user = book_of(who);
  user.transactions = units(user.transactions.units() - amount.units());
  user.unposted = units(user.unposted.units() - amount.units());
}

// ---- money in, and users

void Examiner::credited(UserId who, Credits amount, std::uint64_t reference, Credits balance,
                        MonotonicTime at) {
  journal_.note({.at = at, .what = "balance changed", .user = who, .number = reference, .amount = amount});
  if (!references_.insert(reference).second)
    report(Law::credited_once, at, who, {}, "reference " + std::to_string(reference) + " was credited again");
  UserBook& user = book_of(who);
  user.transactions = units(user.transactions.units() + amount.units());
  add(user, amount.units(), at);
  check_books(who, balance, at);
}

void Examiner::credit_acknowledged(UserId who, std::uint64_t reference, MonotonicTime at) {
  journal_.note({.at = at, .what = "purchase acknowledged", .user = who, .number = reference});
  if (!references_.contains(reference))
    report(Law::nothing_lost, at, who, {},
           "reference " + std::to_string(reference) + " was acknowledged and is not there");
}

void Examiner::state_set(UserId who, UserState state, MonotonicTime at) {
  journal_.note({.at = at, .what = "user is now", .user = who, .detail = billing::name_of(state)});
  UserBook& user = book_of(who);
  user.changed_at = at;
  if (state == UserState::disabled || user.state == UserState::disabled) user.was_disabled_at = at;
  user.disabled_at = state == UserState::disabled ? at : MonotonicTime::max();
  user.state = state;
}

void Examiner::balance_read(UserId who, Credits balance, MonotonicTime at) {
  check_books(who, balance, at);
}

void Examiner::deadlock(UserId who, MonotonicTime at) {
  report(Law::no_deadlock, at, who, {}, "transactions wait for each other's rows");
}

// ---- what is on a node's disk

/// At some moment within the rounding, however short.
bool Examiner::was_open_about(const Stay& stay, MonotonicTime about) {
  if (was_open(stay, about - rounding)) return true;
  return std::any_of(stay.changes.rbegin(), stay.changes.rend(), [&](const Change& change) {
    return change.open > 0 && std::chrono::abs(change.at - about) <= rounding;
  });
}

void Examiner::kept(NodeNumber node, const billing::ChargeRequest& charge, MonotonicTime begins_about,
                    MonotonicTime at) {
  journal_.note({.at = at,
                 .what = "kept on disk",
                 .node = node,
                 .user = charge.user,
                 .session = charge.session,
                 .number = charge.number,
                 .amount = charge.price});
  KeptCharge& last = kept_[charge.session];
  if (charge.number >= last.number) last = {charge.user, node, charge.number, at};
  for (const std::uint32_t place : book_of(charge.user).stays) {
    Stay& stay = stays_[place];
    const bool is_there = stay.name.node == node && was_open_about(stay, begins_about);
    if (is_there) stay.kept_until = std::max(stay.kept_until, begins_about + rounding + charge.increment);
  }
}

/// I7: what was safe reaches the ledger, unless there was nothing left to take, or the session, or its user,
/// was ended in the meantime.
void Examiner::check_kept(MonotonicTime at) {
  for (const auto& [id, kept] : kept_) {
    const UserBook& user = book_of(kept.user);
    const auto found = by_id_.find(id);
    const bool is_there = found != by_id_.end() && sessions_[found->second].number >= kept.number;
    const bool ran_dry = user.was_empty_at >= kept.at - scenario_.outage_grace;
    const bool was_ended = end_asked_.contains(id) || without_room_.contains(id) ||
                           user.was_disabled_at >= kept.at - 2 * scenario_.outage_grace;
    const bool was_slept_over = nodes_[index(kept.node)].slept_at >= kept.at;
    const bool was_taken_over = found != by_id_.end() && sessions_[found->second].was_taken_over;
    if (!is_there && !ran_dry && !was_ended && !was_slept_over && !was_taken_over)
      report(Law::nothing_lost, at, kept.user, id,
             "charge " + std::to_string(kept.number) + " was kept on disk and never reached the ledger");
  }
}

void Examiner::finish(MonotonicTime at) {
  look_around(at);
  check_kept(at);
  for (const SessionBook& session : sessions_) {
    if (session.ended_at == MonotonicTime::max())
      report(Law::one_end, at, session.user, session.id, "has no end, and everything was drained");
    if (session.posted != session.charged)
      report(Law::books, at, session.user, session.id, "was charged what its user's history does not show");
  }
}

std::string_view name_of(Law law) noexcept {
  switch (law) {
    case Law::books: return "I1: the balance is what the books say";
    case Law::never_below_zero: return "I2: no balance is ever below zero";
    case Law::charged_once: return "I3: a charge is applied once";
    case Law::credited_once: return "I4: an order is credited once";
    case Law::cut_in_time: return "I5: nothing is relayed beyond the last grant";
    case Law::one_end: return "I6: every session reaches exactly one end";
    case Law::nothing_after_end: return "I6: nothing is charged or relayed after the end";
    case Law::session_limit: return "a user has as many sessions as he may, on all nodes together";
    case Law::one_life: return "I6: an earlier life of a node charges nothing";
    case Law::lost_nodes:
      return "I6: the others end what a node has that was silent for its lease, and only that";
    case Law::nothing_lost: return "I7: nothing that was acknowledged is lost";
    case Law::start: return "rule 2: who may start";
    case Law::connected: return "rule 3: bought if a connection is open where it begins";
    case Law::one_payer: return "one session of (user, label) pays at a time";
    case Law::price: return "rule 4: what a charge costs and grants";
    case Law::increments_follow: return "rule 5: increments follow each other";
    case Law::paid_or_kept: return "nothing is permitted that is neither paid nor kept on disk";
    case Law::outage: return "rule 7: on without the ledger for outage_grace, no more and no less";
    case Law::no_cut_without_cause: return "nobody is cut without a cause";
    case Law::no_deadlock: return "no two transactions wait for each other";
  }
  return "unknown";
}

}  // namespace payg::simulation
