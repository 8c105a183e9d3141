#include "billing/earlier_life.h"

#include <algorithm>
#include <utility>

namespace payg::billing {
namespace {

// Sessions that are charged, or ended, in one transaction.
constexpr std::size_t portion_size = 1000;

}  // namespace

void log_ended(plugin::Host& host, std::int64_t sessions, std::string_view node, Credits posted) {
  host.log(plugin::LogLevel::warning, "billing",
           "ended " + std::to_string(sessions) + " sessions that node " + std::string(node) +
               " had left open: " + posted.to_exact_string() + " credits");
}

LedgerResult<Done> EarlierLife::settle(Ledger& ledger) {
  const auto charged = send_charges(ledger);
  return charged ? end_sessions(ledger) : charged;
}

LedgerResult<Done> EarlierLife::settle_one_in_line(Ledger& ledger) {
  if (!replay_.is_done()) {
    const ChargeRequest one = replay_.take_one_in_line();
    return send({&one, 1}, ledger);
  }
  if (left_open_.empty()) return Done{};
  const LeftOpen one = left_open_.front();
  left_open_.erase(left_open_.begin());
  const auto ended = end({&one, 1}, Turn::in_line, ledger);
  if (!ended) left_open_.push_back(one);
  return ended;
}

/// Until all are sent, or nobody is left who is not locked.
LedgerResult<Done> EarlierLife::send_charges(Ledger& ledger) {
  const std::size_t before = replay_.charges_left();
  std::size_t left = before;
  for (std::size_t seen = 0; !replay_.is_done() && seen < replay_.sessions_left();) {
    const auto charges = replay_.take(portion_size);
    if (const auto sent = send(charges, ledger); !sent) return sent;
    const bool has_moved = replay_.charges_left() < std::exchange(left, replay_.charges_left());
    seen = has_moved ? 0 : seen + charges.size();
  }
  if (left < before) {
    host_.log(plugin::LogLevel::warning, "billing",
              "sent " + std::to_string(before - left) + " charges that node " + node_.name +
                  " had kept in its spool to the ledger");
  }
  return Done{};
}

LedgerResult<Done> EarlierLife::send(std::span<const ChargeRequest> charges, Ledger& ledger) {
  const auto results = ledger.charge(node_, charges);
  if (!results) return results.error();
  replay_.on_charged(*results);
  for (const LeftOpen& session : replay_.take_finished()) add_left_open(session);
  return Done{};
}

void EarlierLife::add_left_open(const LeftOpen& session) {
  const auto known = std::find_if(left_open_.begin(), left_open_.end(), [&](const LeftOpen& other) {
    return other.user == session.user && other.session == session.session;
  });
  if (known == left_open_.end()) return left_open_.push_back(session);
  if (const auto sum = known->unposted.plus(session.unposted)) known->unposted = *sum;
}

LedgerResult<Done> EarlierLife::end_sessions(Ledger& ledger) {
  std::vector<LeftOpen> all = std::exchange(left_open_, {});
  // Those that are still to be charged come when they have been.
  const auto held = std::stable_partition(
      all.begin(), all.end(), [this](const LeftOpen& one) { return !replay_.holds(one.user, one.session); });
  left_open_.assign(held, all.end());
  all.erase(held, all.end());
  for (std::size_t begin = 0; begin < all.size(); begin += portion_size) {
    const auto portion = std::span(all).subspan(begin, std::min(portion_size, all.size() - begin));
    if (const auto ended = end(portion, Turn::if_free, ledger); !ended) {
      left_open_.insert(left_open_.end(), all.begin() + static_cast<std::ptrdiff_t>(begin), all.end());
      return ended;
    }
  }
  return Done{};
}

/// Those who are locked are left open.
LedgerResult<Done> EarlierLife::end(std::span<const LeftOpen> portion, Turn turn, Ledger& ledger) {
  const WallTime now = host_.clock().wall_now();
  std::vector<EndRequest> ends;
  for (const LeftOpen& one : portion)
    ends.push_back({one.user, one.session, EndReason::node_lost, now, turn});
  const auto outcomes = ledger.end_sessions(ends);
  if (!outcomes) return outcomes.error();
  std::int64_t ended = 0;
  Credits posted;
  for (std::size_t i = 0; i < portion.size(); ++i) {
    if ((*outcomes)[i] == EndOutcome::later) {
      left_open_.push_back(portion[i]);
      continue;
    }
    ++ended;
    if (const auto sum = posted.plus(portion[i].unposted)) posted = *sum;
  }
  if (ended > 0) log_ended(host_, ended, node_.name, posted);
  return Done{};
}

}  // namespace payg::billing
