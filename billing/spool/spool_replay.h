#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "billing/ledger/ledger.h"

namespace payg::billing {

/// Brings what an earlier life of the node has left in its spool to the ledger: each session's charges one
/// after the other, in the order of their numbers. Those that the ledger has already are fenced by it, and
/// passed over. One that buys less than its increment ends it for that session: the balance was used up
/// there, and nobody is left to go on behind it.
///
/// Deterministic and without I/O, as Biller is; not thread-safe.
class SpoolReplay {
 public:
  /// `charges` by sessions, in the order of their numbers.
  explicit SpoolReplay(std::vector<ChargeRequest> charges);

  bool is_done() const noexcept { return sessions_.empty(); }
  std::size_t sessions_left() const noexcept { return sessions_.size(); }
  std::size_t charges_left() const noexcept { return charges_left_; }
  /// Whether this session has charges left.
  bool holds(UserId user, SessionId session) const;

  /// The next charge of each of the next `most` sessions, to be sent in one call.
  std::vector<ChargeRequest> take(std::size_t most) const;
  /// The next charge of the session whose turn it is to stand in line. REQUIRES: not is_done().
  ChargeRequest take_one_in_line() const;
  /// The answer to what was taken last. Whoever was locked is asked for again after all others.
  void on_charged(std::span<const ChargeResult> results);

  /// Sessions whose charges are all with the ledger, since this was last asked: they are to be ended.
  /// `unposted` is what was charged here.
  std::vector<LeftOpen> take_finished() { return std::exchange(finished_, {}); }
  /// Charges that need not be kept any longer, since this was last asked.
  std::vector<ChargeKey> take_settled() { return std::exchange(settled_, {}); }

 private:
  struct Pending {
    std::deque<ChargeRequest> charges;
    Credits charged;
  };

  void settle(Pending session, const ChargeResult& result);
  ChargeRequest take_first(Pending& session);

  std::deque<Pending> sessions_;
  std::size_t charges_left_;
  std::vector<LeftOpen> finished_;
  std::vector<ChargeKey> settled_;
};

}  // namespace payg::billing
