#include "billing/spool/spool_replay.h"

#include <algorithm>
#include <utility>

namespace payg::billing {

SpoolReplay::SpoolReplay(std::vector<ChargeRequest> charges)
    : charges_(std::move(charges)), charges_left_(charges_.size()) {
  for (std::size_t place = 0; place < charges_.size(); ++place) {
    const bool is_another = place == 0 || charges_[place].user != charges_[place - 1].user ||
                            charges_[place].session != charges_[place - 1].session;
    if (is_another) {
      sessions_.push_back({.next = place, .end = place});
      held_.insert({charges_[place].user, charges_[place].session});
    }
    ++sessions_.back().end;
  }
}

std::vector<ChargeRequest> SpoolReplay::take(std::size_t most) const {
  std::vector<ChargeRequest> next;
  next.reserve(std::min(most, sessions_.size()));
  for (std::size_t i = 0; i < std::min(most, sessions_.size()); ++i)
    next.push_back(charges_[sessions_[i].next]);
  return next;
}

ChargeRequest SpoolReplay::take_one_in_line() const {
  ChargeRequest one = charges_[sessions_.front().next];
  one.turn = Turn::in_line;
  return one;
}

void SpoolReplay::on_charged(std::span<const ChargeResult> results) {
  for (const ChargeResult& result : results) {
    const Pending session = sessions_.front();
    sessions_.pop_front();
    settle(session, result);
  }
  if (is_done()) charges_ = {};
}

void SpoolReplay::settle(Pending session, const ChargeResult& result) {
  if (result.outcome == ChargeResult::Outcome::later) return sessions_.push_back(session);
  const ChargeRequest& charge = charges_[session.next];
  count(session, result);
  settle_next(session);
  const bool goes_on = result.outcome == ChargeResult::Outcome::fenced || result.grant == charge.increment;
  if (goes_on && session.next < session.end) return sessions_.push_back(session);
  forgo(session.next - session.fenced, session.end);
  while (session.next < session.end) settle_next(session);
  held_.erase({charge.user, charge.session});
  finished_.push_back({charge.user, charge.session});
}

/// The answer to the session's next charge.
void SpoolReplay::count(Pending& session, const ChargeResult& result) {
  if (result.outcome == ChargeResult::Outcome::fenced) return void(++session.fenced);
  session.fenced = 0;
  if (result.origin == ChargeResult::Origin::stored) return;
  if (result.amount == Credits()) return forgo(session.next, session.next + 1);
  ++tally_.charges;
  if (const auto sum = tally_.amount.plus(result.amount)) tally_.amount = *sum;
}

void SpoolReplay::forgo(std::size_t from, std::size_t to) {
  for (std::size_t place = from; place < to; ++place) {
    ++tally_.forgone;
    if (const auto sum = tally_.forgone_price.plus(charges_[place].price)) tally_.forgone_price = *sum;
  }
}

void SpoolReplay::settle_next(Pending& session) {
  const ChargeRequest& charge = charges_[session.next++];
  --charges_left_;
  settled_.push_back({charge.user, charge.session, charge.number});
}

}  // namespace payg::billing
