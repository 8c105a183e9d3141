#include "billing/spool/spool_replay.h"

#include <algorithm>
#include <utility>

namespace payg::billing {

SpoolReplay::SpoolReplay(std::vector<ChargeRequest> charges) : charges_left_(charges.size()) {
  for (ChargeRequest& charge : charges) {
    const bool is_same = !sessions_.empty() && sessions_.back().charges.back().user == charge.user &&
                         sessions_.back().charges.back().session == charge.session;
    if (!is_same) sessions_.emplace_back();
    sessions_.back().charges.push_back(std::move(charge));
  }
}

bool SpoolReplay::holds(UserId user, SessionId session) const {
  return std::any_of(sessions_.begin(), sessions_.end(), [&](const Pending& pending) {
    return pending.charges.front().user == user && pending.charges.front().session == session;
  });
}

std::vector<ChargeRequest> SpoolReplay::take(std::size_t most) const {
  std::vector<ChargeRequest> next;
  for (std::size_t i = 0; i < std::min(most, sessions_.size()); ++i)
    next.push_back(sessions_[i].charges.front());
  return next;
}

ChargeRequest SpoolReplay::take_one_in_line() const {
  ChargeRequest one = sessions_.front().charges.front();
  one.turn = Turn::in_line;
  return one;
}

void SpoolReplay::on_charged(std::span<const ChargeResult> results) {
  for (const ChargeResult& result : results) {
    Pending session = std::move(sessions_.front());
    sessions_.pop_front();
    settle(std::move(session), result);
  }
}

void SpoolReplay::settle(Pending session, const ChargeResult& result) {
  if (result.outcome == ChargeResult::Outcome::later) return sessions_.push_back(std::move(session));
  const ChargeRequest charge = take_first(session);
  if (const auto sum = session.charged.plus(result.amount)) session.charged = *sum;
  const bool goes_on = result.outcome == ChargeResult::Outcome::fenced || result.grant == charge.increment;
  if (goes_on && !session.charges.empty()) return sessions_.push_back(std::move(session));
  while (!session.charges.empty()) (void)take_first(session);
  finished_.push_back({charge.user, charge.session, session.charged});
}

ChargeRequest SpoolReplay::take_first(Pending& session) {
  ChargeRequest charge = std::move(session.charges.front());
  session.charges.pop_front();
  --charges_left_;
  settled_.push_back({charge.user, charge.session, charge.number});
  return charge;
}

}  // namespace payg::billing
