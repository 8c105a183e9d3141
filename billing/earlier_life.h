#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "billing/ledger/ledger.h"
#include "billing/spool/spool_replay.h"
#include "plugin/api/plugin.h"

namespace payg::billing {

/// Says in the log what the end of a dead node's sessions has brought to their users' histories.
void log_ended(plugin::Host& host, std::int64_t sessions, std::string_view node, Credits posted);

/// What an earlier life of this node has left: charges in its spool, and sessions that were never ended. Of
/// each session the charges go to the ledger first, in order, and then it is ended. Whoever is locked is left
/// for the next time, and holds up nobody. One thread.
class EarlierLife {
 public:
  /// What is left after a call.
  enum class Left {
    nothing,
    locked,  ///< sessions of users whom somebody has locked: try again later
    more,    ///< at least another portion that may be free: call again
  };

  /// `spooled`: by sessions, in the order of their numbers.
  EarlierLife(plugin::Host& host, std::vector<ChargeRequest> spooled)
      : host_(host), replay_(std::move(spooled)) {}

  /// Who settles it, and what the ledger said was open when that life began. Called once.
  void begin(NodeRef node, const std::vector<SessionKey>& left_open);

  /// REQUIRES: begin() was called. One portion of charges and one of ends, so that nobody's charges wait for
  /// long. life_is_over: a later life of the node has begun, and all that is not settled stays in the spool.
  LedgerResult<Left> settle(Ledger& ledger);
  /// Of those who were locked one, in his turn: a user may be locked whenever he is looked at.
  LedgerResult<Done> settle_one_in_line(Ledger& ledger);

  /// Charges that need not be kept in the spool any longer, since this was last asked.
  std::vector<ChargeKey> take_settled_charges() { return replay_.take_settled(); }

 private:
  LedgerResult<Done> settle_portion(Ledger& ledger);
  bool may_have_free_charges() const noexcept;
  Left left();
  LedgerResult<Done> send(std::span<const ChargeRequest> charges, Ledger& ledger);
  LedgerResult<Done> end_first(std::size_t count, Turn turn, Ledger& ledger);
  void say_what_was_done();

  plugin::Host& host_;
  NodeRef node_;
  SpoolReplay replay_;
  std::size_t locked_in_a_row_ = 0;   // sessions with charges that were looked at since one was free
  std::deque<SessionKey> left_open_;  // to be ended
  std::deque<SessionKey> locked_;     // likewise, when all of those have been looked at
  // Not said in the log yet; what a call did whose answer was lost is in neither.
  std::int64_t ended_ = 0;
  Credits posted_;
};

}  // namespace payg::billing
