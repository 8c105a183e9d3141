#include "billing/earlier_life.h"

#include <algorithm>
#include <utility>

namespace payg::billing {
namespace {

// Sessions that are charged, or ended, in one transaction.
constexpr std::size_t portion_size = 1000;

/// "1 charge", "2 charges".
std::string counted(std::uint64_t count, const std::string& one) {
  return std::to_string(count) + ' ' + one + (count == 1 ? "" : "s");
}

}  // namespace

void log_ended(plugin::Host& host, std::int64_t sessions, std::string_view node, Credits posted) {
  host.log(plugin::LogLevel::warning, "billing",
           "ended " + counted(static_cast<std::uint64_t>(sessions), "session") + " that node " +
               std::string(node) + " had left open: " + posted.to_exact_string() + " credits");
}

void EarlierLife::begin(NodeRef node, const std::vector<SessionKey>& left_open) {
  node_ = std::move(node);
  // Those that are still to be charged come when they have been.
  for (const SessionKey& one : left_open)
    if (!replay_.holds(one)) left_open_.push_back(one);
}

LedgerResult<EarlierLife::Left> EarlierLife::settle(Ledger& ledger) {
  const auto settled = settle_portion(ledger);
  const Left after = settled ? left() : Left::more;
  if (!settled || after != Left::more) say_what_was_done();
  return settled ? LedgerResult<Left>(after) : settled.error();
}

LedgerResult<Done> EarlierLife::settle_portion(Ledger& ledger) {
  if (may_have_free_charges()) {
    const auto charges = replay_.take(portion_size);
    const std::size_t before = replay_.charges_left();
    if (const auto sent = send(charges, ledger); !sent) return sent;
    locked_in_a_row_ = replay_.charges_left() < before ? 0 : locked_in_a_row_ + charges.size();
  }
  return end_first(std::min(portion_size, left_open_.size()), Turn::if_free, ledger);
}

LedgerResult<Done> EarlierLife::settle_one_in_line(Ledger& ledger) {
  const auto settled = [&] {
    if (replay_.is_done())
      return end_first(std::min<std::size_t>(1, left_open_.size()), Turn::in_line, ledger);
    const ChargeRequest one = replay_.take_one_in_line();
    return send({&one, 1}, ledger);
  }();
  left_open_.insert(left_open_.end(), locked_.begin(), locked_.end());
  locked_.clear();
  say_what_was_done();
  return settled;
}

bool EarlierLife::may_have_free_charges() const noexcept {
  return locked_in_a_row_ < replay_.sessions_left();
}

/// When everybody has been looked at, those who were locked come again.
EarlierLife::Left EarlierLife::left() {
  if (may_have_free_charges() || !left_open_.empty()) return Left::more;
  locked_in_a_row_ = 0;
  left_open_.swap(locked_);
  return replay_.is_done() && left_open_.empty() ? Left::nothing : Left::locked;
}

LedgerResult<Done> EarlierLife::send(std::span<const ChargeRequest> charges, Ledger& ledger) {
  const auto results = ledger.charge(node_, charges);
  if (!results) return results.error();
  replay_.on_charged(*results);
  const auto finished = replay_.take_finished();
  left_open_.insert(left_open_.end(), finished.begin(), finished.end());
  return Done{};
}

/// Those who are locked are left open.
LedgerResult<Done> EarlierLife::end_first(std::size_t count, Turn turn, Ledger& ledger) {
  if (count == 0) return Done{};
  const auto begin = left_open_.begin(), end = begin + static_cast<std::ptrdiff_t>(count);
  const WallTime now = host_.clock().wall_now();
  std::vector<EndRequest> ends;
  for (auto one = begin; one != end; ++one)
    ends.push_back({one->user, one->session, EndReason::node_lost, now, turn});
  const auto results = ledger.end_sessions(ends);
  if (!results) return results.error();
  for (std::size_t i = 0; i < count; ++i) {
    if ((*results)[i].outcome == EndOutcome::later) {
      locked_.push_back(left_open_[i]);
      continue;
    }
    ++ended_;
    if (const auto sum = posted_.plus((*results)[i].posted)) posted_ = *sum;
  }
  left_open_.erase(begin, end);
  return Done{};
}

void EarlierLife::say_what_was_done() {
  const ReplayTally replayed = replay_.take_tally();
  const std::string kept = " that node " + node_.name + " had kept in its spool";
  if (replayed.charges > 0) {
    host_.log(plugin::LogLevel::warning, "billing",
              "charged " + replayed.amount.to_exact_string() + " credits for " +
                  counted(replayed.charges, "charge") + kept);
  }
  if (replayed.forgone > 0) {
    host_.log(plugin::LogLevel::warning, "billing",
              "the ledger took no more of " + counted(replayed.forgone, "charge") + kept +
                  ": it has them already, or their sessions had ended, or their users are disabled or have"
                  " nothing left; " +
                  replayed.forgone_price.to_exact_string() + " credits at most are lost");
  }
  if (ended_ > 0) log_ended(host_, ended_, node_.name, posted_);
  ended_ = 0;
  posted_ = {};
}

}  // namespace payg::billing
