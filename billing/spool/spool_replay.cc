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
      sessions_.push_back({.next = place, .end = place, .charged = {}});
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
  settle_next(session);
  if (const auto sum = session.charged.plus(result.amount)) session.charged = *sum;
  const bool goes_on = result.outcome == ChargeResult::Outcome::fenced || result.grant == charge.increment;
  if (goes_on && session.next < session.end) return sessions_.push_back(session);
  while (session.next < session.end) settle_next(session);
  held_.erase({charge.user, charge.session});
  finished_.push_back({charge.user, charge.session, session.charged});
}

void SpoolReplay::settle_next(Pending& session) {
  const ChargeRequest& charge = charges_[session.next++];
  --charges_left_;
  settled_.push_back({charge.user, charge.session, charge.number});
}

}  // namespace payg::billing
