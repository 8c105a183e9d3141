#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

#include "billing/ledger/ledger.h"

namespace payg::billing {

/// What became of charges of a spool.
struct ReplayTally {
  std::size_t charges = 0;  ///< bought now; those that had been bought already are in neither
  Credits amount;
  /// That the ledger took no more: each of these costs at most its price.
  std::size_t forgone = 0;
  Credits forgone_price;
};

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
  bool holds(const SessionKey& session) const { return held_.contains(session); }

  /// The next charge of each of the next `most` sessions, to be sent in one call.
  std::vector<ChargeRequest> take(std::size_t most) const;
  /// The next charge of the session whose turn it is to stand in line. REQUIRES: not is_done().
  ChargeRequest take_one_in_line() const;
  /// The answer to what was taken last. Whoever was locked is asked for again after all others.
  void on_charged(std::span<const ChargeResult> results);

  /// Sessions whose charges are all with the ledger, since this was last asked: they are to be ended.
  std::vector<SessionKey> take_finished() { return std::exchange(finished_, {}); }
  /// Charges that need not be kept any longer, since this was last asked.
  std::vector<ChargeKey> take_settled() { return std::exchange(settled_, {}); }
  /// Of sessions that are finished, and of those that are not what was bought, since this was last asked.
  ReplayTally take_tally() { return std::exchange(tally_, {}); }

 private:
  /// A session whose charges_[next] to charges_[end - 1] are left.
  struct Pending {
    std::size_t next;
    std::size_t end;
    // Fenced so far: the ledger has them already, when it takes one behind them.
    std::size_t fenced = 0;
  };

  void settle(Pending session, const ChargeResult& result);
  void settle_next(Pending& session);
  void count(Pending& session, const ChargeResult& result);
  void forgo(std::size_t from, std::size_t to);

  std::vector<ChargeRequest> charges_;  // by sessions; all of them, until all are settled
  std::deque<Pending> sessions_;        // in the order of their turns
  std::unordered_set<SessionKey, SessionKey::Hash> held_;
  std::size_t charges_left_;
  std::vector<SessionKey> finished_;
  std::vector<ChargeKey> settled_;
  ReplayTally tally_;
};

}  // namespace payg::billing
